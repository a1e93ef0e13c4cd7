"""Samples in the way that suits the problem, so that a recipe need not say how its pictures are looked at."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from genframe.interfaces import Picture, RunView, Samples
from genframe.pictures import Raster, Row, sheet
from genframe.shapes import PIXEL_KINDS
from genframe_visualizers import SamplesSettings
from genframe_visualizers.grids import check_pixels, check_positive, class_rows, first_class, tiles


class SamplesGrid:
    """By class where there are classes, beside their source where there is one, else a grid about as high as wide."""

    def __init__(self, settings: SamplesSettings) -> None:
        check_positive("samples", columns=settings.columns, examples=settings.examples, count=settings.count)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet.

        Raises:
            ConfigError: the run makes no pictures.
        """
        problem = view.trained.problem
        check_pixels(problem, "samples")
        field = first_class(problem)
        if field is not None:
            frames = problem.output.shape[0] if problem.output.kind == "frames" else 1
            columns = max(1, self._settings.columns // frames)
            return class_rows(view, field.classes, columns, smooth=self._settings.smooth)
        sources = [name for name, field in problem.condition.items() if field.kind in PIXEL_KINDS]
        if sources or problem.output.kind == "frames":
            return _beside(view, sources, self._settings)
        return _plain(view, self._settings)


def _plain(view: RunView, settings: SamplesSettings) -> Raster:
    images = view.samples(settings.count).output
    rows = [Row(images=images_NCHW) for images_NCHW in torch.split(images, math.ceil(settings.count**0.5))]
    return sheet(rows, title=view.title, smooth=settings.smooth)


def _beside(view: RunView, sources: list[str], settings: SamplesSettings) -> Raster:
    """A row a sample: what it was made from, then what was made."""
    samples = view.samples(settings.examples)
    rows = [Row(images=_alike(_parts(samples, sources, place))) for place in range(settings.examples)]
    headings: list[str] = []
    for name, part in zip([*sources, "output"], _parts(samples, sources, 0), strict=True):
        headings += [name] + [""] * (len(part) - 1)
    labels = headings if sources else ()
    return sheet(rows, title=view.title, column_labels=labels, smooth=settings.smooth)


def _parts(samples: Samples, sources: list[str], place: int) -> list[Tensor]:
    """The sources and the output of one sample, each float ``(T, C, H, W)`` in [-1, 1]."""
    one = slice(place, place + 1)
    return [*(tiles(_signed(samples.condition[name][one])) for name in sources), tiles(samples.output[one])]


def _signed(pixels: Tensor) -> Tensor:
    """Float in [-1, 1]; a condition may still be as the dataset has it."""
    return pixels if pixels.is_floating_point() else pixels.float() / 127.5 - 1.0


def _alike(parts: list[Tensor]) -> Tensor:
    """All pictures in one tensor: at the size of the largest, with the channels of the most colourful."""
    size = [max(part.shape[axis] for part in parts) for axis in (-2, -1)]
    channels = max(part.shape[-3] for part in parts)
    return torch.cat([_with_channels(interpolate(part, size, mode="nearest-exact"), channels) for part in parts])


def _with_channels(images: Tensor, channels: int) -> Tensor:
    if images.shape[-3] == 1 and channels > 1:
        images = images.expand(-1, 3, -1, -1)
    if images.shape[-3] == 3 and channels == 4:
        images = pad(images, (0, 0, 0, 0, 0, 1), value=1.0)  # opaque
    return images
