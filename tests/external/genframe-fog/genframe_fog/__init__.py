"""Fog: a little of everything that a third party can offer. This module is light; the code is in ``parts``."""

from __future__ import annotations

from dataclasses import dataclass

import genframe
from genframe.specs import (
    AugmentationSpec,
    Choice,
    NoiseSpec,
    ObserverSpec,
    RecipeSpec,
    RegularizerSpec,
    TermSpec,
)


@dataclass(frozen=True, kw_only=True)
class FogSettings:
    """The law of z.

    Attributes:
        dim: how many numbers z has.
        density: of the fog, in [0, 1]; a thicker one brings z
            nearer to its mean.
    """

    dim: int = 16
    density: float = 0.25


@dataclass(frozen=True, kw_only=True)
class WeightSettings:
    """How much a penalty counts.

    Attributes:
        weight: its factor.
    """

    weight: float = 0.01


@dataclass(frozen=True, kw_only=True)
class CsvSettings:
    """Where the log goes.

    Attributes:
        file: its name in the run directory.
    """

    file: str = "fog.csv"


@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(
        name="fog", summary="Normal numbers, thinned out", factory="genframe_fog.parts:Fog", settings=FogSettings
    )


@genframe.hookimpl
def genframe_regularizers():
    yield RegularizerSpec(
        name="fog-drift",
        summary="Small logits on real samples",
        factory="genframe_fog.parts:Drift",
        settings=WeightSettings,
    )


@genframe.hookimpl
def genframe_augmentations():
    yield AugmentationSpec(name="fog-veil", summary="A random veil over each sample", factory="genframe_fog.parts:Veil")


@genframe.hookimpl
def genframe_terms():
    yield TermSpec(
        name="fog-haze",
        summary="Outputs away from the extremes",
        factory="genframe_fog.parts:Haze",
        settings=WeightSettings,
    )


@genframe.hookimpl
def genframe_observers():
    yield ObserverSpec(
        name="fog-csv", summary="The log as CSV", factory="genframe_fog.parts:CsvLog", settings=CsvSettings
    )


@genframe.hookimpl
def genframe_recipes():
    yield RecipeSpec(
        name="foggy-dcgan",
        summary="A small DCGAN in the fog",
        algorithm=Choice(name="adversarial"),
        architecture=Choice(name="dcgan", settings={"width": 8}),
        data=Choice(name="digits"),
        slots={
            "noise": Choice(name="fog", settings={"density": 0.5}),
            "objective": Choice(name="non-saturating"),
            "regularizers": (Choice(name="fog-drift"),),
            "augmentations": (Choice(name="fog-veil"),),
            "terms": (Choice(name="fog-haze", settings={"weight": 0.1}),),
        },
        training={"steps": 4, "batch_size": 16, "log_every": 2, "sample_every": 4, "checkpoint_every": 4},
        observers=(Choice(name="fog-csv"),),
    )
