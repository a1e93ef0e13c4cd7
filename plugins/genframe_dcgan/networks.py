"""The generator and the critic of DCGAN, for pictures of any size from 8x8, square or not.

Radford et al., "Unsupervised representation learning with deep convolutional generative adversarial networks" (2016):
the generator projects z to a small picture of many channels and doubles it by transposed convolutions of stride 2; the
critic halves by convolutions of stride 2 in mirror image. BatchNorm everywhere but at the generator's output and the
critic's input; ReLU and a final tanh in the generator, LeakyReLU(0.2) in the critic; no pooling. The paper has no
hidden dense layer; the published MNIST codes have one in each network, which `DCGANSettings.hidden` adds.

Every layer is asked of the conditioning scheme, so that labels may enter anywhere.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from torch import Tensor, nn

from genframe.interfaces import BlockSpec, Condition, Conditioning, Critique
from genframe_dcgan import DCGANSettings
from genframe_dcgan.geometry import Size, doubling, halving
from genframe_kernels import flatten, one_power_iteration


class Generator(nn.Module):
    """From noise to pictures.

    Args:
        settings: of the architecture.
        noise: how many numbers one z has.
        channels: of the pictures of each size, the output's first.
        sizes: (height, width), the output's first, each half of the one before.
        conditioning: makes the layers.
    """

    def __init__(
        self,
        settings: DCGANSettings,
        noise: int,
        channels: list[int],
        sizes: list[Size],
        conditioning: Conditioning,
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("generator")
        self.dense = nn.ModuleList()
        if settings.hidden:
            spec = _spec(settings, "generator", operation="linear", out_channels=settings.hidden, in_channels=noise)
            self.dense.append(conditioning.block(_entry(spec)))
        first = _projection(settings, settings.hidden or noise, channels[-1], sizes[-1])
        self.project = conditioning.block(first if settings.hidden else _entry(first))
        self.doublings = nn.ModuleList(
            conditioning.block(
                _spec(
                    settings,
                    "generator",
                    operation="conv_transpose",
                    in_channels=channels[level + 1],
                    out_channels=channels[level],
                    **({} if level > 0 else _last(settings)),
                    **doubling(sizes[level], settings.kernel, settings.padding),
                )
            )
            for level in reversed(range(len(sizes) - 1))
        )
        self.smallest = (channels[-1], *sizes[-1])
        self.projection = settings.projection
        self.pixels = settings.pixels

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``images_BCHW`` in [-1, 1], from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        x: Tensor = noise.flatten(1)
        for layer in self.dense:
            x = layer(x, code)
        if self.projection == "convolution":
            x = self.project(x[:, :, None, None], code)
        else:
            x = self.project(x, code).unflatten(1, self.smallest)
        for layer in self.doublings:
            x = layer(x, code)
        return x if self.pixels == "symmetric" else x * 2.0 - 1.0


class Critic(nn.Module):
    """Real or generated: the paper's discriminator, which gives logits.

    Args:
        settings: of the architecture.
        channels: of the pictures of each size, the input's first.
        sizes: (height, width), the input's first, each half of the one before.
        conditioning: makes the layers.
    """

    def __init__(
        self, settings: DCGANSettings, channels: list[int], sizes: list[Size], conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("critic")
        halving_specs = [
            _spec(
                settings,
                "critic",
                operation="conv",
                in_channels=channels[level],
                out_channels=channels[level + 1],
                **({} if level > 0 else {"norm": False}),
                **_halving(settings, sizes[level]),
            )
            for level in range(len(sizes) - 1)
        ]
        self.halvings = nn.ModuleList(
            conditioning.block(spec) for spec in (_entry(halving_specs[0]), *halving_specs[1:])
        )
        self.pools = nn.ModuleList(nn.AdaptiveMaxPool2d(size) for size in sizes[1:] if settings.pooling)
        features = channels[-1] * math.prod(sizes[-1])
        self.dense = nn.ModuleList()
        if settings.hidden:
            spec = _spec(settings, "critic", operation="linear", in_channels=features, out_channels=settings.hidden)
            self.dense.append(conditioning.block(spec))
        self.head = conditioning.head(settings.hidden or features, bias=settings.bias != "none")
        self.pixels = settings.pixels

    def forward(self, images_BCHW: Tensor, condition: Condition) -> Critique:
        """One logit a picture for a plain head."""
        with one_power_iteration():
            code = self.encoder(condition)
            x = images_BCHW if self.pixels == "symmetric" else (images_BCHW + 1.0) / 2.0
            for level, layer in enumerate(self.halvings):
                x = layer(x, code)
                x = self.pools[level](x) if self.pools else x
            x = flatten(x)
            for layer in self.dense:
                x = layer(x, code)
            critique: Critique = self.head(x, code)
        return critique


def _projection(settings: DCGANSettings, inputs: int, channels: int, size: Size) -> BlockSpec:
    """The block from a vector to the smallest picture; a transposed convolution of one pixel, or a dense layer."""
    if settings.projection == "linear":
        outputs = channels * math.prod(size)
        return _spec(settings, "generator", operation="linear", in_channels=inputs, out_channels=outputs)
    return _spec(
        settings,
        "generator",
        operation="conv_transpose",
        in_channels=inputs,
        out_channels=channels,
        kernel=size,
        stride=(1, 1),
        padding=(0, 0),
    )


def _spec(settings: DCGANSettings, role: str, **fields: Any) -> BlockSpec:
    """A block of that network as the settings want it."""
    is_generator = role == "generator"
    common: dict[str, Any] = {
        "bias": {"unnormed": None, "all": True, "none": False}[settings.bias],
        "affine": settings.affine,
        "eps": settings.eps,
        "norm": settings.generator_norm if is_generator else settings.critic_norm,
        "activation": settings.generator_activation if is_generator else settings.critic_activation,
        "slope": 0.2,
        "role": role,
    }
    return BlockSpec(**common | fields)


def _last(settings: DCGANSettings) -> dict[str, Any]:
    """What is different in the generator's last layer."""
    return {"norm": False, "activation": "tanh" if settings.pixels == "symmetric" else "sigmoid"}


def _halving(settings: DCGANSettings, size: Size) -> dict[str, Any]:
    """The geometry of a convolution that halves, or that leaves it to the pooling after it and keeps the size."""
    if not settings.pooling:
        return halving(size, settings.kernel, settings.padding)
    before, after = (settings.kernel - 1) // 2, settings.kernel // 2
    sides = {"padding": (before, before), "end_padding": (after, after)}
    return {"kernel": (settings.kernel, settings.kernel), "stride": (1, 1), **sides}


def _entry(spec: BlockSpec) -> BlockSpec:
    return dataclasses.replace(spec, entry=True)
