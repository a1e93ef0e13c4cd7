"""Intervals against closed forms and known values, and McNemar's test against the binomial law by hand."""

from __future__ import annotations

import math

import pytest
import torch

from genframe.analysis.intervals import bootstrap, bootstrap_mean, mcnemar, of_seeds, wilson
from genframe.randomness import derive_key, normal


def test_wilson_is_the_score_interval():
    # (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), by hand
    z, n, p = 1.959963984540054, 10_000, 0.0298
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = wilson(298, n)
    assert low == pytest.approx((centre - spread) / (1 + z * z / n), abs=1e-9)
    assert high == pytest.approx((centre + spread) / (1 + z * z / n), abs=1e-9)


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (5, 5), (0, 1)])
def test_wilson_stays_within_probabilities_and_is_never_a_point(successes, count):
    low, high = wilson(successes, count)
    assert 0 <= low < high <= 1


def test_three_seeds_have_students_interval():
    # t(0.975, 2) = 4.302652729911275; deviation of 1, 2, 3 is 1
    half = 4.302652729911275 / math.sqrt(3)
    assert of_seeds([1.0, 2.0, 3.0]) == pytest.approx((2 - half, 2 + half))


def test_one_seed_has_no_interval():
    assert of_seeds([1.0]) is None


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    values = normal(torch.arange(4000), (1,), derive_key(0, "test"))[:, 0]
    low, high = bootstrap_mean(values, "test")
    half = 1.96 * float(values.std()) / math.sqrt(len(values))
    assert low == pytest.approx(float(values.mean()) - half, abs=0.15 * half)
    assert high == pytest.approx(float(values.mean()) + half, abs=0.15 * half)


def test_the_bootstrap_repeats_itself_and_differs_by_purpose():
    values = torch.arange(50.0)

    def of(purpose):
        return bootstrap(lambda places: float(values[places].median()), 50, purpose, resamples=50)

    assert of("a") == of("a") != of("b")


def test_mcnemar_counts_only_what_one_knows_and_the_other_does_not():
    wrong = torch.tensor([True] * 8 + [False] * 2 + [True] * 5 + [False] * 85)
    other = torch.tensor([False] * 8 + [True] * 2 + [True] * 5 + [False] * 85)
    # 8 against 2 of 10: 2 * (C(10,0) + C(10,1) + C(10,2)) / 2**10
    assert mcnemar(wrong, other) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(wrong, other) == mcnemar(other, wrong)


def test_mcnemar_of_equal_errors_is_one():
    wrong = torch.tensor([True, False, True])
    assert mcnemar(wrong, wrong) == 1.0


def test_mcnemar_wants_the_same_queries():
    with pytest.raises(ValueError, match="same for both"):
        mcnemar(torch.ones(3, dtype=torch.bool), torch.ones(4, dtype=torch.bool))
