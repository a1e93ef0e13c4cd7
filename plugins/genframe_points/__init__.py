"""GANs in the plane, where densities can be seen and modes counted: a chart, metrics of modes, and a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.specs import Choice, MetricSpec, RecipeSpec, VisualizerSpec


@dataclass(frozen=True, kw_only=True)
class ScatterSettings:
    """What is drawn.

    Attributes:
        count: of real points and of generated ones.
        answers: whether the critic's answers are shown behind them; those of a critic that reads labels never are.
    """

    count: int = 1000
    answers: bool = True


@dataclass(frozen=True, kw_only=True)
class ModeSettings:
    """How modes are counted.

    Attributes:
        count: how many points are generated.
        deviations: a point is of high quality that lies within so many deviations of a mode.
    """

    count: int = 2500
    deviations: float = 3.0


@dataclass(frozen=True, kw_only=True)
class StackedSettings:
    """How the modes of stacked digits are counted.

    Attributes:
        count: how many pictures are generated.
        training: of how many pictures, at most, the three digits teach the classifier; 20,000 give as many digits as
            MNIST has.
    """

    count: int = 25_600
    training: int = 20_000


@genframe.hookimpl
def genframe_visualizers() -> Iterable[VisualizerSpec]:
    """Both densities."""
    yield VisualizerSpec(
        name="scatter",
        summary="Held-out and generated points in the plane, with the critic's answers behind them (.png, .svg)",
        factory="genframe_points.scatter:Scatter",
        settings=ScatterSettings,
    )


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """Which modes are found, and how near they are hit."""
    yield MetricSpec(
        name="modes",
        summary="Modes of the data that have a generated point within three deviations",
        factory="genframe_points.modes:Modes",
        settings=ModeSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="high-quality",
        summary="Generated points within three deviations of a mode of the data",
        factory="genframe_points.modes:HighQuality",
        settings=ModeSettings,
        better="higher",
        percent=True,
    )
    yield MetricSpec(
        name="stacked-modes",
        summary="Modes of stacked-mnist among the samples, as a classifier reads the digit of each colour",
        factory="genframe_points.stacked:StackedModes",
        settings=StackedSettings,
        better="higher",
        percent=True,
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """A game that can be watched."""
    yield RecipeSpec(
        name="gan-2d",
        summary="A GAN in the plane: points around eight modes on a ring",
        algorithm=Choice(name="adversarial", settings={"output": "point", "learning_rate": 5e-3}),
        architecture=Choice(name="mlp"),
        conditioning=Choice(name="none"),
        data=Choice(name="gaussians"),
        slots={
            "noise": Choice(name="gaussian", settings={"dim": 8}),
            "objective": Choice(name="non-saturating"),
            "regularizers": (Choice(name="r1", settings={"weight": 0.05}),),
        },
        training={
            "steps": 3500,
            "batch_size": 256,
            "lr_schedule": {"shape": "linear"},
            "sample_every": 500,
            "checkpoint_every": 1000,
        },
        preview=Choice(name="scatter"),
        metrics=(Choice(name="modes"), Choice(name="high-quality")),
        observers=(Choice(name="health"),),
    )
