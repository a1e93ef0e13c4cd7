"""Must both networks learn at an equal pace?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import RatioSettings
from genframe_experiments.comparing import Asked, Difference, grids, measured, table
from genframe_experiments.small import small

_RATIOS: Mapping[str, tuple[int, int]] = {
    f"{critic} : {generator}": (critic, generator) for critic, generator in ((5, 1), (2, 1), (1, 1), (1, 2), (1, 5))
}
_EQUAL = "1 : 1"


class UpdateRatio:
    """Critic's to generator's updates from 5 to 1 to 1 to 5, the sum of both alike."""

    def __init__(self, settings: RatioSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """Each batch serves one update, so that equal steps are equal updates."""
        return {
            ratio: small(
                self._settings.data,
                self._settings.steps,
                algorithm__updates=["critic"] * critic + ["generator"] * generator,
                algorithm__one_update_per_batch=True,
            )
            for ratio, (critic, generator) in _RATIOS.items()
        }

    def conclude(self, evidence: Evidence) -> Report:
        """The equal pace against each other one."""
        count = self._settings.samples
        asked = (
            Asked(metric="nn1", title="1-NN error", settings={"count": count}, percent=True),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
            Asked(metric="diversity", title="diversity within a class", settings={"count": count}),
        )
        rows = measured(evidence, list(_RATIOS), asked)
        equal = rows[_EQUAL]["1-NN error"]
        findings = []
        for ratio in (each for each in _RATIOS if each != _EQUAL):
            other = rows[ratio]["1-NN error"]
            difference = Difference.of(other, equal)
            findings.append(
                Finding(
                    claim=f"At a pace of {ratio} (critic's to generator's updates) samples are worse than at {_EQUAL}.",
                    source="the article: both must learn at an equal pace",
                    measured=f"1-NN error {asked[0].said(other)} and {asked[0].said(equal)}",
                    verdict=difference.is_above(),
                    reason=f"Its error exceeds that of {_EQUAL} by {difference.said(percent=True)}, paired by seed.",
                )
            )
        best = min(rows, key=lambda ratio: statistics.fmean(rows[ratio]["1-NN error"]))
        return Report(
            question="The article asks that generator and critic learn at an equal pace. Is 1 : 1 the best ratio?",
            protocol=f"Small conditional DCGANs on {self._settings.data}; each batch serves one update, so that all "
            f"have as many updates in sum. {count:,} samples.",
            findings=findings,
            tables=[table("By critic's to generator's updates", evidence, asked, rows)],
            pictures=grids(evidence, list(rows)),
            notes=[
                f"By the mean of the seeds {best} is best at equal updates.",
                "One pair of learning rates serves all ratios; the ratio of the rates is a pace, too.",
            ],
        )
