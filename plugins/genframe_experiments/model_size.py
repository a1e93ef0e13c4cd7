"""Do samples first improve and then blur as the networks grow?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from genframe.errors import ConfigError
from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import SizeSettings
from genframe_experiments.comparing import Asked, Difference, grids, measured, table
from genframe_experiments.small import small

#: The full-size network of the published code has 64 and 128 channels and a dense layer of 1,024.
_HIDDEN_A_CHANNEL = 16


class ModelSize:
    """The same training on networks from 4 to 64 channels."""

    def __init__(self, settings: SizeSettings) -> None:
        if len(settings.widths) < 3 or min(settings.widths) < 1:
            raise ConfigError(f"widths lists at least three sizes of networks, from 1 on; got {list(settings.widths)}")
        self._settings, self._widths = settings, sorted(settings.widths)

    @property
    def trainings(self) -> Mapping[str, Training]:
        """One a width."""
        return {
            f"width {width}": small(
                self._settings.data,
                self._settings.steps,
                architecture__width=width,
                architecture__hidden=_HIDDEN_A_CHANNEL * width,
            )
            for width in self._widths
        }

    def conclude(self, evidence: Evidence) -> Report:
        """By the 1-NN error and the Fréchet distance of a classifier's features."""
        samples = self._settings.samples
        asked = (
            Asked(metric="nn1", title="1-NN error", settings={"count": samples}, percent=True),
            Asked(metric="fd-classifier", title="Fréchet distance", settings={"count": samples}),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
        )
        rows = measured(evidence, list(self.trainings), asked)
        title = asked[0].title
        best = min(rows, key=lambda name: statistics.fmean(rows[name][title]))
        smallest, largest = f"width {self._widths[0]}", f"width {self._widths[-1]}"
        improves = Difference.of(rows[smallest][title], rows[best][title])
        worsens = Difference.of(rows[largest][title], rows[best][title])
        findings = [
            Finding(
                claim="Up to some size, larger networks make better samples.",
                source="the article, on the size of the model",
                measured=f"1-NN error {asked[0].said(rows[smallest][title])} of {smallest}, "
                f"{asked[0].said(rows[best][title])} of {best}",
                verdict="refuted" if best == smallest else improves.is_above(),
                reason=f"The smallest network's error exceeds the best one's by {improves.said(percent=True)}.",
            ),
            Finding(
                claim="Networks that outgrow their data make worse samples again.",
                source="the article, on the size of the model",
                measured=f"1-NN error {asked[0].said(rows[largest][title])} of {largest}, "
                f"{asked[0].said(rows[best][title])} of {best}",
                verdict="refuted" if best == largest else worsens.is_above(),
                reason="The largest network is the best one."
                if best == largest
                else f"The largest network's error exceeds the best one's by {worsens.said(percent=True)}; the best "
                "one was chosen by the same figures, which favours the claim.",
            ),
        ]
        return Report(
            question="The article holds that as a GAN's networks outgrow one that classifies the same data, samples "
            "first improve and then blur. Do they?",
            protocol=f"Conditional DCGANs on {self._settings.data} with 4 to 64 channels in the largest hidden picture "
            f"(twice as many in the smaller one, a dense layer of {_HIDDEN_A_CHANNEL} times as many), equal steps, one "
            f"rate for all. {samples:,} samples.",
            findings=findings,
            tables=[table("By the size of the networks", evidence, asked, rows)],
            pictures=grids(evidence, [smallest, best, largest]),
            notes=["One learning rate serves all sizes; a rate tuned for each could change the order."],
        )
