"""What a budget leaves of each training."""

from __future__ import annotations

import pytest

from genframe.experiments import Training
from genframe.reproducing.schedule import TRAINING_SHARE, affordable


def training(steps: int, **fields) -> Training:
    return Training(recipe="cdcgan", steps=steps, **fields)


def test_a_large_budget_leaves_the_full_schedule():
    trainings = {"a": training(1234), "b": training(7)}
    assert affordable(trainings, {"a": 0.01, "b": 0.1}, 3, 1e6) == {"a": 1234, "b": 7}


def test_time_is_dealt_out_evenly_and_what_is_left_over_goes_to_the_others():
    trainings = {"short": training(100), "long": training(100_000), "longer": training(100_000)}
    seconds = {"short": 0.01, "long": 0.01, "longer": 0.02}
    steps = affordable(trainings, seconds, 2, 200 / TRAINING_SHARE)
    assert steps["short"] == 100  # 2 of 200 seconds; 99 are left to each of the others
    assert steps["long"] == 4950
    assert steps["longer"] == 2470  # 2,475 to three digits
    assert sum(steps[name] * seconds[name] * 2 for name in trainings) <= 200


def test_no_training_goes_below_its_least_and_none_beyond_its_schedule():
    trainings = {"a": training(1000, least=50), "b": training(20, least=50)}
    assert affordable(trainings, {"a": 1.0, "b": 1.0}, 1, 1e-3) == {"a": 50, "b": 20}


def test_branches_keep_their_length_in_proportion_to_their_origin():
    trainings = {
        "origin": training(100),
        "left": training(1000, origin="origin"),
        "right": training(1000, origin="origin"),
    }
    # 100 + 2 * 900 steps of a second each are paid for
    steps = affordable(trainings, dict.fromkeys(trainings, 1.0), 1, 950 / TRAINING_SHARE)
    assert steps == {"origin": 50, "left": 500, "right": 500}


@pytest.mark.parametrize("budget", [1e-6, 1.0, 10.0])
def test_a_branch_always_goes_beyond_its_origin(budget):
    trainings = {"origin": training(30), "branch": training(60, origin="origin")}
    steps = affordable(trainings, dict.fromkeys(trainings, 1.0), 1, budget)
    assert 1 <= steps["origin"] < steps["branch"] <= 60
