"""Noise samplers: the laws of z."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import NoiseSpec


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """How many numbers one z has.

    Raises:
        ConfigError: fewer than one.
    """

    dim: int = 100

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ConfigError(f"noise got dim = {self.dim} and needs at least 1; choose a positive number, say 100")


@genframe.hookimpl
def genframe_noise_samplers() -> Iterable[NoiseSpec]:
    """The uniform law of the DCGAN paper, and the normal law."""
    yield NoiseSpec(
        name="uniform",
        summary="Independent numbers, uniform on [-1, 1)",
        factory="genframe_noise.laws:Uniform",
        settings=NoiseSettings,
    )
    yield NoiseSpec(
        name="gaussian",
        summary="Independent standard normal numbers",
        factory="genframe_noise.laws:Gaussian",
        settings=NoiseSettings,
    )
