"""Real and generated pictures as points in the features of the independent classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.analysis.classifier import classifier_for
from genframe.analysis.fields import image_name, in_batches, label_name
from genframe.analysis.intervals import Interval
from genframe.analysis.labelled import pixels
from genframe.errors import ConfigError, DataError
from genframe.interfaces import RunView

#: Of a normal law, 95% lies within so many deviations.
_DEVIATIONS = 1.96


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Both sides of a comparison.

    Attributes:
        real: features of held-out pictures, ``float64 (N, F)``.
        generated: features of samples, ``float64 (M, F)``.
        protocol: how they came about.
    """

    real: Tensor
    generated: Tensor
    protocol: Mapping[str, str | int | float]


def check_counts(metric: str, fewest: int, **counts: int) -> None:
    """Refuses settings by which too few samples would be compared.

    Raises:
        ConfigError: fewer than `fewest` are asked for; it names the setting.
    """
    for name, count in counts.items():
        if count < fewest:
            raise ConfigError(f"the metric '{metric}' got {name} = {count}; at least {fewest} are needed")


def compared(view: RunView, metric: str, fewest: int, *, count: int, reference: int | None = None) -> Compared:
    """The features of real held-out pictures and of generated ones.

    Args:
        view: of the run.
        metric: who asks, for messages.
        fewest: how many real pictures are needed.
        count: how many are generated.
        reference: how many real ones there are at most, the first of them; None for equally many on both sides.

    Raises:
        ConfigError: the run makes no pictures, or its data has no labels to train a classifier on.
        DataError: the data is not there or is not what the run was trained on, has too few held-out pictures or one
            class only; or a sample is not finite.
    """
    problem = view.trained.problem
    if problem.output.kind != "image":
        raise ConfigError(f"the metric '{metric}' compares pictures, and this run generates {problem.output.kind}")
    dataset = view.dataset()
    image, label = image_name(dataset, problem), label_name(dataset, ("class", "multilabel"))
    if not label:
        raise ConfigError(
            f"the metric '{metric}' compares in the features of a classifier, and the run's data has no classes or "
            "labels to train one on: take a metric of pixels"
        )
    heldout = dataset.split("heldout")
    if len(heldout) < fewest:
        raise DataError(
            f"the metric '{metric}' needs at least {fewest} held-out pictures, and the run's data has {len(heldout)}"
        )
    if reference is None:
        count = reference = min(count, len(heldout))
    classifier = classifier_for(dataset, image, label)
    real = [classifier.embed(batch[image]) for batch in in_batches(heldout, reference)]
    generated = [classifier.embed(pixels(piece).view(-1, *problem.output.shape)) for piece in view.stream(count)]
    real_NF, generated_MF = torch.cat(real).double(), torch.cat(generated).double()
    return Compared(
        real=real_NF,
        generated=generated_MF,
        protocol={
            "samples": len(generated_MF),
            "reference": "held-out",
            "reference_samples": len(real_NF),
            **classifier.protocol,
            "seed": view.seed,
            "batch_norm": "running",
        },
    )


def spread(value: float, resampled: Tensor) -> Interval:
    """The value and what it varies by: 1.96 deviations of what it is of resamples, to both sides.

    Percentiles would not do: resamples hold samples twice, and so the distance between two of them is too large.
    """
    half = _DEVIATIONS * float(resampled.std())
    return value - half, value + half
