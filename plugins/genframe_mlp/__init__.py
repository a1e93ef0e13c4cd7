"""Fully connected networks with maxout and dropout, as the first conditional GAN had them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ArchitectureSpec


@dataclass(frozen=True, kw_only=True)
class MaxoutSettings:
    """The sizes of Mirza and Osindero's (2014) networks are the defaults.

    Attributes:
        noise_units: of the generator's first layer, over z, with ReLU.
        joint_units: of the generator's second layer, which labels join, with ReLU.
        critic_units: of both layers of the critic, with maxout.
        critic_pieces: of the maxout over the picture.
        joint_pieces: of the maxout that labels join.
        dropout: the share of units that training sets to zero in each hidden layer.

    Raises:
        ConfigError: fewer than one unit or piece; a share that is not below 1.
    """

    noise_units: int = 200
    joint_units: int = 1200
    critic_units: int = 240
    critic_pieces: int = 5
    joint_pieces: int = 4
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("noise_units", "joint_units", "critic_units", "critic_pieces", "joint_pieces"):
            if getattr(self, name) < 1:
                raise ConfigError(f"architecture 'maxout-mlp' got {name} = {getattr(self, name)} and needs at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"architecture 'maxout-mlp' got dropout = {self.dropout}, which is a share in [0, 1)")


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="maxout-mlp",
        summary="Fully connected layers, with maxout in the critic and dropout in both, for pictures of any size",
        factory="genframe_mlp.maxout:MaxoutMLP",
        settings=MaxoutSettings,
        roles=frozenset({"generator", "critic"}),
    )
