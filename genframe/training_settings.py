"""Settings of the training itself, whatever the algorithm, and the ranges that they lie in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genframe.errors import ConfigError
from genframe.settings import validated

#: More threads than this crash the libraries below.
_MOST_THREADS = 1024


@dataclass(frozen=True)
class Cadence:
    """Every so many steps, or every so many seconds; and always at the last step."""

    steps: int | None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: int | str) -> Cadence:
        """``500`` is steps, ``"30s"`` seconds.

        Raises:
            ConfigError: it is neither.
        """
        digits = str(text).removesuffix("s")
        if not digits.isdecimal() or int(digits) < 1:
            raise ConfigError(f"training.checkpoint_every is a number of steps (500) or of seconds (30s); got {text!r}")
        return cls(None, float(digits)) if digits != str(text) else cls(int(digits))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a setting of the optimizers, such as the learning rate, changes in the course of a run.

    It begins at what the algorithm sets, and is multiplied by a factor that goes from 1 to `to`.

    Attributes:
        shape: ``linear``; ``cosine``, half a wave; ``exponential``, the same ratio each step; ``constant`` is none.
        begin, end: where it starts and where it is done, as shares of the run.
        to: the factor at the end.
        every: the factor changes every so many steps.
    """

    shape: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    begin: float = 0.0
    end: float = 1.0
    to: float = 0.0
    every: int = 1

    def factor(self, progress: float) -> float:
        """The factor after a share `progress`, in [0, 1], of the run."""
        done = min(max((progress - self.begin) / (self.end - self.begin), 0.0), 1.0)
        if self.shape == "linear":
            return 1.0 + (self.to - 1.0) * done
        if self.shape == "cosine":
            return 1.0 + (self.to - 1.0) * (1.0 - math.cos(math.pi * done)) / 2.0
        return float(self.to**done) if self.shape == "exponential" else 1.0


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of the training itself, whatever the algorithm.

    Attributes:
        steps: how many steps; ``epochs`` or ``minutes``, where one is given, decides instead.
        epochs: how many passes over the training part.
        minutes: how long, by the clock; how many steps that makes, no machine says twice.
        lr_schedule: of the learning rates.
        momentum_schedule: of SGD's momentum.
        init_from: a run directory or a checkpoint whose networks are where these begin.
        batch_size: samples a step; None is 64, or all training samples where there are fewer.
        ema: decay of the running average of the generator's weights, in [0, 1); with 0 the average is a mere copy.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of the networks' arithmetic. ``auto`` is bfloat16 on a GPU that has it and float32 elsewhere.
        backend: the kernels of the networks' blocks: ``torch``, ``triton``, ``hybrid`` or another's. ``auto`` is torch
            wherever nothing was measured to be faster.
        cuda_graphs: whether a GPU's steps are recorded and replayed where they can be; the losses are the same.
        recompute_activations: whether the backward computes activations again instead of keeping them: about half
            of what it keeps is saved, and no bit of the gradients changes.
        threads: of a run on the CPU. None decides by the size of the samples; what was decided is written down, since
            equal bytes need an equal number.
        workers: processes that read data; 0 reads in the training process.
        log_every, sample_every: in steps.
        evaluate_every: in steps; the run's metrics are measured so often, and not only at the end.
        keep_best: never delete the checkpoint that the first metric found best.
        checkpoint_every: in steps (``500``) or seconds (``"30s"``).
        keep_last: how many checkpoints to keep, at least 2.
    """

    steps: int | None = 1500
    epochs: float | None = None
    minutes: float | None = None
    lr_schedule: Schedule = Schedule()
    momentum_schedule: Schedule = Schedule()
    init_from: str | None = None
    batch_size: int | None = None
    ema: float = 0.999
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    backend: str = "auto"
    cuda_graphs: bool = True
    recompute_activations: bool = False
    threads: int | None = None
    workers: int = 0
    log_every: int = 25
    sample_every: int = 500
    evaluate_every: int | None = None
    keep_best: bool = False
    checkpoint_every: int | str = 500
    keep_last: int = 2

    def goes_beyond(self, step: int) -> bool:
        """Whether such a run makes more steps than so many; where the clock decides, it may."""
        return self.steps is None or self.steps > step


#: Their names.
TRAINING_KEYS = frozenset(field.name for field in dataclasses.fields(TrainingSettings))


def training_settings(raw: Any) -> TrainingSettings:
    """The settings from plain values.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of its range; the sentence begins with the key's path.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"training is a table of settings; got {raw!r}")
    settings: TrainingSettings = validated(TrainingSettings, raw, "training")
    if settings.threads is not None and not 1 <= settings.threads <= _MOST_THREADS:
        raise ConfigError(f"training.threads is from 1 to {_MOST_THREADS}; got {settings.threads}")
    _check_lowest(settings)
    Cadence.parse(settings.checkpoint_every)
    for key in ("epochs", "minutes"):
        length = getattr(settings, key)
        if length is not None and not 0 < length < math.inf:
            raise ConfigError(f"training.{key} is a finite number above 0; got {length}")
    if not 0 <= settings.ema < 1:
        raise ConfigError(f"training.ema is a decay in [0, 1); got {settings.ema}")
    if settings.keep_best and settings.evaluate_every is None:
        raise ConfigError("training.keep_best needs to know how often to look: give --evaluate-every STEPS")
    for key in ("lr_schedule", "momentum_schedule"):
        _check_schedule(f"training.{key}", getattr(settings, key))
    return settings


def _check_lowest(settings: TrainingSettings) -> None:
    lowest = {
        "steps": 1,
        "batch_size": 1,
        "workers": 0,
        "log_every": 1,
        "sample_every": 1,
        "evaluate_every": 1,
        "keep_last": 2,
    }
    for key, least in lowest.items():
        value = getattr(settings, key)
        if value is not None and value < least:
            raise ConfigError(f"training.{key} is at least {least}; got {value}")


def _check_schedule(path: str, schedule: Schedule) -> None:
    if not 0 <= schedule.begin < schedule.end <= 1:
        raise ConfigError(
            f"{path} goes from begin = {schedule.begin} to end = {schedule.end}; these are shares of the run with "
            "0 <= begin < end <= 1"
        )
    if not 0 <= schedule.to < math.inf:
        raise ConfigError(f"{path}.to is a finite factor, at least 0; got {schedule.to}")
    if schedule.shape == "exponential" and schedule.to == 0:
        raise ConfigError(f"{path} is exponential and never reaches 0: give it a factor, {path}.to=0.01")
    if schedule.every < 1:
        raise ConfigError(f"{path}.every is a number of steps, at least 1; got {schedule.every}")
