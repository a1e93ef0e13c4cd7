"""Figures of several trainings from several seeds, compared: means, intervals, and what follows from them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genframe.analysis.intervals import Interval, of_seeds
from genframe.experiments import Evidence, Table, Verdict
from genframe.interfaces import Picture


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A figure that every training of a comparison is asked for.

    Attributes:
        metric: its name.
        title: as a column is headed.
        settings: of the metric.
        percent: whether it reads best as a percentage.
    """

    metric: str
    title: str
    settings: Mapping[str, Any]
    percent: bool = False

    def values(self, evidence: Evidence, training: str, *, noise: str | None = None) -> list[float]:
        """One a seed."""
        return [
            evidence.measure(training, seed, self.metric, noise=noise, **self.settings).value for seed in evidence.seeds
        ]

    def said(self, values: Sequence[float]) -> str:
        """The mean of the seeds, with a 95% interval where there are several."""
        return with_interval(statistics.fmean(values), of_seeds(values), self.percent)


def with_interval(value: float, interval: Interval | None, percent: bool = False) -> str:
    """``3.1% [2.8%, 3.4%]``."""
    if interval is None or math.isnan(value):
        return shown(value, percent)
    return f"{shown(value, percent)} [{shown(interval[0], percent)}, {shown(interval[1], percent)}]"


def shown(value: float, percent: bool = False) -> str:
    """Three digits, or a percentage to a hundredth; what is no number has diverged."""
    if math.isnan(value):
        return "diverged"
    return f"{value:.2%}" if percent else f"{value:.3g}"


def opposite(verdict: Verdict) -> Verdict:
    """Of the claim that the contrary holds."""
    opposites: Mapping[Verdict, Verdict] = {"confirmed": "refuted", "refuted": "confirmed"}
    return opposites.get(verdict, "undecided")


def table(
    title: str, evidence: Evidence, asked: Sequence[Asked], rows: Mapping[str, Mapping[str, Sequence[float]]]
) -> Table:
    """A row a variant, a column a figure.

    Args:
        title: of the table.
        evidence: whose seeds count.
        asked: the figures.
        rows: the values of each variant, by the figure's title.
    """
    return Table(
        title=f"{title}; mean of {len(evidence.seeds)} seeds [95% by Student's t]",
        columns=("", *(each.title for each in asked)),
        rows=[(name, *(each.said(values[each.title]) for each in asked)) for name, values in rows.items()],
    )


def measured(evidence: Evidence, trainings: Sequence[str], asked: Sequence[Asked]) -> dict[str, dict[str, list[float]]]:
    """The values of each training, by the figure's title, one a seed."""
    return {name: {each.title: each.values(evidence, name) for each in asked} for name in trainings}


def grids(evidence: Evidence, trainings: Sequence[str], columns: int = 10) -> dict[str, Picture]:
    """Samples by class of each training, of the first seed."""
    seed = evidence.seeds[0]
    return {
        f"{name}, seed {seed}": evidence.draw(name, seed, "class-grid", columns=columns, smooth=False)
        for name in trainings
        if evidence.outcome(name, seed) == "finished"
    }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much the first exceeds the second, paired by seed.

    Attributes:
        mean: of the differences.
        interval: 95%, by Student's t; None for one seed, of which nothing follows.
    """

    mean: float
    interval: Interval | None

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> Difference:
        """Of values one a seed."""
        differences = [a - b for a, b in zip(first, second, strict=True)]
        return cls(mean=statistics.fmean(differences), interval=of_seeds(differences))

    def is_above(self) -> Verdict:
        """Of the claim that the first is larger."""
        if self.interval is None or not (self.interval[0] > 0.0 or self.interval[1] < 0.0):
            return "undecided"  # also of what is no number
        return "confirmed" if self.interval[0] > 0.0 else "refuted"

    def is_at_most(self, margin: float) -> Verdict:
        """Of the claim that the first exceeds the second by no more than a margin."""
        if self.interval is None:
            return "undecided"
        low, high = self.interval
        if high <= margin:
            return "confirmed"
        return "refuted" if low > margin else "undecided"

    def is_within(self, margin: float) -> Verdict:
        """Of the claim that the two are alike: the interval lies within the margin, or beyond it."""
        if self.interval is None:
            return "undecided"
        low, high = self.interval
        if -margin <= low and high <= margin:
            return "confirmed"
        return "refuted" if low > margin or high < -margin else "undecided"

    def said(self, percent: bool = False) -> str:
        """With its interval."""
        return with_interval(self.mean, self.interval, percent)
