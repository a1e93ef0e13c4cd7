"""Metrics: how well samples carry the class that they were asked for, judged on real data that training never saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.specs import MetricSpec


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings:
    """How the 1-nearest-neighbour error is taken.

    Attributes:
        count: how many generated samples the classifier knows.
    """

    count: int = 1500


@dataclass(frozen=True, kw_only=True)
class AccuracySettings:
    """How the label accuracy is taken.

    Attributes:
        count: how many generated samples are classified.
        training: the classifier learns from at most this many real samples, chosen once and for all, stratified. Its
            memory grows with the square: 5,000 take 1 GB, 10,000 take 3 GB.
    """

    count: int = 1000
    training: int = 5_000


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """Two figures that need both good pictures and right labels."""
    yield MetricSpec(
        name="nn1",
        summary="Error on held-out data of a 1-nearest-neighbour classifier that knows generated samples only",
        factory="genframe_metrics.nn1:NeighbourError",
        settings=NeighbourSettings,
        better="lower",
        percent=True,
    )
    yield MetricSpec(
        name="label-accuracy",
        summary="Generated samples that a classifier trained on real data reads as their label says",
        factory="genframe_metrics.label_accuracy:LabelAccuracy",
        settings=AccuracySettings,
        better="higher",
        percent=True,
    )
