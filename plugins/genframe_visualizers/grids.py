"""What the grids share: which samples they show, and how a sample becomes tiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.interfaces import RunView
from genframe.pictures import Raster, Row, sheet
from genframe.shapes import PIXEL_KINDS, Field, Problem

#: More rows than this make a sheet that nobody reads.
MOST_CLASSES = 20


def check_pixels(problem: Problem, visualizer: str) -> None:
    """Refuses what is no picture.

    Raises:
        ConfigError: the output has no pixels.
    """
    if problem.output.kind not in PIXEL_KINDS:
        raise ConfigError(
            f"the visualizer '{visualizer}' shows pictures, and this run generates {problem.output.kind}: write the "
            "numbers instead, with genframe sample --output FILE.npz"
        )


def check_images(problem: Problem, visualizer: str) -> None:
    """Refuses what is not one picture a sample.

    Raises:
        ConfigError: the output has no pixels, or is a video.
    """
    check_pixels(problem, visualizer)
    if problem.output.kind != "image":
        raise ConfigError(
            f"the visualizer '{visualizer}' shows single pictures, and this run generates {problem.output.kind}: draw "
            "'samples' instead"
        )


def check_positive(visualizer: str, **counts: int) -> None:
    """Refuses counts below 1.

    Raises:
        ConfigError: naming the setting.
    """
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"the visualizer '{visualizer}' got {name} = {count}; at least 1 is needed")


def first_class(problem: Problem) -> Field | None:
    """The class that takes turns fastest, where the condition holds classes and nothing else."""
    fields = list(problem.condition.values())
    return fields[0] if fields and all(field.kind == "class" for field in fields) else None


def class_rows(
    view: RunView, names: tuple[str, ...], columns: int, *, smooth: bool, column_labels: Sequence[str] = ()
) -> Raster:
    """A row a class. Classes take turns, so row r and column c show sample ``c * len(names) + r``."""
    shown = names[:MOST_CLASSES]
    output = _taking_turns(view, len(names), len(shown), columns)
    by_class = output.reshape(columns, len(shown), *output.shape[1:]).transpose(0, 1)
    rows = [Row(label=name, images=tiles(samples)) for name, samples in zip(shown, by_class, strict=True)]
    hidden = f", first {len(shown)} of {len(names)} classes" if len(shown) < len(names) else ""
    return sheet(rows, title=view.title + hidden, column_labels=column_labels, smooth=smooth)


def _taking_turns(view: RunView, classes: int, shown: int, columns: int) -> Tensor:
    """The samples of the first `shown` of `classes` classes, column by column."""
    if shown == classes:
        return view.samples(columns * classes).output
    return torch.cat([view.samples(shown, first=column * classes).output for column in range(columns)])


def tiles(samples: Tensor) -> Tensor:
    """``(N, C, H, W)`` from pictures, ``(N * T, C, H, W)`` from videos."""
    return samples.flatten(0, -4)
