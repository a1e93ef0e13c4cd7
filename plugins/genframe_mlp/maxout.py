"""The fully connected networks of the first conditional GAN.

Mirza and Osindero, "Conditional generative adversarial nets", 2014, section 4.1: z passes 200 ReLU units, which labels
join in 1,200 more, then one sigmoid a pixel; the picture passes maxout units (240 of 5 pieces), which labels join in
240 of 4 pieces, then one logit. Pixels are [0, 1] for the networks themselves. The paper does not give the initial
weights: they are uniform within ±0.05 here, and within ±0.005 for maxout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from genframe.interfaces import BlockSpec, Condition, Conditioning, Critique
from genframe.shapes import Problem
from genframe_kernels import Maxout
from genframe_mlp import MaxoutSettings
from genframe_mlp.serving import refuse_what_does_not_fit

_RANGE = 0.05
_MAXOUT_RANGE = 0.005


class MaxoutMLP:
    """Builds both networks."""

    def __init__(self, settings: MaxoutSettings) -> None:
        self.settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"generator": noise_BZ, condition -> images_BCHW; "critic": images_BCHW, condition -> logits_B}``.

        Raises:
            ConfigError: the output is no picture; there is no noise; the condition is more than labels.
        """
        refuse_what_does_not_fit("maxout-mlp", problem, ["image"])
        noise = math.prod(problem.noise_shape or ())
        networks = {
            "generator": Generator(self.settings, noise, problem.output.shape, conditioning),
            "critic": Critic(self.settings, math.prod(problem.output.shape), conditioning),
        }
        for network in networks.values():
            _initialise(network)
        return networks


class Generator(nn.Module):
    """From noise to pictures.

    Args:
        settings: of the architecture.
        noise: how many numbers one z has.
        shape: (C, H, W) of the pictures.
        conditioning: makes the layers.
    """

    def __init__(
        self, settings: MaxoutSettings, noise: int, shape: tuple[int, ...], conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("generator")

        def block(inputs: int, outputs: int, activation: str, dropout: float, entry: bool = False) -> nn.Module:
            return conditioning.block(
                BlockSpec(
                    operation="linear",
                    in_channels=inputs,
                    out_channels=outputs,
                    norm=False,
                    activation=activation,  # type: ignore[arg-type]
                    dropout=dropout,
                    role="generator",
                    entry=entry,
                )
            )

        self.noise = block(noise, settings.noise_units, "relu", settings.dropout)
        self.joint = block(settings.noise_units, settings.joint_units, "relu", settings.dropout, entry=True)
        self.pixels = block(settings.joint_units, math.prod(shape), "sigmoid", 0.0)
        self.shape = shape

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``images_BCHW`` in [-1, 1], from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        pixels: Tensor = self.pixels(self.joint(self.noise(noise.flatten(1), code), code), code)
        return pixels.view(-1, *self.shape) * 2.0 - 1.0


class Critic(nn.Module):
    """Real or generated, as a logit.

    Args:
        settings: of the architecture.
        pixels: how many numbers a picture has.
        conditioning: makes the layers.
    """

    def __init__(self, settings: MaxoutSettings, pixels: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("critic")

        def block(inputs: int, pieces: int, entry: bool) -> nn.Module:
            return conditioning.block(
                BlockSpec(
                    operation="linear",
                    in_channels=inputs,
                    out_channels=settings.critic_units,
                    norm=False,
                    activation="maxout",
                    pieces=pieces,
                    dropout=settings.dropout,
                    role="critic",
                    entry=entry,
                )
            )

        self.picture = block(pixels, settings.critic_pieces, entry=False)
        self.joint = block(settings.critic_units, settings.joint_pieces, entry=True)
        self.head = conditioning.head(settings.critic_units)

    def forward(self, images_BCHW: Tensor, condition: Condition) -> Critique:
        """One logit a picture for a plain head."""
        code = self.encoder(condition)
        x: Tensor = (images_BCHW.flatten(1) + 1.0) / 2.0
        critique: Critique = self.head(self.joint(self.picture(x, code), code), code)
        return critique


def _initialise(network: nn.Module) -> None:
    """Uniform weights around zero, narrow where maxout follows; zero biases."""
    for block in network.modules():
        linear = next((layer for layer in block.children() if isinstance(layer, nn.Linear)), None)
        if linear is None:
            continue
        is_maxout = any(isinstance(layer, Maxout) for layer in block.children())
        bound = _MAXOUT_RANGE if is_maxout else _RANGE
        nn.init.uniform_(linear.weight, -bound, bound)
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
