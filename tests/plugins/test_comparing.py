"""What follows from figures of several seeds."""

from __future__ import annotations

import pytest

from genframe_experiments.comparing import Difference, opposite, with_interval

NAN = float("nan")


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([3.0, 3.1, 3.2], [1.0, 1.1, 1.2], "confirmed"),
        ([1.0, 1.1, 1.2], [3.0, 3.1, 3.2], "refuted"),
        ([1.0, 3.0, 2.0], [2.0, 1.0, 3.0], "undecided"),
        ([1.0, 1.0], [1.0, 1.0], "undecided"),
        ([9.0], [1.0], "undecided"),
        ([NAN, 3.0], [1.0, 1.0], "undecided"),
    ],
)
def test_one_is_above_the_other_if_the_interval_of_the_differences_is(first, second, verdict):
    assert Difference.of(first, second).is_above() == verdict
    assert Difference.of(second, first).is_above() == opposite(verdict)


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        ([1.0, 1.01, 0.99], "confirmed"),
        ([2.0, 2.01, 1.99], "refuted"),
        ([0.0, 1.0, 2.0], "undecided"),
        ([1.0], "undecided"),
        ([NAN, 1.0], "undecided"),
    ],
)
def test_two_are_alike_if_the_interval_lies_within_the_margin(first, verdict):
    assert Difference.of(first, [1.0] * len(first)).is_within(0.1) == verdict


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        ((0.9, 1.0, 1.1), "confirmed"),
        ((-5.0, -5.1, -5.2), "confirmed"),
        ((9.0, 9.1, 9.2), "refuted"),
        ((0, 4, 8), "undecided"),
    ],
)
def test_a_claim_of_no_more_than_a_margin_is_one_sided(first, verdict):
    assert Difference.of(first, (0.0, 0.0, 0.0)).is_at_most(2.0) == verdict


def test_what_diverged_is_called_so_and_decides_nothing():
    nan = float("nan")
    assert with_interval(nan, (nan, nan)) == "diverged"
    assert Difference.of((nan, 1.0), (0.0, 0.0)).is_at_most(1.0) == "undecided"
