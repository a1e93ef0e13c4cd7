"""Ways between samples: whether all that lies between two z is as good as the ends, and changes evenly.

What can be shown of labels depends on what the networks are given. Multilabel and vector conditions are numbers, and
numbers have numbers between them. A class reaches the networks as an index, whatever the conditioning scheme makes of
it (one-hot planes, an embedding, a BatchNorm's gain), and there is no index between 3 and 4: rows of classes therefore
show the same z in each class, beside each other, and nothing that claims to lie between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from genframe.analysis.latent import check_latent, linear, rendered, repeated, samples_at, spherical
from genframe.errors import ConfigError
from genframe.interfaces import Condition, Picture, RunView
from genframe.pictures import Row, sheet
from genframe.shapes import Problem
from genframe_visualizers.grids import MOST_CLASSES, check_positive, first_class
from genframe_visualizers.settings import InterpolationSettings

_PATHS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"linear": linear, "spherical": spherical}


class Interpolation:
    """A row a way, from its beginning at the left to its end at the right."""

    def __init__(self, settings: InterpolationSettings) -> None:
        check_positive("interpolation", rows=settings.rows)
        if settings.steps < 2:
            raise ConfigError(
                f"the visualizer 'interpolation' got steps = {settings.steps}; a way has 2 ends at least, 9 is the "
                "default"
            )
        self._settings = settings
        self._pairs = settings.pairs or [(row, row + settings.rows) for row in range(settings.rows)]
        self._path = _PATHS[settings.path]

    def draw(self, view: RunView) -> Picture:
        """The sheet; columns are labelled with the share of the way.

        Raises:
            ConfigError: the run generates without noise or no single pictures, or labels are wanted and it has none.
        """
        check_latent(view, "the visualizer 'interpolation'")
        rows, what = self._shown(view)
        shares = [f"{share:.3g}" for share in torch.linspace(0.0, 1.0, self._settings.steps).tolist()]
        return sheet(rows, title=f"{view.title}: {what}", column_labels=shares, smooth=self._settings.smooth)

    def _shown(self, view: RunView) -> tuple[Sequence[Row], str]:
        """The rows, and what they are in words."""
        problem, path, (first, last) = view.trained.problem, self._settings.path, self._pairs[0]
        if self._settings.between == "samples":
            return self._between_samples(view), f"{path} ways from one z to another"
        if walked := _numbers(problem):
            return self._between_labels(view, walked), "one z a row, from the labels of a sample to those of another"
        if first_class(problem) is not None:
            return self._in_classes(view), f"one {path} way from z {first} to z {last}, in each class"
        raise ConfigError(
            "the visualizer 'interpolation' got between = labels, and this run generates from no labels: take "
            "between = samples"
        )

    def _between_samples(self, view: RunView) -> list[Row]:
        noise, condition = _ends(view, self._pairs)
        ways_RSZ = torch.stack([self._path(first, last, self._settings.steps) for first, last in noise])
        first_ones = {name: values[:, 0] for name, values in condition.items()}
        names = _class_names(view.trained.problem, first_ones)
        labels = [
            f"z {first} → {last}" + (f" as {name}" if name else "")
            for (first, last), name in zip(self._pairs, names or [""] * len(self._pairs), strict=True)
        ]
        return self._rows(view, labels, ways_RSZ.flatten(0, 1), repeated(first_ones, self._settings.steps))

    def _between_labels(self, view: RunView, walked: Sequence[str]) -> list[Row]:
        noise, condition = _ends(view, self._pairs)
        steps = self._settings.steps
        conditions = repeated({name: values[:, 0] for name, values in condition.items()}, steps)
        ways = {name: torch.cat([linear(first, last, steps) for first, last in condition[name]]) for name in walked}
        labels = [
            f"z {pair[0]}: {_changes(view.trained.problem, walked, condition, row) or f'labels {pair[0]} → {pair[1]}'}"
            for row, pair in enumerate(self._pairs)
        ]
        return self._rows(view, labels, noise[:, 0].repeat_interleave(steps, 0), {**conditions, **ways})

    def _in_classes(self, view: RunView) -> list[Row]:
        noise, condition = _ends(view, self._pairs[:1])
        field = first_class(view.trained.problem)
        assert field is not None  # draw
        (turning, *_), names, steps = condition, field.classes[:MOST_CLASSES], self._settings.steps
        way_SZ = self._path(noise[0, 0], noise[0, 1], steps)
        shared = repeated({name: values[:, 0] for name, values in condition.items()}, steps * len(names))
        classes = torch.arange(len(names)).repeat_interleave(steps)
        return self._rows(view, names, torch.cat([way_SZ] * len(names)), {**shared, turning: classes})

    def _rows(self, view: RunView, labels: Sequence[str], noise: Tensor, condition: Condition) -> list[Row]:
        strips = torch.split(rendered(view, noise, condition), self._settings.steps)
        return [Row(label=label, images=strip) for label, strip in zip(labels, strips, strict=True)]


def _ends(view: RunView, pairs: Sequence[tuple[int, int]]) -> tuple[Tensor, Condition]:
    """Z ``(R, 2, *Z)`` and conditions ``(R, 2, ...)`` of the pairs."""
    noise, condition = samples_at(view, [index for pair in pairs for index in pair])
    paired = {name: torch.stack([values[0::2], values[1::2]], 1) for name, values in condition.items()}
    return torch.stack([noise[0::2], noise[1::2]], 1), paired


def _numbers(problem: Problem) -> list[str]:
    """The conditions that have something between them."""
    return [name for name, field in problem.condition.items() if field.kind in ("multilabel", "vector")]


def _class_names(problem: Problem, condition: Condition) -> list[str]:
    field = first_class(problem)
    return [field.classes[int(label)] for label in next(iter(condition.values()))] if field else []


def _changes(problem: Problem, walked: Sequence[str], condition: Condition, row: int) -> str:
    """``-hat +smile``: which labels the second sample lacks, and which it has instead."""
    words = []
    for name in walked:
        had, has = (condition[name][row, end] > 0.5 for end in (0, 1))
        for place, label in enumerate(problem.condition[name].classes):
            if bool(had[place] != has[place]):
                words.append(f"{'+' if has[place] else '-'}{label}")
    return " ".join(sorted(words))
