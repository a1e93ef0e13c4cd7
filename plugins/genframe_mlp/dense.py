"""Plain fully connected networks, for points and for small pictures.

Weights begin as He et al. ("Delving deep into rectifiers", 2015) have them, the last layer of each network too; biases
are zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from genframe.interfaces import BlockSpec, Condition, Conditioning, Critique
from genframe.shapes import Problem
from genframe_mlp import MLPSettings
from genframe_mlp.serving import refuse_what_does_not_fit


class MLP:
    """Builds both networks."""

    def __init__(self, settings: MLPSettings) -> None:
        self.settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"generator": noise_BZ, condition -> output; "critic": output, condition -> logits_B}``.

        The output is ``points_BD``, or ``images_BCHW`` in [-1, 1] out of a tanh.

        Raises:
            ConfigError: the output is neither; there is no noise; the condition is more than labels.
        """
        refuse_what_does_not_fit("mlp", problem, ("points", "image"))
        networks = {
            "generator": Generator(self.settings, problem, conditioning),
            "critic": Critic(self.settings, problem.output.width, conditioning),
        }
        for network in networks.values():
            for layer in network.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
        return networks


class Generator(nn.Module):
    """From noise to points or pictures.

    Args:
        settings: of the architecture.
        problem: what is made of what.
        conditioning: makes the layers.
    """

    def __init__(self, settings: MLPSettings, problem: Problem, conditioning: Conditioning) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("generator")
        noise = math.prod(problem.noise_shape or ())
        self.hidden = _hidden(settings, noise, "generator", conditioning)
        self.output = conditioning.block(
            BlockSpec(
                operation="linear",
                in_channels=settings.hidden,
                out_channels=problem.output.width,
                norm=False,
                activation="tanh" if problem.output.kind == "image" else "none",
                role="generator",
            )
        )
        self.shape = problem.output.shape

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """The output ``(B, *shape)``, from ``noise`` ``(B, ...)``."""
        code = self.encoder(condition)
        x: Tensor = noise.flatten(1)
        for layer in self.hidden:
            x = layer(x, code)
        x = self.output(x, code)
        return x.view(-1, *self.shape)


class Critic(nn.Module):
    """Real or generated, as a logit.

    Args:
        settings: of the architecture.
        width: how many numbers a sample has.
        conditioning: makes the layers.
    """

    def __init__(self, settings: MLPSettings, width: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.encoder = conditioning.encoder("critic")
        self.hidden = _hidden(settings, width, "critic", conditioning)
        self.head = conditioning.head(settings.hidden)

    def forward(self, output: Tensor, condition: Condition) -> Critique:
        """One logit a sample for a plain head."""
        code = self.encoder(condition)
        x = output.flatten(1)
        for layer in self.hidden:
            x = layer(x, code)
        critique: Critique = self.head(x, code)
        return critique


def _hidden(settings: MLPSettings, inputs: int, role: str, conditioning: Conditioning) -> nn.ModuleList:
    """The hidden layers; labels come in at the first."""
    is_generator = role == "generator"
    return nn.ModuleList(
        conditioning.block(
            BlockSpec(
                operation="linear",
                in_channels=settings.hidden if level else inputs,
                out_channels=settings.hidden,
                norm=settings.generator_norm and is_generator,
                activation="relu" if is_generator else "leaky_relu",
                slope=0.2,
                role=role,
                entry=level == 0,
            )
        )
        for level in range(settings.depth)
    )
