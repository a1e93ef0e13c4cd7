"""Visualizers: pictures of what a run generates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.specs import VisualizerSpec
from genframe_visualizers.settings import (
    ArithmeticSettings,
    EmbeddingSettings,
    InterpolationSettings,
    LossesSettings,
    NearestSettings,
    NoiseSweepSettings,
)


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


@dataclass(frozen=True, kw_only=True)
class WeightsSettings:
    """Which weights are shown, and how.

    Attributes:
        network: the role of the network.
        layer: the name of a (transposed) convolution in it, such as ``halvings.1.0``; empty is the first.
        channels: how many input channels are shown at most.
    """

    network: str = "critic"
    layer: str = ""
    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class ActivationsSettings:
    """Which activations are shown, and of what.

    Attributes:
        network: the role of the network.
        layer: the name of a layer in it whose output is pictures, such as ``halvings.1``; empty is the last such layer.
        images: ``real`` held-out pictures with their own labels, or ``generated`` ones with theirs; a generator is
            shown at work, whatever this says.
        count: how many pictures; classes take turns among generated ones.
        channels: how many channels are shown at most.
    """

    network: str = "critic"
    layer: str = ""
    images: Literal["real", "generated"] = "real"
    count: int = 6
    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class GuidedSettings:
    """Whose answers are shown, and to what.

    Attributes:
        network: the role of a network that reads pictures.
        layer: the name of a layer in it whose output is maps, such as ``halvings.0``; empty is the last such layer.
        maps: the numbers of the maps; empty is the `count` that answer most.
        count: how many maps, where none are named.
        examples: how many pictures a map.
        images: ``real`` held-out pictures with their own labels, or ``generated`` ones with theirs.
        searched: how many pictures the network is shown.
    """

    network: str = "critic"
    layer: str = ""
    maps: tuple[int, ...] = ()
    count: int = 4
    examples: int = 9
    images: Literal["real", "generated"] = "real"
    searched: int = 512


@dataclass(frozen=True, kw_only=True)
class DeconvSettings(GuidedSettings):
    """Whose answers are shown, and to what."""

    count: int = 8


@dataclass(frozen=True, kw_only=True)
class TrainingGifSettings:
    """How fast it goes.

    Attributes:
        milliseconds: that each frame is shown; the last one is shown six times as long.
    """

    milliseconds: int = 250


@genframe.hookimpl
def genframe_visualizers() -> Iterable[VisualizerSpec]:
    """Grids of samples, looks inside the networks, and the course of training."""
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
    yield VisualizerSpec(
        name="weights",
        summary="The kernels of a convolution, one mosaic an input channel",
        factory="genframe_visualizers.weights:Weights",
        settings=WeightsSettings,
    )
    yield VisualizerSpec(
        name="activations",
        summary="What a layer makes of real or generated pictures, one mosaic of channels each",
        factory="genframe_visualizers.activations:Activations",
        settings=ActivationsSettings,
    )
    yield VisualizerSpec(
        name="deconv",
        summary="What of pictures excites a layer's maps, projected back through the network (Zeiler and Fergus)",
        factory="genframe_visualizers.deconv:Deconv",
        settings=DeconvSettings,
    )
    yield VisualizerSpec(
        name="guided",
        summary="The same by guided backpropagation, beside a network that was never trained",
        factory="genframe_visualizers.guided:Guided",
        settings=GuidedSettings,
    )
    yield VisualizerSpec(
        name="interpolation",
        summary="Ways between the z of samples, or between their labels",
        factory="genframe_visualizers.interpolation:Interpolation",
        settings=InterpolationSettings,
    )
    yield VisualizerSpec(
        name="noise-sweep",
        summary="One number of z a row, from its lowest value to its highest",
        factory="genframe_visualizers.noise_sweep:NoiseSweep",
        settings=NoiseSweepSettings,
    )
    yield VisualizerSpec(
        name="arithmetic",
        summary="Samples A - B + C in the space of z, by index or by attribute, and the result's neighbours",
        factory="genframe_visualizers.arithmetic:Arithmetic",
        settings=ArithmeticSettings,
    )
    yield VisualizerSpec(
        name="losses",
        summary="What the run has logged, as curves (.png, .svg)",
        factory="genframe_visualizers.losses:Losses",
        settings=LossesSettings,
    )
    yield VisualizerSpec(
        name="nearest",
        summary="Samples beside their nearest training pictures: copies or not, by the measure of held-out pictures",
        factory="genframe_visualizers.nearest:Nearest",
        settings=NearestSettings,
    )
    yield VisualizerSpec(
        name="embedding",
        summary="A map of held-out and generated pictures by a classifier's features (.png, .svg)",
        factory="genframe_visualizers.embedding:Embedding",
        settings=EmbeddingSettings,
    )
    yield VisualizerSpec(
        name="training-gif",
        summary="The same noise through training: the run's own sheets as an animation",
        factory="genframe_visualizers.training_gif:TrainingGif",
        settings=TrainingGifSettings,
        ending=".gif",
    )
