"""Regularizers: penalties on how steep the critic is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import RegularizerSpec


@dataclass(frozen=True, kw_only=True)
class SlopeSettings:
    """How much the penalty counts.

    Attributes:
        weight: gamma; the penalty is gamma / 2 times the mean squared norm of the gradient.

    Raises:
        ConfigError: it is not above 0.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)


@dataclass(frozen=True, kw_only=True)
class InterpolationSettings:
    """How much the penalty counts, and the slope that it asks for; Gulrajani et al.'s (2017) are the defaults.

    Attributes:
        weight: lambda; the penalty is lambda times the mean squared distance of the gradient's norm to the target.
        target: that norm.

    Raises:
        ConfigError: a weight that is not above 0, a target below 0.
    """

    weight: float = 10.0
    target: float = 1.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)
        if not 0 <= self.target < math.inf:
            raise ConfigError(f"a regularizer's target is a finite slope, at least 0; got {self.target}")


def _check_weight(weight: float) -> None:
    if not 0 < weight < math.inf:
        raise ConfigError(
            f"a regularizer's weight is finite and above 0; got {weight}; leave the regularizer out instead"
        )


@genframe.hookimpl
def genframe_regularizers() -> Iterable[RegularizerSpec]:
    """The zero-centred penalties and the one-centred one."""
    yield RegularizerSpec(
        name="r1",
        summary="The critic's squared slope at real samples (Mescheder et al. 2018)",
        factory="genframe_regularizers.slopes:R1",
        settings=SlopeSettings,
    )
    yield RegularizerSpec(
        name="r2",
        summary="The critic's squared slope at generated samples (Mescheder et al. 2018)",
        factory="genframe_regularizers.slopes:R2",
        settings=SlopeSettings,
    )
    yield RegularizerSpec(
        name="gradient-penalty",
        summary="The critic's slope between real and generated samples is to be one (Gulrajani et al. 2017)",
        factory="genframe_regularizers.slopes:GradientPenalty",
        settings=InterpolationSettings,
    )
