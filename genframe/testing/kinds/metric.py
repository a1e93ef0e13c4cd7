"""Metrics: a figure, the way it was taken, and the same again."""

from __future__ import annotations

import json
import math

from genframe.interfaces import Measurement, Metric
from genframe.specs import MetricSpec
from genframe.testing.catalogue import Checks
from genframe.testing.results import FaultError, Work, require
from genframe.testing.runs import Finished, on_some_run
from genframe.testing.subject import Subject

CHECKS = Checks()


def made(subject: Subject) -> Metric:
    """A new one."""
    metric: Metric = subject.build()
    return metric


def work(subject: Subject) -> Work:
    """Measures a run that it suits."""
    done = _suitable(subject)
    return Work(run=lambda: made(subject).measure(done.view), count=1, unit="measurements")


@CHECKS.add("value", "it gives a Measurement with a number, and says which direction is better")
def value(subject: Subject) -> str:
    """Of a run of a few steps."""
    measurement = _measured(subject)
    spec = subject.spec
    assert isinstance(spec, MetricSpec)
    require(spec.better in ("lower", "higher"), f"better is 'lower' or 'higher'; it is {spec.better!r}")
    number = float(measurement.value)
    require(not math.isnan(number), "the value of a run that has just begun is not a number")
    if spec.percent:
        require(0 <= number <= 1, f"a figure that reads as a percentage is a fraction of 1; it is {number:g}")
    return f"{number:.4g} of a run of a few steps"


@CHECKS.add("protocol", "the protocol says in JSON how the figure was taken")
def protocol(subject: Subject) -> str:
    """Whoever repeats it needs it."""
    said = dict(_measured(subject).protocol)
    require(said, "the protocol is empty: name the number of samples, the reference, the seed")
    try:
        back = json.loads(json.dumps(said))
    except (TypeError, ValueError) as error:
        raise FaultError(f"the protocol cannot be written as JSON: {error}") from None
    require(back == said, f"the protocol changes on the way through JSON: {said} becomes {back}")
    return ", ".join(f"{name}: {each}" for name, each in said.items())


@CHECKS.add("seeds", "measured again, the figure is the same")
def seeds(subject: Subject) -> None:
    """By another instance, too."""
    done = _suitable(subject)
    first, second = (repr(float(made(subject).measure(done.view).value)) for _ in range(2))
    require(first == second, f"the same run measures {first} once and {second} the next time")


def _measured(subject: Subject) -> Measurement:
    measurement = made(subject).measure(_suitable(subject).view)
    require(isinstance(measurement, Measurement), f"measure gives a {type(measurement).__name__}, not a Measurement")
    return measurement


def _suitable(subject: Subject) -> Finished:
    """A run that the metric does not refuse."""

    def accepted(done: Finished) -> Finished:
        made(subject).measure(done.view)
        return done

    return subject.once("run", lambda: on_some_run(subject, accepted))
