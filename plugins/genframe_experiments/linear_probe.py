"""The DCGAN paper's tables 1 and 2: what a critic's features are worth to a linear classifier."""

from __future__ import annotations

from collections.abc import Mapping

from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import ProbeSettings
from genframe_experiments.comparing import Asked, Difference, table

_NAME = "critic without labels"
_FEATURES: Mapping[str, str] = {
    "critic": "the critic's, pooled",
    "untrained": "the same, untrained",
    "pixels": "raw pixels",
    "kmeans": "k-means of patches",
    "autoencoder": "an autoencoder's",
}


class LinearProbe:
    """An unconditional DCGAN; its critic's features under a linear SVM, beside others."""

    def __init__(self, settings: ProbeSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """One."""
        settings = {"architecture.width": self._settings.width, "algorithm.learning_rate": 2e-4}
        return {
            _NAME: Training(
                recipe="dcgan", steps=self._settings.steps, data=self._settings.data, settings=settings, least=50
            )
        }

    def conclude(self, evidence: Evidence) -> Report:
        """The critic's features against each of the others."""
        labels = self._settings.labels
        columns = {
            words: Asked(
                metric="linear-probe",
                title="accuracy",
                settings={"features": name, "labels": labels},
                percent=True,
            )
            for name, words in _FEATURES.items()
        }
        rows = {words: {"accuracy": asked.values(evidence, _NAME)} for words, asked in columns.items()}
        asked = columns["raw pixels"]
        critic = rows["the critic's, pooled"]["accuracy"]
        findings = []
        for words in (each for each in rows if each != "the critic's, pooled"):
            other = rows[words]["accuracy"]
            difference = Difference.of(critic, other)
            findings.append(
                Finding(
                    claim=f"The critic's features are worth more to a linear classifier than {words}.",
                    source="Radford et al. 2016, tables 1 and 2",
                    published="82.8% against 80.6% of k-means, all of CIFAR-10" if "k-means" in words else "",
                    measured=f"{asked.said(critic)} and {asked.said(other)}",
                    verdict=difference.is_above(),
                    reason=f"The accuracy is higher by {difference.said(percent=True)}, paired by seed.",
                )
            )
        how_many = f"{labels:,} labelled training pictures" if labels else "all labelled training pictures"
        return Report(
            question="The DCGAN paper classifies by a linear SVM on its critic's features, max-pooled to 4x4: 82.8% on "
            "CIFAR-10 by a critic of ImageNet, 22.48% error on SVHN with 1,000 labels. What are they worth here?",
            protocol=f"A DCGAN without labels on {self._settings.data}; its critic's convolutions, each max-pooled to "
            f"4x4, under an L2-SVM on {how_many}, its C chosen on training pictures held back for it; accuracy on the "
            "test part.",
            findings=findings,
            tables=[table("Accuracy of a linear SVM on each kind of features", evidence, [asked], rows)],
            notes=["The critic has seen this data set alone; the paper's saw ImageNet."],
        )
