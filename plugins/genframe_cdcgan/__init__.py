"""cDCGAN: a DCGAN whose every layer sees the label, so that a sample's class can be chosen."""

from __future__ import annotations

from collections.abc import Iterable

import genframe
from genframe.specs import Choice, RecipeSpec


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """DCGAN's networks with a dense layer each: as the paper's code has labels and losses, and by what came later."""
    yield RecipeSpec(
        name="cdcgan",
        summary="Conditional DCGAN: pictures of a chosen class",
        algorithm=Choice(name="adversarial", settings={"learning_rate": 1e-3}),
        architecture=Choice(name="dcgan", settings={"width": 32, "hidden": 1024}),
        conditioning=Choice(name="concat"),
        data=Choice(name="digits"),
        slots={
            "noise": Choice(name="uniform", settings={"dim": 100}),
            "objective": Choice(name="non-saturating"),
        },
        training={"steps": 2000, "sample_every": 1000, "checkpoint_every": 1000},
        metrics=(Choice(name="nn1"), Choice(name="label-accuracy")),
        observers=(Choice(name="health"),),
    )
    yield RecipeSpec(
        name="cdcgan-modern",
        summary="The same by relativistic pairing, R1 and R2, with a projecting critic",
        algorithm=Choice(name="adversarial", settings={"learning_rate": 2e-3}),
        architecture=Choice(name="dcgan", settings={"width": 16, "hidden": 256}),
        conditioning=Choice(name="projection"),
        data=Choice(name="digits"),
        slots={
            "noise": Choice(name="gaussian", settings={"dim": 100}),
            "objective": Choice(name="relativistic"),
            "regularizers": (Choice(name="r1"), Choice(name="r2")),
        },
        training={"steps": 2000, "sample_every": 1000, "checkpoint_every": 1000},
        metrics=(Choice(name="nn1"), Choice(name="label-accuracy")),
        observers=(Choice(name="health"),),
    )
