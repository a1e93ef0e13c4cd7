"""Whether the space of z can be reckoned in: a metric of vector arithmetic, and a recipe whose faces it suits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.specs import Choice, MetricSpec, RecipeSpec


@dataclass(frozen=True, kw_only=True)
class ArithmeticScoreSettings:
    """How many questions are asked, and of what.

    Attributes:
        count: how many triples (A, B, C) are asked for ``A - B + C``.
        samples: among how many generated samples those that show A, B and C are looked for.
        average: how many samples each mean is over; 3 in the DCGAN paper.
        attributes: the names of those that count; empty is all of the data's.
    """

    count: int = 200
    samples: int = 2048
    average: int = 3
    attributes: tuple[str, ...] = ()


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """One figure."""
    yield MetricSpec(
        name="arithmetic-score",
        summary="Results of z arithmetic on attributes that are exactly right, as a classifier reads them",
        factory="genframe_arithmetic.score:ArithmeticScore",
        settings=ArithmeticScoreSettings,
        better="higher",
        percent=True,
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """Faces from z alone: what a face shows must then lie in z."""
    yield RecipeSpec(
        name="resgan-faces",
        summary="A small residual GAN: faces from noise alone, for arithmetic with what they show",
        algorithm=Choice(name="adversarial", settings={"learning_rate": 1e-3}),
        architecture=Choice(name="residual", settings={"width": 16}),
        conditioning=Choice(name="none"),
        data=Choice(name="emoticons", settings={"count": 2000}),
        slots={
            "noise": Choice(name="gaussian", settings={"dim": 64}),
            "objective": Choice(name="non-saturating"),
            "regularizers": (Choice(name="r1"),),  # without it most faces are alike
        },
        training={"steps": 2000, "batch_size": 32, "sample_every": 500, "checkpoint_every": 500},
        metrics=(Choice(name="arithmetic-score"),),
        observers=(Choice(name="health"),),
    )
