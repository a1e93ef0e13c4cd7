"""Is a z of few numbers worse, and are its samples more alike?"""

from __future__ import annotations

from collections.abc import Mapping

from genframe.errors import ConfigError
from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import DimensionSettings
from genframe_experiments.comparing import Asked, Difference, grids, measured, table
from genframe_experiments.small import small


class NoiseDimension:
    """The same networks with z of 2, 10 and 100 numbers."""

    def __init__(self, settings: DimensionSettings) -> None:
        if len(settings.dimensions) < 2 or min(settings.dimensions) < 1:
            raise ConfigError(f"dimensions lists at least two sizes of z, from 1 on; got {list(settings.dimensions)}")
        self._dimensions = sorted(settings.dimensions)
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """One a dimension."""
        settings = self._settings
        return {f"z of {dim}": small(settings.data, settings.steps, noise__dim=dim) for dim in self._dimensions}

    def conclude(self, evidence: Evidence) -> Report:
        """By diversity within classes, and by the 1-NN error."""
        asked = (
            Asked(metric="diversity", title="diversity within a class", settings={"count": self._settings.samples}),
            Asked(metric="nn1", title="1-NN error", settings={"count": self._settings.samples}, percent=True),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
        )
        rows = measured(evidence, list(self.trainings), asked)
        findings = []
        largest = f"z of {self._dimensions[-1]}"
        for dim in self._dimensions[:-1]:
            name = f"z of {dim}"
            diversity, error = (
                Difference.of(rows[larger][each.title], rows[smaller][each.title])
                for each, larger, smaller in ((asked[0], largest, name), (asked[1], name, largest))
            )
            findings += [
                Finding(
                    claim=f"Samples from a {name} are more alike than from a {largest}.",
                    source="the article, on z of 10 and 100",
                    measured=f"diversity {asked[0].said(rows[name][asked[0].title])} and "
                    f"{asked[0].said(rows[largest][asked[0].title])}; difference {diversity.said()}",
                    verdict=diversity.is_above(),
                    reason=f"The diversity of the {largest} exceeds that of the {name} by {diversity.said()}, paired "
                    "by seed; 1 is as diverse as real digits of a class.",
                ),
                Finding(
                    claim=f"Samples from a {name} are worse than from a {largest}.",
                    source="the article, on z of 10 and 100",
                    measured=f"1-NN error {asked[1].said(rows[name][asked[1].title])} and "
                    f"{asked[1].said(rows[largest][asked[1].title])}",
                    verdict=error.is_above(),
                    reason=f"The error of the {name} exceeds that of the {largest} by {error.said(percent=True)}.",
                ),
            ]
        return Report(
            question="The article shows samples from z of 10 and of 100 numbers and finds the former more alike. How "
            "many numbers does z need?",
            protocol=f"Small conditional DCGANs on {self._settings.data}, alike in all but the size of z (uniform on "
            f"[-1, 1]). Of {self._settings.samples:,} samples: the mean distance of two of a class in proportion to "
            "that of held-out pictures, and the error of a 1-nearest-neighbour classifier that knows the samples only.",
            findings=findings,
            tables=[table("By the size of z", evidence, asked, rows)],
            pictures=grids(evidence, list(rows)),
        )
