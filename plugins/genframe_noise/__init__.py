"""Noise samplers: the laws of z."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import NoiseSpec

#: As many Gaussians as a mixture may have.
MOST_COMPONENTS = 1000

#: What bounds, radii and deviations may be, so that float32 holds every z.
SMALLEST, LARGEST = 1e-6, 1e6


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
        ConfigError: the range is empty, or reaches beyond 1e6.
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -LARGEST <= self.low < self.high <= LARGEST:
            raise ConfigError(
                f"noise 'uniform' got the range [{self.low}, {self.high}); low must be below high, and both within "
                f"{LARGEST:g} of 0"
            )


@dataclass(frozen=True, kw_only=True)
class TruncatedSettings(NoiseSettings):
    """How many numbers one z has, and how large they may be.

    Attributes:
        bound: no coordinate is beyond it. Of standard normal numbers, 95% are within 2, 68% within 1. Smaller bounds
            give samples that are more alike and more typical.

    Raises:
        ConfigError: no bound from 1e-6 to 1e6.
    """

    bound: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size("truncated", "bound", self.bound, "2")


@dataclass(frozen=True, kw_only=True)
class SphericalSettings(NoiseSettings):
    """How many numbers one z has, and how long it is.

    Attributes:
        radius: the length of each z. By default the square root of `dim`, near which a normal z is, too.

    Raises:
        ConfigError: no radius from 1e-6 to 1e6.
    """

    radius: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.radius is not None:
            _check_size("spherical", "radius", self.radius, "10, or leave it out for the square root of dim")


@dataclass(frozen=True, kw_only=True)
class MixtureSettings(NoiseSettings):
    """How many numbers one z has, and the Gaussians that it comes from.

    By default, coordinates have the variance 1 in the mean: 0.8 * 0.8 + 0.6 * 0.6.

    Attributes:
        components: how many Gaussians, of equal weights.
        spread: the deviation of the coordinates of their means, which are normal numbers themselves.
        deviation: of each Gaussian about its mean, in each coordinate.
        seed: of the means.

    Raises:
        ConfigError: no such mixture.
    """

    components: int = 10
    spread: float = 0.8
    deviation: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_components("mixture", self.components)
        _check_size("mixture", "spread", self.spread, "0.8")
        _check_size("mixture", "deviation", self.deviation, "0.6")


@dataclass(frozen=True, kw_only=True)
class FittedSettings:
    """How a mixture of Gaussians is fitted to the z of good samples.

    Attributes:
        samples: how many are drawn and rated.
        keep: the share of them that the critic rates best, of each condition.
        components: how many Gaussians.
        covariance: ``full``, a matrix for each; ``tied``, one matrix; ``diag``, a variance for each coordinate of each;
            ``spherical``, a variance for each. A matrix takes many more samples than z has numbers.
        seed: of the start of the fit.

    Raises:
        ConfigError: no such fit.
    """

    samples: int = 4096
    keep: float = 0.25
    components: int = 10
    covariance: Literal["full", "tied", "diag", "spherical"] = "diag"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_components("fitted", self.components)
        if not 0 < self.keep <= 1:
            raise ConfigError(f"noise 'fitted' got keep = {self.keep} and needs a share above 0 and up to 1, say 0.25")
        if self.samples < 2:
            raise ConfigError(f"noise 'fitted' got samples = {self.samples} and needs at least 2, say 4096")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"noise 'fitted' got seed = {self.seed} and needs one from 0 to 2**32 - 1, say 0")


def _check_size(name: str, setting: str, value: float, advice: str) -> None:
    if not SMALLEST <= value <= LARGEST:
        accepted = f"a number from {SMALLEST:g} to {LARGEST:g}"
        raise ConfigError(f"noise '{name}' got {setting} = {value} and needs {accepted}, say {advice}")


def _check_components(name: str, components: int) -> None:
    if not 1 <= components <= MOST_COMPONENTS:
        raise ConfigError(f"noise '{name}' got components = {components} and needs 1 to {MOST_COMPONENTS:,}, say 10")


@genframe.hookimpl
def genframe_noise_samplers() -> Iterable[NoiseSpec]:
    """The uniform law of the DCGAN paper, normal laws of several shapes, and one that is fitted to a trained run."""
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
    yield NoiseSpec(
        name="truncated",
        summary="Independent standard normal numbers of which none is beyond a bound",
        factory="genframe_noise.laws:Truncated",
        settings=TruncatedSettings,
    )
    yield NoiseSpec(
        name="spherical",
        summary="Points of a sphere, all equally likely",
        factory="genframe_noise.laws:Spherical",
        settings=SphericalSettings,
    )
    yield NoiseSpec(
        name="mixture",
        summary="Several Gaussians of equal weights",
        factory="genframe_noise.laws:Mixture",
        settings=MixtureSettings,
    )
    yield NoiseSpec(
        name="fitted",
        summary="For a trained run: Gaussians fitted to the z whose samples its critic rates best",
        factory="genframe_noise.fitted:FittedMixture",
        settings=FittedSettings,
    )
