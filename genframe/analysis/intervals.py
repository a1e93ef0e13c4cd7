"""How sure a figure is: 95% intervals, and whether two error rates on the same queries differ.

Resampling draws from `genframe.randomness`, so that a figure's interval is as repeatable as the figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from scipy.stats import binomtest, t
from torch import Tensor

from genframe.randomness import derive_key

#: Of all intervals here.
CONFIDENCE = 0.95

Interval = tuple[float, float]


def wilson(successes: int, count: int) -> Interval:
    """Of the probability of success, by `count` independent trials; Wilson, "Probable inference", 1927.

    Raises:
        ValueError: no trial, or more successes than trials.
    """
    interval = binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def of_seeds(values: Sequence[float]) -> Interval | None:
    """Of the mean of figures from independent seeds, by Student's t; None for fewer than two."""
    if len(values) < 2:
        return None
    values_N = torch.tensor(values, dtype=torch.float64)
    half = float(t.ppf((1.0 + CONFIDENCE) / 2.0, len(values) - 1) * values_N.std() / math.sqrt(len(values)))
    mean = float(values_N.mean())
    return mean - half, mean + half


def bootstrap(statistic: Callable[[Tensor], float], count: int, purpose: str, *, resamples: int = 1000) -> Interval:
    """Of a statistic of `count` samples: percentiles of what it is of resamples (Efron, 1979).

    Args:
        statistic: called with the places of a resample, ``int64 (count,)`` with repetitions.
        count: of samples, at least one.
        purpose: names the resampling; the same name draws the same resamples.
        resamples: how many.
    """
    rng = torch.Generator().manual_seed(derive_key(0, f"bootstrap {purpose}"))
    values = [statistic(torch.randint(count, (count,), generator=rng)) for _ in range(resamples)]
    return _percentiles(torch.tensor(values, dtype=torch.float64))


def bootstrap_mean(values: Tensor, purpose: str, *, resamples: int = 1000) -> Interval:
    """Of the mean of independent values ``(N,)``, by resampling them."""
    values_N = values.double()
    return bootstrap(lambda places: float(values_N[places].mean()), len(values_N), purpose, resamples=resamples)


def mcnemar(wrong: Tensor, wrong_too: Tensor) -> float:
    """The probability of a difference as large by chance alone, for two classifiers asked the same queries.

    McNemar, "Note on the sampling error of the difference between correlated proportions", 1947: only queries count on
    which one is wrong and the other is not; the exact binomial test of them, two-sided.

    Args:
        wrong: whether the first erred on each query, ``bool (Q,)``.
        wrong_too: whether the second did, ``bool (Q,)``.

    Returns:
        p in [0, 1]; 1 where they err on the same queries.

    Raises:
        ValueError: their numbers of queries differ.
    """
    if wrong.shape != wrong_too.shape:
        raise ValueError(f"the queries are the same for both; got {len(wrong)} and {len(wrong_too)}")
    first = int((wrong & ~wrong_too).sum())
    second = int((wrong_too & ~wrong).sum())
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def _percentiles(values: Tensor) -> Interval:
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = torch.quantile(values, torch.tensor([tail, 1.0 - tail], dtype=values.dtype)).tolist()
    return low, high
