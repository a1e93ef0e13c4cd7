"""DCGAN: the deep convolutional generative adversarial network of Radford, Metz and Chintala (2016)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import ArchitectureSpec, Choice, RecipeSpec


@dataclass(frozen=True, kw_only=True)
class DCGANSettings:
    """The size of the networks, and what published DCGANs differ in.

    Attributes:
        width: channels of the largest hidden pictures; each halving of the picture doubles them.
        depth: how often the picture is halved; ``None`` halves at least twice and until its smaller side is below 8.
        generator_channels, critic_channels: channels of the hidden pictures, the largest picture first, where they are
            not `width` doubled; one a halving.
        kernel: of every (transposed) convolution.
        padding: ``symmetric``, or ``same`` as TensorFlow has it: an odd row or column is added at the end.
        projection: how the noise becomes the smallest picture: ``convolution`` has a BatchNorm a channel, ``linear``
            one a pixel and channel.
        hidden: units of a dense layer before the projection, and of one before the critic's last layer; 0 is none.
        bias: ``unnormed`` layers have one, ``all`` or ``none``.
        affine: whether BatchNorm has a gain and a shift.
        eps: what BatchNorm adds to the variance.
        pixels: what the networks themselves take a pixel for: ``symmetric`` is [-1, 1] out of a tanh, ``unit`` is
            [0, 1] out of a sigmoid.
        initialisation: ``normal`` is N(0, 0.02) for every weight; ``he`` is He et al.'s truncated normal, and Glorot's
            uniform for the last layer of each network.
        gain_deviation: BatchNorm's gains begin as N(1, gain_deviation).
        generator_norm: whether the generator has BatchNorm.
        generator_activation, critic_activation: after every layer but the last; the paper's are the defaults.
        pooling: the critic halves by convolutions of stride 1 and the largest of each 2x2 pixels, as classifiers did
            before the paper, instead of by stride.
        critic_norm: whether the critic has BatchNorm; gradient penalties are meant for one without, which judges each
            picture by itself.
        spectral_norm: whether each of the critic's weights is divided by its largest singular value (Miyato et al.,
            "Spectral normalization for generative adversarial networks", 2018). BatchNorm's gains are not: without
            `critic_norm` the slope is bounded.

    Raises:
        ConfigError: a number below what makes sense.
    """

    width: int = 64
    depth: int | None = None
    generator_channels: tuple[int, ...] | None = None
    critic_channels: tuple[int, ...] | None = None
    kernel: int = 4
    padding: Literal["symmetric", "same"] = "symmetric"
    projection: Literal["convolution", "linear"] = "convolution"
    hidden: int = 0
    bias: Literal["unnormed", "all", "none"] = "unnormed"
    affine: bool = True
    eps: float = 1e-5
    pixels: Literal["symmetric", "unit"] = "symmetric"
    initialisation: Literal["normal", "he"] = "normal"
    gain_deviation: float = 0.02
    generator_norm: bool = True
    generator_activation: Literal["relu", "leaky_relu"] = "relu"
    critic_activation: Literal["relu", "leaky_relu"] = "leaky_relu"
    pooling: bool = False
    critic_norm: bool = True
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"architecture 'dcgan' got width = {self.width} and needs at least 1; the default is 64")
        if self.depth is not None and self.depth < 1:
            raise ConfigError(
                f"architecture 'dcgan' got depth = {self.depth} and needs at least 1; leave it out to fit the pictures"
            )
        if self.kernel < 2:
            raise ConfigError(f"architecture 'dcgan' got kernel = {self.kernel} and needs at least 2; the default is 4")
        if self.hidden < 0:
            raise ConfigError(f"architecture 'dcgan' got hidden = {self.hidden}; 0 is no dense layer")
        if not 0 < self.eps <= 1 or not 0 <= self.gain_deviation <= 1:
            raise ConfigError(
                f"architecture 'dcgan' got eps = {self.eps} and gain_deviation = {self.gain_deviation}; the one is "
                "above 0, the other at least 0, and both are at most 1"
            )
        for name in ("generator_channels", "critic_channels"):
            self._check_channels(name, getattr(self, name))

    def _check_channels(self, name: str, channels: tuple[int, ...] | None) -> None:
        if channels is None:
            return
        if not channels or min(channels) < 1:
            raise ConfigError(
                f"architecture 'dcgan' got {name} = {list(channels)}; it lists one number a halving, each at least 1"
            )
        if self.depth is not None and self.depth != len(channels):
            raise ConfigError(
                f"architecture 'dcgan' got depth = {self.depth} and {len(channels)} {name}; leave depth out"
            )


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="dcgan",
        summary="Strided (transposed) convolutions with BatchNorm, for pictures of any size from 8x8",
        factory="genframe_dcgan.architecture:DCGAN",
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
        observers=(Choice(name="health"),),
    )
