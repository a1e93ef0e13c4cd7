"""Schedules of the optimizers' settings, and how long a run is."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import nn

from genframe.errors import ConfigError
from genframe.training.length import Length
from genframe.training.schedules import Schedules
from genframe.training_settings import Schedule, TrainingSettings, training_settings


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), {0.0: 1.0, 0.5: 1.0, 1.0: 1.0}),
        (Schedule(shape="linear"), {0.0: 1.0, 0.25: 0.75, 1.0: 0.0}),
        (Schedule(shape="linear", begin=0.5, to=0.2), {0.4: 1.0, 0.5: 1.0, 0.75: 0.6, 1.0: 0.2}),
        (Schedule(shape="linear", end=0.5, to=1.4), {0.25: 1.2, 0.5: 1.4, 1.0: 1.4}),
        (Schedule(shape="cosine"), {0.0: 1.0, 0.5: 0.5, 1 / 3: 0.75, 1.0: 0.0}),
        (Schedule(shape="exponential", to=0.01), {0.0: 1.0, 0.5: 0.1, 1.0: 0.01}),
    ],
)
def test_a_schedule_has_its_textbook_values(schedule: Schedule, expected: dict[float, float]) -> None:
    assert {at: schedule.factor(at) for at in expected} == pytest.approx(expected, abs=1e-12)


def adam() -> torch.optim.Adam:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1e-3, 4e-3)]
    return torch.optim.Adam(groups)


def test_every_group_keeps_its_own_beginning() -> None:
    optimizer = adam()
    schedules = Schedules([optimizer], TrainingSettings(lr_schedule=Schedule(shape="linear")))
    for step, progress in ((0, 0.0), (5, 0.5), (10, 1.0)):
        schedules.set(step, progress)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([1e-3 * (1 - progress), 4e-3 * (1 - progress)])


def test_a_rate_that_changes_every_so_many_steps_stands_in_between() -> None:
    optimizer = adam()
    schedules = Schedules([optimizer], TrainingSettings(lr_schedule=Schedule(shape="linear", every=4)))
    seen = []
    for step in range(12):
        schedules.set(step, step / 12)
        seen.append(optimizer.param_groups[0]["lr"] / 1e-3)
    assert seen == pytest.approx([1.0] * 4 + [2 / 3] * 4 + [1 / 3] * 4)


def test_momentum_follows_a_schedule_of_its_own() -> None:
    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1, momentum=0.5)
    Schedules([sgd], TrainingSettings(momentum_schedule=Schedule(shape="linear", to=1.4))).set(1, 1.0)
    assert (sgd.param_groups[0]["lr"], sgd.param_groups[0]["momentum"]) == (0.1, pytest.approx(0.7))


def test_a_schedule_of_what_no_optimizer_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.momentum_schedule: no optimizer .* has a momentum"):
        Schedules([adam()], TrainingSettings(momentum_schedule=Schedule(shape="linear")))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"shape": "sawtooth"}, r"training.lr_schedule.shape .*sawtooth"),
        ({"shape": "linear", "begin": 0.6, "end": 0.5}, r"training.lr_schedule goes from begin = 0.6 to end = 0.5"),
        ({"shape": "linear", "begin": -0.1}, r"shares of the run"),
        ({"shape": "linear", "end": 1.5}, r"shares of the run"),
        ({"shape": "linear", "to": -1.0}, r"training.lr_schedule.to is a finite factor"),
        ({"shape": "linear", "to": math.inf}, r"training.lr_schedule.to is a finite factor"),
        ({"shape": "exponential"}, r"never reaches 0"),
        ({"shape": "linear", "every": 0}, r"training.lr_schedule.every"),
        ({"shap": "linear"}, r"training.lr_schedule.shap"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_by_its_path(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        training_settings({"lr_schedule": raw})


def test_so_many_steps_are_done_exactly_at_the_last_one() -> None:
    for steps in (1, 3, 7, 49, 1_000_003):
        length = Length(TrainingSettings(steps=steps))
        assert length.progress(0) == 0.0
        assert length.progress(steps - 1) < 1.0
        assert length.progress(steps) == 1.0


def test_minutes_pass_by_the_clock_whatever_the_steps() -> None:
    length = Length(TrainingSettings(steps=None, minutes=0.001))
    early = length.progress(1_000_000)
    time.sleep(0.07)
    assert early < 1.0 == length.progress(0)
    assert str(length) == "0.001 minutes"
