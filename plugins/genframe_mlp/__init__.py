"""Fully connected networks: plain ones, and those with maxout and dropout that the first conditional GAN had."""

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


@dataclass(frozen=True, kw_only=True)
class MLPSettings:
    """The size of both networks.

    Attributes:
        hidden: units of each hidden layer: ReLU in the generator, LeakyReLU with slope 0.2 in the critic.
        depth: how many hidden layers each network has.
        generator_norm: whether the generator has BatchNorm; the critic has none.

    Raises:
        ConfigError: fewer than one unit or layer.
    """

    hidden: int = 128
    depth: int = 2
    generator_norm: bool = False

    def __post_init__(self) -> None:
        for name in ("hidden", "depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"architecture 'mlp' got {name} = {getattr(self, name)} and needs at least 1")


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="mlp",
        summary="Plain fully connected layers, for points and for small pictures",
        factory="genframe_mlp.dense:MLP",
        settings=MLPSettings,
        roles=frozenset({"generator", "critic"}),
    )
    yield ArchitectureSpec(
        name="maxout-mlp",
        summary="Fully connected layers, with maxout in the critic and dropout in both, for pictures of any size",
        factory="genframe_mlp.maxout:MaxoutMLP",
        settings=MaxoutSettings,
        roles=frozenset({"generator", "critic"}),
    )
