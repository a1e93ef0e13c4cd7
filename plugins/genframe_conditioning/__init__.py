"""Conditioning schemes: how labels enter the networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import ConditioningSpec


@dataclass(frozen=True, kw_only=True)
class ConcatSettings:
    """Where the label joins.

    Attributes:
        layers: ``every`` layer of both networks, or only the ``entry`` that the architecture has for labels.
    """

    layers: Literal["every", "entry"] = "every"


@dataclass(frozen=True, kw_only=True)
class HiddenSettings:
    """The label's own hidden layer in each network; Mirza and Osindero's (2014) sizes are the defaults.

    Attributes:
        generator_units: of the generator's, with ReLU.
        critic_units: of the critic's, with maxout.
        critic_pieces: of that maxout.
        dropout: the share of units that training sets to zero.

    Raises:
        ConfigError: fewer than one unit or piece; a share that is not below 1.
    """

    generator_units: int = 1000
    critic_units: int = 50
    critic_pieces: int = 5
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("generator_units", "critic_units", "critic_pieces"):
            if getattr(self, name) < 1:
                raise ConfigError(f"conditioning 'hidden' got {name} = {getattr(self, name)} and needs at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"conditioning 'hidden' got dropout = {self.dropout}, which is a share in [0, 1)")


@genframe.hookimpl
def genframe_conditionings() -> Iterable[ConditioningSpec]:
    """No labels; labels as further inputs; labels through a hidden layer of their own."""
    yield ConditioningSpec(
        name="none",
        summary="No labels: unconditional generation",
        factory="genframe_conditioning.none:Unconditional",
    )
    yield ConditioningSpec(
        name="concat",
        summary="The label joins the input of the layers of both networks",
        factory="genframe_conditioning.concat:Concatenation",
        settings=ConcatSettings,
        carries=frozenset({"class", "multilabel", "vector"}),
    )
    yield ConditioningSpec(
        name="hidden",
        summary="The label passes a hidden layer of its own and joins at the entry of both networks",
        factory="genframe_conditioning.hidden:HiddenLabel",
        settings=HiddenSettings,
        carries=frozenset({"class", "multilabel", "vector"}),
    )
