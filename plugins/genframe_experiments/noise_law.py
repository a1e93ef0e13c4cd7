"""Does a generator that was trained with uniform z make as good samples of other laws?"""

from __future__ import annotations

import math
from collections.abc import Mapping

from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import LawSettings
from genframe_experiments.comparing import Asked, Difference, table
from genframe_experiments.small import small

_NAME = "uniform in training"
_TRAINING_LAW = "uniform on [-1, 1], as in training"

#: Words of the table -> the law. A uniform number of [-1, 1] has the deviation 1 / sqrt(3).
_LAWS: Mapping[str, str | None] = {
    _TRAINING_LAW: None,
    "normal, of the same deviation": "mixture:components=1,spread=0.000001,deviation=0.57735",
    "standard normal": "gaussian",
    "normal, deviation 2": "mixture:components=1,spread=0.000001,deviation=2",
    "uniform on [-0.5, 0.5]": "uniform:low=-0.5,high=0.5",
    "uniform on [-2, 2]": "uniform:low=-2,high=2",
    "uniform on [0, 2]": "uniform:low=0,high=2",
    "on a sphere of the same length": "spherical:radius=5.7735",
}


class NoiseLaw:
    """One training; samples of other laws, of the same z's length and not."""

    def __init__(self, settings: LawSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """One."""
        return {_NAME: small(self._settings.data, self._settings.steps)}

    def conclude(self, evidence: Evidence) -> Report:
        """A law is compatible whose error is within 2 points of the training's law's."""
        asked = (
            Asked(metric="nn1", title="1-NN error", settings={"count": self._settings.samples}, percent=True),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
        )
        rows = {
            words: {each.title: each.values(evidence, _NAME, noise=law) for each in asked}
            for words, law in _LAWS.items()
        }
        own = rows[_TRAINING_LAW]["1-NN error"]
        claims = {
            "normal, of the same deviation": "Samples of a normal law are about as good as of the uniform one.",
            "standard normal": "Samples of the standard normal law are about as good as of the uniform one.",
        }
        findings = []
        for words, claim in claims.items():
            difference = Difference.of(rows[words]["1-NN error"], own)
            findings.append(
                Finding(
                    claim=claim,
                    source="the article, on the law of z at test time",
                    measured=f"1-NN error {asked[0].said(rows[words]['1-NN error'])} and {asked[0].said(own)}",
                    verdict=difference.is_at_most(0.02),
                    reason=f"It exceeds the training's law's by {difference.said(percent=True)}; within 2 points is "
                    "called as good.",
                )
            )
        for words in ("normal, deviation 2", "uniform on [-2, 2]", "uniform on [0, 2]", "uniform on [-0.5, 0.5]"):
            difference = Difference.of(rows[words]["1-NN error"], [value + 0.02 for value in own])
            findings.append(
                Finding(
                    claim=f"Samples of another law ({words}) fail.",
                    source="the article, on the law of z at test time",
                    measured=f"1-NN error {asked[0].said(rows[words]['1-NN error'])} and {asked[0].said(own)}",
                    verdict=difference.is_above(),
                    reason=f"Beyond 2 points more than the training's law's, it exceeds it by "
                    f"{difference.said(percent=True)}.",
                )
            )
        return Report(
            question="The article finds that a generator trained with uniform z makes about as good samples of normal "
            "z, and that other laws fail. Which laws does it bear?",
            protocol=f"Small conditional DCGANs on {self._settings.data}, trained with z of 100 numbers uniform on "
            f"[-1, 1] and sampled by other laws; {self._settings.samples:,} samples each. Such a z has a length of "
            f"about {math.sqrt(100 / 3):.2f}.",
            findings=findings,
            tables=[table("By the law at sampling", evidence, asked, rows)],
            pictures={
                words: evidence.draw(_NAME, evidence.seeds[0], "class-grid", noise=law, columns=10, smooth=False)
                for words, law in _LAWS.items()
            },
        )
