"""Does it matter which network is updated first?"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from genframe.analysis.intervals import mcnemar
from genframe.analysis.labelled import label_name, wrong_by_nearest
from genframe.experiments import Evidence, Finding, Report, Table, Training
from genframe.interfaces import RunView
from genframe_experiments import OrderSettings
from genframe_experiments.comparing import Asked, Difference, measured, table
from genframe_experiments.small import small

_ORIGIN = "common beginning"
_ORDERS: Mapping[str, tuple[str, ...]] = {
    "critic first": ("critic", "generator"),
    "generator first": ("generator", "critic"),
}

#: Errors that differ by less are called alike.
_MARGIN = 0.01


class UpdateOrder:
    """Two branches of one run: from the same bits on, one has the critic first, the other the generator."""

    def __init__(self, settings: OrderSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """The beginning is a tenth of the whole."""
        data, steps = self._settings.data, self._settings.steps
        branches = {
            order: small(data, steps, algorithm__updates=list(updates), origin=_ORIGIN)
            for order, updates in _ORDERS.items()
        }
        return {_ORIGIN: small(data, max(steps // 10, 1)), **branches}

    def conclude(self, evidence: Evidence) -> Report:
        """By McNemar's test on the same queries for each seed, and by the interval of all seeds' differences."""
        count = self._settings.samples
        asked = (
            Asked(metric="nn1", title="1-NN error", settings={"count": count}, percent=True),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
        )
        rows = measured(evidence, list(_ORDERS), asked)
        first, second = (rows[order]["1-NN error"] for order in _ORDERS)
        difference = Difference.of(first, second)
        tests = [self._test(evidence, seed) for seed in evidence.seeds]
        verdict = difference.is_within(_MARGIN)
        return Report(
            question="The article says that the order of the two updates seems not to matter (its text has the "
            "generator first, its code the critic). Does it?",
            protocol=f"A small conditional DCGAN on {self._settings.data} is trained for a tenth of its steps, critic "
            "first; from its exact state two branches go on, alike in all but the order. Each batch serves both "
            f"updates. Of {count:,} samples, the 1-NN error on the same held-out pictures.",
            findings=[
                Finding(
                    claim="The order of the updates does not matter.",
                    source="the article, on training",
                    measured=f"1-NN error {asked[0].said(first)} with the critic first, {asked[0].said(second)} with "
                    "the generator first",
                    verdict=verdict,
                    reason=f"They differ by {difference.said(percent=True)}, paired by seed; within {_MARGIN:.0%} is "
                    f"called alike. McNemar's p of each seed: {', '.join(f'{p:.3g}' for p in tests)}.",
                )
            ],
            tables=[
                table("By the order", evidence, asked, rows),
                Table(
                    title="McNemar's test of the two branches on the same queries",
                    columns=("seed", "critic first", "generator first", "p"),
                    rows=[
                        (str(seed), f"{a:.2%}", f"{b:.2%}", f"{p:.3g}")
                        for seed, a, b, p in zip(evidence.seeds, first, second, tests, strict=True)
                    ],
                ),
            ],
            notes=["McNemar's test tells whether two runs differ, not whether their order is why: so do two seeds."],
        )

    def _test(self, evidence: Evidence, seed: int) -> float:
        count, queries = self._settings.samples, 0

        def ask(view: RunView) -> dict[str, object]:
            wrong = wrong_by_nearest(view, count, label_name(view.trained.problem, "update-order"))
            return {"queries": len(wrong), "wrong": wrong.nonzero()[:, 0].tolist()}

        masks = []
        for order in _ORDERS:
            answer = evidence.remember(order, seed, f"queries that 1-NN with {count} samples reads wrongly", ask)
            queries = answer["queries"]
            masks.append(torch.zeros(queries, dtype=torch.bool).index_fill(0, torch.tensor(answer["wrong"]), True))
        return mcnemar(*masks)
