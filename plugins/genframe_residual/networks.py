"""Residual networks for both sides of a GAN.

In the spirit of the ResNets of Miyato et al. ("Spectral normalization for generative adversarial networks", 2018,
appendix B.4) and Mescheder et al. ("Which training methods for GANs do actually converge?", 2018): nearest-neighbour
upsampling, average pooling, 3x3 convolutions, BatchNorm in the generator alone. Blocks are activated after the sum, as
in He et al. ("Deep residual learning for image recognition", 2016); pictures change size between two convolutions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from genframe.errors import ConfigError, quoted
from genframe.interfaces import BlockSpec, Condition, Conditioning, Critique
from genframe.shapes import Problem
from genframe_kernels import activation_layers, flatten, normalise_spectrum, one_power_iteration
from genframe_residual import ResidualSettings

_SMALLEST = 8


class Residual:
    """Builds both networks at the size that the problem asks for."""

    def __init__(self, settings: ResidualSettings) -> None:
        self.settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"generator": noise_BZ, condition -> images_BCHW; "critic": images_BCHW, condition -> logits_B}``.

        Raises:
            ConfigError: the output is no picture, or too small; there is no noise; the condition is more than labels.
        """
        _refuse_what_does_not_fit(problem)
        colours, *size = problem.output.shape
        sizes = self._sizes(size)
        channels = [colours, *(self.settings.width * 2 ** min(level, 3) for level in range(len(sizes) - 1))]
        generator = Generator(math.prod(problem.noise_shape or ()), channels, sizes, conditioning)
        critic = Critic(channels, sizes, conditioning)
        _initialise(generator, generator.colours)
        _initialise(critic, critic.head)
        if self.settings.spectral_norm:
            normalise_spectrum(critic)
        return {"generator": generator, "critic": critic}

    def _sizes(self, size: list[int]) -> list[tuple[int, int]]:
        """Of all pictures, the output's first; each is half the one before, rounded up."""
        most = (min(size) - 1).bit_length()
        depth = self.settings.depth or next(d for d in range(1, most) if math.ceil(min(size) / 2**d) < _SMALLEST)
        if depth > most:
            raise ConfigError(
                f"architecture 'residual' got depth = {depth} for pictures of {size[0]}x{size[1]}, which can be halved "
                f"{most} times at most; choose a smaller depth or leave it out"
            )
        return [(math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)) for level in range(depth + 1)]


class ResidualBlock(nn.Module):
    """``activation(shortcut(resize(x)) + second(resize(first(x))))``, without a shortcut layer where channels stay."""

    def __init__(
        self, role: str, inputs: int, outputs: int, resize: nn.Module, conditioning: Conditioning, entry: bool = False
    ) -> None:
        super().__init__()
        plain = {"kernel": (1, 1), "padding": (0, 0), "norm": False, "activation": "none"}
        shortcuts = [_convolution(role, inputs, outputs, **plain)] if inputs != outputs else []
        self.resize = resize
        self.shortcut = nn.ModuleList(conditioning.block(spec) for spec in shortcuts)
        self.first = conditioning.block(_convolution(role, inputs, outputs, entry=entry))
        self.second = conditioning.block(_convolution(role, outputs, outputs, activation="none"))
        self.activation = nn.Sequential(*activation_layers(_STYLES[role]["activation"]))

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        """``(B, inputs, h, w)`` to ``(B, outputs, H, W)``."""
        y = self.second(self.resize(self.first(x, code)), code)
        x = self.resize(x)
        for layer in self.shortcut:
            x = layer(x, code)
        activated: Tensor = self.activation(x + y)
        return activated


class Generator(nn.Module):
    """From noise to pictures, by `channels` and `sizes` (height, width) of the pictures, the output's first."""

    def __init__(
        self, noise: int, channels: list[int], sizes: list[tuple[int, int]], conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("generator")
        self.smallest = (channels[-1], *sizes[-1])
        units = math.prod(self.smallest)
        self.project = conditioning.block(
            BlockSpec(operation="linear", in_channels=noise, out_channels=units, role="generator", entry=True)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock("generator", channels[n], channels[max(n - 1, 1)], nn.Upsample(sizes[n - 1]), conditioning)
            for n in range(len(sizes) - 1, 0, -1)
        )
        last = _convolution("generator", channels[1], channels[0], norm=False, activation="tanh")
        self.colours = conditioning.block(last)

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``images_BCHW`` in [-1, 1], from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        x: Tensor = self.project(noise.flatten(1), code).unflatten(1, self.smallest)
        for block in self.blocks:
            x = block(x, code)
        images: Tensor = self.colours(x, code)
        return images


class Critic(nn.Module):
    """Real or generated, by `channels` and `sizes` of the pictures, the input's first."""

    def __init__(self, channels: list[int], sizes: list[tuple[int, int]], conditioning: Conditioning) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("critic")
        self.blocks = nn.ModuleList(
            ResidualBlock("critic", inputs, outputs, nn.AvgPool2d(2, ceil_mode=True), conditioning, entry=n == 0)
            for n, (inputs, outputs) in enumerate(itertools.pairwise(channels))
        )
        self.head = conditioning.head(channels[-1] * math.prod(sizes[-1]))

    def forward(self, images_BCHW: Tensor, condition: Condition) -> Critique:
        """One logit a picture for a plain head."""
        with one_power_iteration():
            code, x = self.encoder(condition), images_BCHW
            for block in self.blocks:
                x = block(x, code)
            critique: Critique = self.head(flatten(x), code)
        return critique


_STYLES: Mapping[str, Mapping[str, Any]] = {
    "generator": {"norm": True, "activation": "relu"},
    "critic": {"norm": False, "activation": "leaky_relu"},
}


def _convolution(role: str, inputs: int, outputs: int, **fields: Any) -> BlockSpec:
    """A 3x3 convolution that keeps the size, with the role's norm and activation."""
    common = {"operation": "conv", "in_channels": inputs, "out_channels": outputs, "role": role}
    geometry = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1)}
    return BlockSpec(**{**common, **geometry, **_STYLES[role], **fields})


def _initialise(network: nn.Module, last: nn.Module) -> None:
    """He et al.'s (2015) normal weights; Glorot and Bengio's (2010) in the `last` layer, which no ReLU follows.

    The second convolution of each of L branches is divided by the square root of L, so that depth enlarges a signal's
    mean square by ``(1 + 1/L)**L < e`` at most (Hanin and Rolnick, "How to start training", 2018, on ResNets). A norm
    undoes that. Biases are zero.
    """
    branches = [module.second for module in network.modules() if isinstance(module, ResidualBlock)]
    in_branches = {module for branch in branches for module in branch.modules()}
    in_last = set(last.modules())
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if layer in in_last:
            nn.init.xavier_normal_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer in in_branches:
            layer.weight.data /= math.sqrt(len(branches))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _refuse_what_does_not_fit(problem: Problem) -> None:
    output = problem.output
    if output.kind != "image":
        said = f"data of kind {output.kind!r} and makes images only; choose image data or another architecture"
    elif min(output.shape[1:]) < _SMALLEST:
        size = f"{output.shape[1]}x{output.shape[2]}"
        said = f"pictures of {size} and needs at least {_SMALLEST}x{_SMALLEST}; choose larger ones with --image-size"
    elif problem.noise_shape is None:
        said = "no noise and makes its pictures from it; choose an algorithm with a noise sampler"
    elif others := problem.condition.keys() - problem.labels.keys():
        said = f"the condition {quoted(sorted(others))} and takes labels only; choose an architecture that reads it"
    else:
        return
    raise ConfigError(f"architecture 'residual' got {said}")
