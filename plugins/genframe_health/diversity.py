"""How different samples are from each other, beside how different the data's are.

Two samples are the same thing to the degree ``k = 1 / (1 + d^2 / s^2)``, where d is their Euclidean distance and s a
seventh of the root mean square distance of two real samples. The mean of k over all pairs, C, is how probable it is
that two samples are the same; ``1 / C`` is the effective number of different ones. That is Simpson's index with
similarities (Leinster and Cobbold 2012), and the Vendi score (Friedman and Dieng 2023), in its second order, of pairs
alone. Arora and Zhang, "Do GANs actually learn the distribution?" (2017), count exact duplicates in the same place.

The diversity is ``(1 / C - 1) / (1 / C_real - 1)``: 0 where all samples are equal, 1 where they are the same as seldom
as real ones. ``1 / C - 1`` is a harmonic mean of ``d^2 / s^2``, softened by s. So with all distances c times the data's
the diversity is about c^2; and m modes, however far apart, give about (m - 1) / 49, where a mean distance sees nothing.
A Gaussian kernel of this width would take samples for collapsed that are a little less varied than high-dimensional
data. Pairs are compared within a class only: a generator that ignores z and obeys the label is found, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from genframe.errors import DataError
from genframe.interfaces import RunView
from genframe.shapes import PIXEL_KINDS, Problem

#: Larger pictures are averaged down to this many pixels a side: it is cheap, and pixel noise is no diversity.
_SIDE = 32

#: A class with fewer samples a look, or fewer real ones, says too little.
_FEWEST_OF_A_CLASS, _FEWEST_REAL = 16, 8

#: Real samples are read once: so many times as many as are generated.
_REAL_SHARE, _CHUNK = 4, 256

#: The root mean square distance of two real samples, in units of s.
_SHARPNESS = 7.0

#: The one group of samples that no class divides.
_ALL = -1


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """What one look found.

    Attributes:
        mean: over the classes, each in [0, 1]; ``None`` where there is nothing to compare with.
        lowest: of the least diverse class; ``None`` where samples are not divided by class.
        lowest_class: its name.
        distance: the mean distance of two samples of a class, in units of the samples.
    """

    mean: float | None
    lowest: float | None = None
    lowest_class: str | None = None
    distance: float


@dataclass(frozen=True)
class _Real:
    """Of one class: the square of s, and how probable a collision of real samples is."""

    scale: float
    collision: float


class Yardstick:
    """The data's own diversity, class by class.

    Args:
        view: of the run; its dataset is read here, once.
        samples: how many are drawn a look.
    """

    def __init__(self, view: RunView, samples: int) -> None:
        problem = view.trained.problem
        self._samples = samples
        self._label = _class_name(problem, samples)
        self._names = problem.condition[self._label].classes if self._label else ()
        try:
            groups = _real_groups(view, samples, self._label)
        except DataError:
            groups = {}
        measured = {group: _real(points, samples) for group, points in groups.items() if len(points) >= _FEWEST_REAL}
        self._real = {group: real for group, real in measured.items() if real.collision < 1}

    def measure(self, view: RunView) -> Diversity:
        """The diversity of the run as it is now."""
        samples = view.samples(self._samples)
        labels = samples.condition[self._label] if self._label else None
        groups = _grouped(_flat(samples.output), labels)
        distance = sum(float(torch.pdist(points).mean()) for points in groups.values()) / len(groups)
        found = {group: relative(points, *self._pair(group)) for group, points in groups.items() if group in self._real}
        if not found:
            return Diversity(mean=None, distance=distance)
        mean = sum(found.values()) / len(found)
        if self._label is None:
            return Diversity(mean=mean, distance=distance)
        lowest = min(found, key=lambda group: found[group])
        return Diversity(mean=mean, lowest=found[lowest], lowest_class=self._names[lowest], distance=distance)

    def _pair(self, group: int) -> tuple[float, float]:
        return self._real[group].scale, self._real[group].collision


def measurable(problem: Problem) -> bool:
    """Whether samples of this problem are meant to differ, and a distance between them means something."""
    return problem.noise_shape is not None and (problem.output.kind in PIXEL_KINDS or problem.output.kind == "points")


def collision(points: Tensor, scale: float) -> float:
    """The mean of ``1 / (1 + d^2 / scale)`` over all pairs of the points ``(N, D)``, N at least 2."""
    return float((1.0 / (1.0 + torch.pdist(points).square() / scale)).mean())


def relative(points: Tensor, scale: float, real_collision: float) -> float:
    """The diversity of points ``(N, D)`` beside that of real ones, at most 1."""
    here = collision(points, scale)
    return 1.0 if here <= real_collision else (1.0 / here - 1.0) / (1.0 / real_collision - 1.0)


def _real(points: Tensor, samples: int) -> _Real:
    points = points[:: max(1, len(points) // samples)]
    scale = float(torch.pdist(points).square().mean()) / _SHARPNESS**2
    return _Real(scale, collision(points, scale) if scale > 0 else 1.0)


def _class_name(problem: Problem, samples: int) -> str | None:
    """The one class that samples are divided by; without enough samples for each class they are taken together."""
    if len(problem.condition) != 1:
        return None
    ((name, field),) = problem.condition.items()
    return name if field.kind == "class" and samples // field.width >= _FEWEST_OF_A_CLASS else None


def _real_groups(view: RunView, samples: int, label: str | None) -> Mapping[int, Tensor]:
    """Real samples ``(N, D)`` by class, spread over the training part.

    Raises:
        DataError: the dataset is not there, or is not what the run was trained on.
    """
    problem, dataset = view.trained.problem, view.dataset()
    names = [name for name, f in dataset.fields.items() if f == problem.output and name not in problem.condition]
    if not names or (label and dataset.fields.get(label) != problem.condition[label]):
        raise DataError("the dataset has no field like the run's output")
    train = dataset.split("train")
    wanted = range(0, len(train), max(1, len(train) // (_REAL_SHARE * samples)))
    batches = [train.read(wanted[at : at + _CHUNK], epoch=0, seed=0) for at in range(0, len(wanted), _CHUNK)]
    if not batches:
        raise DataError("the training part is empty")
    pixels = problem.output.kind in PIXEL_KINDS
    points = torch.cat([_flat(b[names[0]].float() / 127.5 - 1.0 if pixels else b[names[0]]) for b in batches])
    return _grouped(points, torch.cat([batch[label] for batch in batches]) if label else None)


def _grouped(points: Tensor, labels: Tensor | None) -> dict[int, Tensor]:
    if labels is None:
        return {_ALL: points}
    return {label: points[labels == label] for label in sorted(set(labels.tolist()))}


def _flat(samples: Tensor) -> Tensor:
    """``(N, D)``; pictures ``(N, C, H, W)`` and frames ``(N, T, C, H, W)`` of at most `_SIDE` pixels a side."""
    if samples.ndim < 4:
        return samples.flatten(1)
    height, width = samples.shape[-2:]
    return adaptive_avg_pool2d(samples.flatten(1, -3), (min(height, _SIDE), min(width, _SIDE))).flatten(1)
