"""What users choose of each metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings:
    """Among what the nearest neighbours are sought.

    Attributes:
        count: how many generated samples.
    """

    count: int = 1500


@dataclass(frozen=True, kw_only=True)
class DuplicateSettings:
    """What counts as a duplicate.

    Attributes:
        count: how many generated samples are looked at.
        reference: how many held-out pictures at most, chosen at random, say what is near.
        share: of held-out pictures, so many lie as near to the training part.
    """

    count: int = 1000
    reference: int = 2000
    share: float = 0.01


@dataclass(frozen=True, kw_only=True)
class DiversitySettings:
    """How diversity is taken.

    Attributes:
        count: how many generated samples; each is in one pair.
    """

    count: int = 1000


@dataclass(frozen=True, kw_only=True)
class ParzenSettings:
    """How the Parzen windows are made.

    Attributes:
        count: how many generated samples have a window; the conditional GAN paper has 1,000 of each of ten classes.
        validation: how many training pictures choose the deviation, themselves chosen at random.
        deviations: of which one is chosen, with pixels in [0, 1].
    """

    count: int = 10_000
    validation: int = 1000
    deviations: tuple[float, ...] = (0.05, 0.07, 0.1, 0.13, 0.15, 0.17, 0.2, 0.25, 0.3, 0.4)


@dataclass(frozen=True, kw_only=True)
class AccuracySettings:
    """How the label accuracy is taken.

    Attributes:
        count: how many generated samples are classified.
    """

    count: int = 1000


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """What is compared in the features of the classifier.

    Attributes:
        count: how many generated samples.
        reference: how many real held-out samples at most, the first of them.
    """

    count: int = 1000
    reference: int = 10_000


@dataclass(frozen=True, kw_only=True)
class ManifoldSettings:
    """How precision and recall are taken.

    Attributes:
        count: how many generated samples, and as many real held-out ones; fewer of both where fewer are held out.
        k: a ball around each sample reaches to its k-th nearest neighbour; the paper takes 3.
    """

    count: int = 1000
    k: int = 3


@dataclass(frozen=True, kw_only=True)
class CoverageSettings:
    """How density and coverage are taken.

    Attributes:
        count: how many generated samples, and as many real held-out ones; fewer of both where fewer are held out.
        k: a ball around each real sample reaches to its k-th nearest neighbour; the paper takes 5.
    """

    count: int = 1000
    k: int = 5


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How the features are made, and what a linear classifier learns from them.

    Attributes:
        features: ``critic``, of the run's critic; ``untrained``, of the same network with fresh random weights;
            ``pixels``; ``kmeans``, of a dictionary of patches; ``autoencoder``, of a small one. The last two learn from
            the training part without its labels.
        labels: how many labelled training samples the classifier learns from, stratified; 0 is all of them.
        reference: how many held-out samples it is tested on at most, the first of them.
        repeats: how often it learns, each time from other labelled samples; the figure is the mean.
        seed: of the choice of labelled samples.
    """

    features: Literal["critic", "untrained", "pixels", "kmeans", "autoencoder"] = "critic"
    labels: int = 1000
    reference: int = 10_000
    repeats: int = 1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class FidelitySettings:
    """How torch-fidelity is asked.

    Attributes:
        count: how many generated samples; published figures take 10,000 to 50,000.
        reference: how many real held-out samples at most, the first of them.
        weights: the file of Inception's weights; empty is where torch-fidelity itself keeps them. Nothing is
            downloaded.
    """

    count: int = 10_000
    reference: int = 10_000
    weights: str = ""
