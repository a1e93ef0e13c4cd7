"""Visualizers: pictures of what a run generates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.specs import VisualizerSpec


@dataclass(frozen=True, kw_only=True)
class SheetSettings:
    """How samples are shown.

    Attributes:
        smooth: small samples are enlarged by interpolation; false shows each of their pixels as a square.
    """

    smooth: bool = True


@dataclass(frozen=True, kw_only=True)
class SamplesSettings(SheetSettings):
    """How many samples are shown, and how.

    Attributes:
        columns: of each class, where there are classes.
        examples: where pictures are made from pictures, and of videos.
        count: otherwise.
    """

    columns: int = 10
    examples: int = 8
    count: int = 64


@dataclass(frozen=True, kw_only=True)
class ClassGridSettings(SheetSettings):
    """How many samples are shown, and how.

    Attributes:
        columns: of each class.
    """

    columns: int = 10


@genframe.hookimpl
def genframe_visualizers() -> Iterable[VisualizerSpec]:
    """Grids of samples."""
    yield VisualizerSpec(
        name="samples",
        summary="Samples in the way that suits the run: by class, beside their source, or a plain grid",
        factory="genframe_visualizers.samples:SamplesGrid",
        settings=SamplesSettings,
    )
    yield VisualizerSpec(
        name="class-grid",
        summary="A row of samples a class",
        factory="genframe_visualizers.class_grid:ClassGrid",
        settings=ClassGridSettings,
    )
