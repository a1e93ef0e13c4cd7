"""Do vectors of z carry attributes, as in "glasses - no glasses + another face"?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from genframe.errors import ConfigError
from genframe.experiments import Evidence, Finding, Report, Training
from genframe.interfaces import Picture
from genframe_experiments import ArithmeticSettings
from genframe_experiments.comparing import Asked, Difference, table

_NAME = "faces from noise"


class Arithmetic:
    """An unconditional GAN of drawn faces, whose attributes are known exactly."""

    def __init__(self, settings: ArithmeticSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """One."""
        return {
            _NAME: Training(
                recipe="resgan",
                steps=self._settings.steps,
                data="emoticons",
                flags={"conditioning": "none", "regularizer": ("r1",), "lr": 1e-3},
                least=50,
            )
        }

    def conclude(self, evidence: Evidence) -> Report:
        """The score beside that of random triples."""
        asked = Asked(
            metric="arithmetic-score", title="exactly right", settings={"count": self._settings.triples}, percent=True
        )
        figures = [evidence.measure(_NAME, seed, asked.metric, **asked.settings) for seed in evidence.seeds]
        own = [figure.value for figure in figures]
        random = [float(figure.protocol["random_triples"]) for figure in figures]
        difference = Difference.of(own, random)
        readers = statistics.fmean(float(figure.protocol["classifier_accuracy"]) for figure in figures)
        return Report(
            question="The DCGAN paper adds and subtracts mean z of faces: smiling woman - neutral woman + neutral man "
            "= smiling man. How often does such arithmetic give exactly the wanted attributes?",
            protocol="Faces are drawn with independent attributes, which the GAN is never told. A classifier that was "
            "trained on real faces reads samples; three z each of A, B and C are averaged. A triple counts where the "
            "result is read to have all of C's attributes but the one that A has and B has not. Beside it, the same "
            "with A and B drawn at random.",
            findings=[
                Finding(
                    claim="Arithmetic on z carries an attribute over, and leaves the others.",
                    source="Radford et al. 2016, figure 7, which has pictures and no figure",
                    measured=f"{asked.said(own)} of triples exactly right; {asked.said(random)} of random ones",
                    verdict=difference.is_above(),
                    reason=f"It exceeds chance by {difference.said(percent=True)}, paired by seed.",
                )
            ],
            tables=[
                table(
                    "Triples that came out exactly right",
                    evidence,
                    [asked],
                    {"arithmetic": {asked.title: own}, "random triples": {asked.title: random}},
                )
            ],
            pictures=_picture(evidence),
            notes=[
                f"The classifier reads {readers:.1%} of real held-out attributes rightly; what it misreads counts as "
                "wrong."
            ],
        )


def _picture(evidence: Evidence) -> dict[str, Picture]:
    """One question as a sheet; none where the run shows too few of the samples that it is about."""
    words: dict[str, Any] = {"a": ["glasses", "smile"], "b": ["smile"], "c": ["hat"]}
    try:
        return {"Glasses and smile - smile + hat": evidence.draw(_NAME, evidence.seeds[0], "arithmetic", **words)}
    except ConfigError:
        return {}
