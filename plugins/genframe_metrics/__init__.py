"""Metrics: how near samples are to real data that training never saw, and to the class that they were asked for."""

from __future__ import annotations

from collections.abc import Iterable

import genframe
from genframe.specs import MetricSpec
from genframe_metrics.settings import (
    AccuracySettings,
    ComparisonSettings,
    CoverageSettings,
    DiversitySettings,
    DuplicateSettings,
    FidelitySettings,
    ManifoldSettings,
    NeighbourSettings,
    ParzenSettings,
    ProbeSettings,
)


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """Figures of labels, of the distance to real pictures, of variety, and of what the critic has learnt."""
    yield MetricSpec(
        name="nn1",
        summary="Error on held-out data of a 1-nearest-neighbour classifier that knows generated samples only",
        factory="genframe_metrics.nn1:NeighbourError",
        settings=NeighbourSettings,
        better="lower",
        percent=True,
    )
    yield MetricSpec(
        name="nn-distance",
        summary="Mean distance of held-out pictures to their nearest generated one, raw pixels",
        factory="genframe_metrics.nn_distance:NeighbourDistance",
        settings=NeighbourSettings,
        better="lower",
    )
    yield MetricSpec(
        name="duplicates",
        summary="Generated pictures nearer to a training picture than 99% of new ones; of new pictures 1% are",
        factory="genframe_metrics.duplicates:Duplicates",
        settings=DuplicateSettings,
        better="lower",
        percent=True,
    )
    yield MetricSpec(
        name="diversity",
        summary="How different two generated pictures of a class are, in proportion to real ones; 1 is as diverse",
        factory="genframe_metrics.diversity:Diversity",
        settings=DiversitySettings,
        better="higher",
    )
    yield MetricSpec(
        name="parzen",
        summary="Log-likelihood of held-out pictures under Gaussian windows around samples, in nats",
        factory="genframe_metrics.parzen:Parzen",
        settings=ParzenSettings,
        better="higher",
    )
    yield MetricSpec(
        name="label-accuracy",
        summary="Generated samples that a classifier trained on real data reads as their label says",
        factory="genframe_metrics.label_accuracy:LabelAccuracy",
        settings=AccuracySettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="fd-classifier",
        summary="Fréchet distance of real and generated pictures in the features of a classifier of the same data",
        factory="genframe_metrics.frechet:FrechetDistance",
        settings=ComparisonSettings,
        better="lower",
    )
    yield MetricSpec(
        name="mmd-classifier",
        summary="Squared distance of real and generated pictures by a cubic kernel in the features of a classifier",
        factory="genframe_metrics.mmd:KernelDistance",
        settings=ComparisonSettings,
        better="lower",
    )
    yield MetricSpec(
        name="precision",
        summary="Generated pictures that lie among real ones, in the features of a classifier",
        factory="genframe_metrics.manifold:Precision",
        settings=ManifoldSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="recall",
        summary="Real pictures that lie among generated ones, in the features of a classifier",
        factory="genframe_metrics.manifold:Recall",
        settings=ManifoldSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="density",
        summary="How densely real pictures lie around generated ones, in the features of a classifier; 1 is as real",
        factory="genframe_metrics.manifold:Density",
        settings=CoverageSettings,
        better="higher",
    )
    yield MetricSpec(
        name="coverage",
        summary="Real pictures that have a generated one near, in the features of a classifier",
        factory="genframe_metrics.manifold:Coverage",
        settings=CoverageSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="linear-probe",
        summary="Held-out accuracy of a linear classifier of the critic's features: what the critic has learnt to see",
        factory="genframe_metrics.probe:LinearProbe",
        settings=ProbeSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="fid",
        summary="Fréchet inception distance, by torch-fidelity (extra 'fidelity')",
        factory="genframe_metrics.fidelity:InceptionDistance",
        settings=FidelitySettings,
        better="lower",
    )
    yield MetricSpec(
        name="kid",
        summary="Kernel inception distance, by torch-fidelity (extra 'fidelity')",
        factory="genframe_metrics.fidelity:InceptionKernelDistance",
        settings=FidelitySettings,
        better="lower",
    )
    yield MetricSpec(
        name="is",
        summary="Inception score, by torch-fidelity (extra 'fidelity')",
        factory="genframe_metrics.fidelity:InceptionScore",
        settings=FidelitySettings,
        better="higher",
    )
