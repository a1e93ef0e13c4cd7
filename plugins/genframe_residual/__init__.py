"""A small residual GAN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ArchitectureSpec, Choice, RecipeSpec


@dataclass(frozen=True, kw_only=True)
class ResidualSettings:
    """The size of the networks.

    Attributes:
        width: channels of the largest pictures; each halving after the first doubles them, up to 8 times as many.
        depth: how often the picture is halved; ``None`` halves until its smaller side is below 8.
        spectral_norm: whether each of the critic's weights is divided by its largest singular value (Miyato et al.,
            "Spectral normalization for generative adversarial networks", 2018).

    Raises:
        ConfigError: a number below what makes sense.
    """

    width: int = 64
    depth: int | None = None
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        for name, value, remedy in (
            ("width", self.width, "the default is 64"),
            ("depth", self.depth, "leave it out to fit the pictures"),
        ):
            if value is not None and value < 1:
                raise ConfigError(f"architecture 'residual' got {name} = {value} and needs at least 1; {remedy}")


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="residual",
        summary="Residual blocks, BatchNorm in the generator alone, for pictures of any size from 8x8",
        factory="genframe_residual.networks:Residual",
        settings=ResidualSettings,
        roles=frozenset({"generator", "critic"}),
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """A GAN that is small enough for a CPU."""
    yield RecipeSpec(
        name="resgan",
        summary="A small residual GAN: faces from their attributes",
        algorithm=Choice(name="adversarial", settings={"learning_rate": 5e-4}),
        architecture=Choice(name="residual", settings={"width": 16}),
        conditioning=Choice(name="projection", settings={"generator": "batch-norm"}),
        data=Choice(name="emoticons"),
        slots={
            "noise": Choice(name="gaussian", settings={"dim": 64}),
            "objective": Choice(name="non-saturating"),
        },
        training={"steps": 2000, "batch_size": 32, "sample_every": 500, "checkpoint_every": 500},
        observers=(Choice(name="health"),),
    )
