"""Is a conditional GAN more real than an unconditional one?"""

from __future__ import annotations

from collections.abc import Mapping

from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import ConditionalSettings
from genframe_experiments.comparing import Asked, Difference, measured, table
from genframe_experiments.small import small

_WITH, _WITHOUT = "with labels", "without labels"


class ConditionalOrNot:
    """The same networks and steps, with labels in every layer and with none."""

    def __init__(self, settings: ConditionalSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """Two."""
        data, steps = self._settings.data, self._settings.steps
        return {_WITH: small(data, steps), _WITHOUT: small(data, steps, conditioning="none")}

    def conclude(self, evidence: Evidence) -> Report:
        """By figures that ask for no labels."""
        count = self._settings.samples
        asked = (
            Asked(metric="precision", title="precision", settings={"count": count}, percent=True),
            Asked(metric="recall", title="recall", settings={"count": count}, percent=True),
            Asked(metric="fd-classifier", title="Fréchet distance", settings={"count": count}),
            Asked(metric="mmd-classifier", title="MMD", settings={"count": count}),
        )
        rows = measured(evidence, [_WITH, _WITHOUT], asked)
        claims = (
            ("precision", "Samples of the conditional GAN lie more often among real ones (precision).", 1.0),
            ("Fréchet distance", "Samples of the conditional GAN are distributed more like real ones.", -1.0),
        )
        findings = []
        for title, claim, sign in claims:
            with_labels, without = ([sign * value for value in rows[name][title]] for name in (_WITH, _WITHOUT))
            difference = Difference.of(with_labels, without)
            (column,) = (each for each in asked if each.title == title)
            findings.append(
                Finding(
                    claim=claim,
                    source="the article, on what labels bring",
                    measured=f"{title} {column.said(rows[_WITH][title])} with labels, "
                    f"{column.said(rows[_WITHOUT][title])} without",
                    verdict=difference.is_above(),
                    reason=f"With labels it is better by {difference.said(column.percent)}, paired by seed.",
                )
            )
        return Report(
            question="The article holds that labels make samples more real. At equal networks and steps, do they?",
            protocol=f"Small DCGANs on {self._settings.data}, one with the label among the inputs of every layer, one "
            f"without; {count:,} samples against as many real held-out ones, in the features of a classifier that was "
            "trained on real data alone. Labels take turns among the conditional samples, as in the data.",
            findings=findings,
            tables=[table("With labels and without", evidence, asked, rows)],
            notes=["The classifier's features tell classes apart, which may favour the GAN that was told them."],
        )
