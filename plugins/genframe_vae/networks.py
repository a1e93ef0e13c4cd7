"""A convolutional encoder and its mirror image.

The blocks are DCGAN's (Radford, Metz and Chintala, 2016): kernels of 4x4 and stride 2, BatchNorm and (leaky) ReLU. All
layers are asked of the conditioning scheme, so that labels may enter anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from genframe.errors import ConfigError, quoted
from genframe.interfaces import BlockSpec, Condition, Conditioning
from genframe.shapes import Problem
from genframe_kernels import flatten
from genframe_vae import ConvolutionSettings

_SMALLEST = 8


class Convolutions:
    """Builds both networks at the size that the problem asks for."""

    def __init__(self, settings: ConvolutionSettings) -> None:
        self._settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"encoder": images_BCHW, condition -> (B, 2Z); "decoder": noise_BZ, condition -> (B, C, H, W)}``.

        Raises:
            ConfigError: the output is no picture, or too small; there is no noise; the condition is more than labels.
        """
        output, others = problem.output, problem.condition.keys() - problem.labels.keys()
        if output.kind != "image" or min(output.shape[1:]) < _SMALLEST or others or problem.noise_shape is None:
            raise ConfigError(
                f"architecture 'vae' makes images of at least {_SMALLEST}x{_SMALLEST} from noise and labels, and got "
                f"{output.kind} {output.shape}, noise {problem.noise_shape} and the conditions "
                f"{quoted(sorted(problem.condition))}: choose larger pictures or another architecture"
            )
        size = (output.shape[1], output.shape[2])
        depth = next(depth for depth in range(2, min(size)) if min(size) >> depth < _SMALLEST)
        sizes = [(size[0] >> level, size[1] >> level) for level in range(depth + 1)]
        channels = [output.shape[0], *(self._settings.width << level for level in range(depth))]
        units = (self._settings.hidden, math.prod(problem.noise_shape))
        return {
            "encoder": Encoder(channels, sizes[-1], *units, conditioning),
            "decoder": Decoder(channels, sizes, *units, conditioning),
        }


class Encoder(nn.Module):
    """From pictures to the mean and the log-variance of their code.

    Args:
        channels: of the pictures of each size, the input's first.
        smallest: (height, width) of the last.
        hidden: units of the dense layer.
        codes: how many numbers Z one code has.
        conditioning: makes the layers.
    """

    def __init__(
        self, channels: list[int], smallest: tuple[int, int], hidden: int, codes: int, conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("encoder")

        def block(inputs: int, outputs: int, **fields: Any) -> nn.Module:
            common: dict[str, Any] = {"activation": "leaky_relu", "role": "encoder"}
            return conditioning.block(BlockSpec(in_channels=inputs, out_channels=outputs, **common | fields))

        self.halvings = nn.ModuleList(
            block(inputs, outputs, operation="conv", norm=level > 0, entry=level == 0)
            for level, (inputs, outputs) in enumerate(pairwise(channels))
        )
        self.dense = block(channels[-1] * math.prod(smallest), hidden, operation="linear")
        self.code = block(hidden, 2 * codes, operation="linear", norm=False, activation="none")

    def forward(self, images_BCHW: Tensor, condition: Condition) -> Tensor:
        """``(B, 2Z)``, from pictures in [-1, 1]."""
        code, x = self.encoder(condition), images_BCHW
        for layer in self.halvings:
            x = layer(x, code)
        y: Tensor = self.code(self.dense(flatten(x), code), code)
        return y


class Decoder(nn.Module):
    """From codes to a number for each pixel.

    Args:
        channels: of the pictures of each size, the output's first.
        sizes: (height, width), the output's first, each half of the one before.
        hidden: units of the dense layer.
        codes: how many numbers Z one code has.
        conditioning: makes the layers.
    """

    def __init__(
        self, channels: list[int], sizes: list[tuple[int, int]], hidden: int, codes: int, conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("decoder")
        self.smallest = (channels[-1], *sizes[-1])

        def block(inputs: int, outputs: int, **fields: Any) -> nn.Module:
            return conditioning.block(BlockSpec(in_channels=inputs, out_channels=outputs, role="decoder", **fields))

        self.dense = block(codes, hidden, operation="linear", entry=True)
        self.project = block(hidden, math.prod(self.smallest), operation="linear")
        self.doublings = nn.ModuleList(
            block(
                channels[level + 1],
                channels[level],
                operation="conv_transpose",
                output_padding=(sizes[level][0] % 2, sizes[level][1] % 2),
                norm=level > 0,
                activation="relu" if level > 0 else "none",
            )
            for level in reversed(range(len(sizes) - 1))
        )

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``(B, C, H, W)``, free numbers, from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        x: Tensor = self.project(self.dense(noise.flatten(1), code), code).unflatten(1, self.smallest)
        for layer in self.doublings:
            x = layer(x, code)
        return x
