"""The generator and the critic of DCGAN, for pictures of any size from 8x8, square or not.

Radford et al., "Unsupervised representation learning with deep convolutional generative adversarial networks" (2016):
the generator projects z to a small picture of many channels and doubles it by transposed convolutions of stride 2; the
critic halves by convolutions of stride 2 in mirror image. BatchNorm everywhere but at the generator's output and the
critic's input; ReLU and a final tanh in the generator, LeakyReLU(0.2) in the critic; no pooling, no hidden dense layer.

Every layer is asked of the conditioning scheme, so that labels may enter anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from genframe.errors import ConfigError, quoted
from genframe.interfaces import BlockSpec, Condition, Conditioning, Critique
from genframe.shapes import Problem
from genframe_dcgan import DCGANSettings

_SMALLEST = 8
_STANDARD_DEVIATION = 0.02  # of every weight at the start, as in the paper


class DCGAN:
    """Builds both networks at the size that the problem asks for."""

    def __init__(self, settings: DCGANSettings) -> None:
        self.settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"generator": noise_BZ, condition -> images_BCHW; "critic": images_BCHW, condition -> logits_B}``.

        Raises:
            ConfigError: the output is no picture, or too small; there is no noise; the condition is more than labels.
        """
        _refuse_what_does_not_fit(problem)
        colours, height, width = problem.output.shape
        sizes = _halvings((height, width), self.settings.depth)
        channels = [colours, *(self.settings.width * 2**level for level in range(len(sizes) - 1))]
        networks = {
            "generator": Generator(math.prod(problem.noise_shape or ()), channels, sizes, conditioning),
            "critic": Critic(channels, sizes, conditioning),
        }
        for network in networks.values():
            network.apply(_initialise)
        return networks


class Generator(nn.Module):
    """From noise to pictures.

    Args:
        noise: how many numbers one z has.
        channels: of the pictures of each size, the output's first.
        sizes: (height, width), the output's first, each half of the one before.
        conditioning: makes the layers.
    """

    def __init__(self, noise: int, channels: list[int], sizes: list[tuple[int, int]], conditioning: Conditioning):
        super().__init__()
        self.encoder = conditioning.encoder()
        self.project = conditioning.block(
            BlockSpec(
                operation="conv_transpose",
                in_channels=noise,
                out_channels=channels[-1],
                kernel=sizes[-1],
                stride=(1, 1),
                padding=(0, 0),
                role="generator",
            )
        )
        self.doublings = nn.ModuleList(
            conditioning.block(
                BlockSpec(
                    operation="conv_transpose",
                    in_channels=channels[level + 1],
                    out_channels=channels[level],
                    output_padding=(sizes[level][0] % 2, sizes[level][1] % 2),
                    norm=level > 0,
                    activation="relu" if level > 0 else "tanh",
                    role="generator",
                )
            )
            for level in reversed(range(len(sizes) - 1))
        )

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``images_BCHW`` in [-1, 1], from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        x_BCHW: Tensor = self.project(noise.flatten(1)[:, :, None, None], code)
        for doubling in self.doublings:
            x_BCHW = doubling(x_BCHW, code)
        return x_BCHW


class Critic(nn.Module):
    """Real or generated: the paper's discriminator, which gives logits.

    Args:
        channels: of the pictures of each size, the input's first.
        sizes: (height, width), the input's first, each half of the one before.
        conditioning: makes the layers.
    """

    def __init__(self, channels: list[int], sizes: list[tuple[int, int]], conditioning: Conditioning) -> None:
        super().__init__()
        self.encoder = conditioning.encoder()
        self.halvings = nn.ModuleList(
            conditioning.block(
                BlockSpec(
                    operation="conv",
                    in_channels=wide,
                    out_channels=narrow,
                    norm=level > 0,
                    activation="leaky_relu",
                    slope=0.2,
                    role="critic",
                )
            )
            for level, (wide, narrow) in enumerate(pairwise(channels))
        )
        self.head = conditioning.head(channels[-1] * math.prod(sizes[-1]))

    def forward(self, images_BCHW: Tensor, condition: Condition) -> Critique:
        """One logit a picture for a plain head."""
        code = self.encoder(condition)
        x_BCHW = images_BCHW
        for halving in self.halvings:
            x_BCHW = halving(x_BCHW, code)
        critique: Critique = self.head(x_BCHW.flatten(1), code)
        return critique


def _halvings(size: tuple[int, int], depth: int | None) -> list[tuple[int, int]]:
    """The sizes from the output's down, each the floor of half the one before, which is what a k4 s2 p1 layer makes."""
    smaller = min(size)
    if depth is None:
        depth = next(depth for depth in range(2, smaller) if smaller >> depth < _SMALLEST)
    if smaller >> depth < 1:
        raise ConfigError(
            f"architecture 'dcgan' got depth = {depth} for pictures of {size[0]}x{size[1]}, which can be halved "
            f"{smaller.bit_length() - 1} times at most; choose a smaller depth or leave it out"
        )
    return [(size[0] >> level, size[1] >> level) for level in range(depth + 1)]


def _refuse_what_does_not_fit(problem: Problem) -> None:
    output = problem.output
    if output.kind != "image":
        raise ConfigError(
            f"architecture 'dcgan' got data of kind {output.kind!r} and makes images only; "
            "choose image data or another architecture"
        )
    if min(output.shape[1:]) < _SMALLEST:
        raise ConfigError(
            f"architecture 'dcgan' got pictures of {output.shape[1]}x{output.shape[2]} and needs at least "
            f"{_SMALLEST}x{_SMALLEST}; choose larger ones with --image-size"
        )
    if problem.noise_shape is None:
        raise ConfigError(
            "architecture 'dcgan' got no noise and makes its pictures from it; choose an algorithm with a noise sampler"
        )
    others = problem.condition.keys() - problem.labels.keys()
    if others:
        raise ConfigError(
            f"architecture 'dcgan' got the condition {quoted(sorted(others))} and takes labels only; "
            "choose an architecture that reads it"
        )


def _initialise(module: nn.Module) -> None:
    """N(0, 0.02) for weights, N(1, 0.02) for BatchNorm's gains, zero for biases."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, _STANDARD_DEVIATION)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, _STANDARD_DEVIATION)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
