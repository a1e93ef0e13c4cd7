"""DCGAN: the deep convolutional generative adversarial network of Radford, Metz and Chintala (2016)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ArchitectureSpec, Choice, RecipeSpec


@dataclass(frozen=True, kw_only=True)
class DCGANSettings:
    """The size of the networks.

    Attributes:
        width: channels of the largest hidden pictures; each halving of the picture doubles them.
        depth: how often the picture is halved; ``None`` halves at least twice and until its smaller side is below 8.

    Raises:
        ConfigError: either is below 1.
    """

    width: int = 64
    depth: int | None = None

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"architecture 'dcgan' got width = {self.width} and needs at least 1; the default is 64")
        if self.depth is not None and self.depth < 1:
            raise ConfigError(
                f"architecture 'dcgan' got depth = {self.depth} and needs at least 1; leave it out to fit the pictures"
            )


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="dcgan",
        summary="Strided (transposed) convolutions with BatchNorm, for pictures of any size from 8x8",
        factory="genframe_dcgan.network:DCGAN",
        settings=DCGANSettings,
        roles=frozenset({"generator", "critic"}),
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """The unconditional network, trained as in the paper."""
    yield RecipeSpec(
        name="dcgan",
        summary="DCGAN: pictures from noise",
        algorithm=Choice(name="adversarial"),
        architecture=Choice(name="dcgan", settings={"width": 48}),
        conditioning=Choice(name="none"),
        data=Choice(name="digits"),
        slots={
            "noise": Choice(name="uniform", settings={"dim": 100}),
            "objective": Choice(name="non-saturating"),
        },
        training={"steps": 2000, "sample_every": 1000, "checkpoint_every": 1000},
    )
