"""Labelled pictures, generated and real, as metrics and experiments compare them: flat rows of raw pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from genframe.analysis.fields import image_name
from genframe.analysis.neighbours import nearest_neighbours
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Dataset, RunView, Samples
from genframe.pictures import to_uint8
from genframe.shapes import Problem

_CHUNK = 1024


def check_positive(metric: str, **counts: int) -> None:
    """Refuses counts below 1.

    Raises:
        ConfigError: naming the setting.
    """
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"the metric '{metric}' got {name} = {count}; at least 1 is needed")


def label_name(problem: Problem, metric: str) -> str:
    """The name of the one class that pictures are generated from.

    Raises:
        ConfigError: there is none, or more than one, or the output is no picture.
    """
    names = [name for name, field in problem.condition.items() if field.kind == "class"]
    if problem.output.kind != "image" or len(names) != 1:
        given = ", ".join(f"{name} ({field.kind})" for name, field in problem.condition.items()) or "noise alone"
        raise ConfigError(
            f"the metric '{metric}' needs pictures generated from exactly one class, and this run generates "
            f"{problem.output.kind} from {given}: leave the metric out, or train a class-conditional recipe"
        )
    return names[0]


def generated(view: RunView, count: int, label: str) -> tuple[Tensor, Tensor]:
    """``uint8 (count, C * H * W)`` as a file would hold them, and the labels ``int64 (count,)`` asked for."""
    pieces = [(pixels(piece), piece.condition[label]) for piece in view.stream(count)]
    return torch.cat([each for each, _ in pieces]), torch.cat([labels for _, labels in pieces])


def pixels(samples: Samples) -> Tensor:
    """``uint8 (N, C * H * W)`` as a file would hold them.

    Raises:
        DataError: a sample is not finite.
    """
    broken = ~samples.output.flatten(1).isfinite().all(1)
    if broken.any():
        place = samples.first + int(broken.nonzero()[0, 0])
        raise DataError(
            f"sample {place} holds what is no number: this run's generator is broken, evaluate another step"
        )
    return to_uint8(samples.output).flatten(1)


def real(dataset: Dataset, view: RunView, label: str, indices: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
    """``uint8 (N, C * H * W)`` and ``int64 (N,)`` of all samples, or of those at `indices`.

    Raises:
        DataError: the dataset is not what the run was trained on.
    """
    problem = view.trained.problem
    image = image_name(dataset, problem)
    if dataset.fields.get(label) != problem.condition[label]:
        raise DataError(
            f"the dataset's '{label}' is not the class that the run generates from: take the data that the run was "
            "trained on"
        )
    wanted = range(len(dataset)) if indices is None else indices
    batches = [dataset.read(wanted[start : start + _CHUNK], epoch=0, seed=0) for start in range(0, len(wanted), _CHUNK)]
    if not batches:
        raise DataError("this part of the dataset is empty, and a metric compares with real samples; add some")
    return torch.cat([batch[image].flatten(1) for batch in batches]), torch.cat([batch[label] for batch in batches])


def wrong_by_nearest(view: RunView, count: int, label: str) -> Tensor:
    """Which held-out pictures a 1-nearest-neighbour classifier reads wrongly that knows generated ones only.

    Args:
        view: of the run.
        count: how many generated pictures it knows; they stream by.
        label: the class that pictures are generated from.

    Returns:
        ``bool (Q,)``, in the order of the held-out part.

    Raises:
        DataError: the run's data is not there, or is not what it was trained on.
    """
    queries, truth = real(view.dataset().split("heldout"), view, label)
    labels: list[Tensor] = []

    def reference() -> Iterator[Tensor]:
        for piece in view.stream(count):
            labels.append(piece.condition[label])
            yield pixels(piece)

    _, nearest = nearest_neighbours(queries, reference())
    return torch.cat(labels)[nearest] != truth
