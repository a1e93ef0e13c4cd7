"""The settings of the visualizers that look at the space of z, at the course of training and at what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class InterpolationSettings:
    """Which ways are shown.

    Attributes:
        between: ``samples``: each row goes from the z of one sample to that of another, under the first one's
            condition; ``labels``: what the condition changes. Where it holds numbers (multilabel, vector), each row
            keeps the first one's z and goes from its labels to the second one's. Where it holds classes, of which
            there are none between two, the columns go from one z to another and each row shows them as a class.
        path: of z: ``spherical``, on which z keeps its length, or ``linear``.
        pairs: of indices of samples, ``[[0, 6], [1, 7]]``; empty is `rows` pairs from the first samples. Where rows are
            classes, the first pair counts.
        rows: how many pairs, where none are named.
        steps: pictures a row, both ends included.
        smooth: small samples are enlarged by interpolation; false shows each of their pixels as a square.
    """

    between: Literal["samples", "labels"] = "samples"
    path: Literal["spherical", "linear"] = "spherical"
    pairs: tuple[tuple[int, int], ...] = ()
    rows: int = 6
    steps: int = 9
    smooth: bool = True


@dataclass(frozen=True, kw_only=True)
class NoiseSweepSettings:
    """Which numbers of z are varied, and how.

    Attributes:
        coordinates: places in z, flattened; empty is the `rows` that change the picture most.
        rows: how many, where none are named.
        steps: values a row.
        sample: the index of the sample whose z is varied.
        smooth: small samples are enlarged by interpolation; false shows each of their pixels as a square.
    """

    coordinates: tuple[int, ...] = ()
    rows: int = 8
    steps: int = 9
    sample: int = 0
    smooth: bool = True


@dataclass(frozen=True, kw_only=True)
class ArithmeticSettings:
    """What is subtracted and added.

    Attributes:
        a, b, c: ``a - b + c``, either the indices of the samples, ``[0, 1, 2]``, or names of attributes, ``["smile"]``:
            then the first samples are taken that a classifier reads as having those and none of the others named in
            `a`, `b` and `c`; attributes that are named nowhere are free. All three empty: the first samples that share
            a condition.
        average: how many samples a mean is over, where attributes are named.
        samples: how many are searched for attributes.
        radius: how far each number of z is moved, uniformly, for the eight neighbours of the result.
        smooth: small samples are enlarged by interpolation; false shows each of their pixels as a square.
    """

    a: tuple[int, ...] | tuple[str, ...] = ()
    b: tuple[int, ...] | tuple[str, ...] = ()
    c: tuple[int, ...] | tuple[str, ...] = ()
    average: int = 3
    samples: int = 2048
    radius: float = 0.25
    smooth: bool = True


@dataclass(frozen=True, kw_only=True)
class LossesSettings:
    """How the curves are drawn.

    Attributes:
        chance: marks what losses by cross-entropy are where the critic cannot tell real from generated: the critic's
            2 log 2 = 1.386 and the non-saturating generator's log 2 = 0.693. Whoever looks knows whether the run had
            that objective.
    """

    chance: bool = False


@dataclass(frozen=True, kw_only=True)
class NearestSettings:
    """How many pictures are compared, and shown.

    Attributes:
        count: of the generated samples and of the held-out pictures that are compared with the training part.
        shown: of each, at most.
        smooth: small samples are enlarged by interpolation; false shows each of their pixels as a square.
    """

    count: int = 200
    shown: int = 6
    smooth: bool = True


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings:
    """Which map is drawn, and of what.

    Attributes:
        method: ``tsne`` keeps neighbours together and means nothing by distances between groups; ``pca`` is a linear
            projection.
        count: of the generated samples and of the held-out pictures.
        attribute: the name of the label that gives colours, where the data has several; empty is the first.
    """

    method: Literal["tsne", "pca"] = "tsne"
    count: int = 200
    attribute: str = ""
