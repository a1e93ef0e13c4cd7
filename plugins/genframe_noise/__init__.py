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


@dataclass(frozen=True, kw_only=True)
class UniformSettings(NoiseSettings):
    """How many numbers one z has, and their range.

    Attributes:
        low, high: the range [low, high); the DCGAN paper's is [-1, 1), the first GAN papers' [0, 1).

    Raises:
        ConfigError: the range is empty.
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ConfigError(f"noise 'uniform' got the range [{self.low}, {self.high}); low must be below high")


@genframe.hookimpl
def genframe_noise_samplers() -> Iterable[NoiseSpec]:
    """The uniform law of the DCGAN paper, and the normal law."""
    yield NoiseSpec(
        name="uniform",
        summary="Independent numbers, uniform on [-1, 1) or another range",
        factory="genframe_noise.laws:Uniform",
        settings=UniformSettings,
    )
    yield NoiseSpec(
        name="gaussian",
        summary="Independent standard normal numbers",
        factory="genframe_noise.laws:Gaussian",
        settings=NoiseSettings,
    )
