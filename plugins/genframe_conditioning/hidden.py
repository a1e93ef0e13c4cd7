"""The conditional GAN of the first paper: the label passes a hidden layer of its own before it joins.

Mirza and Osindero, "Conditional generative adversarial nets", 2014: in the generator 1,000 ReLU units, in the
discriminator 50 maxout units of 5 pieces, both with dropout, joined to a hidden layer of the noise or the picture.
"""

from __future__ import annotations

from torch import Tensor, nn

from genframe.interfaces import BlockSpec, Condition
from genframe.shapes import Problem
from genframe_conditioning import HiddenSettings
from genframe_conditioning.blocks import Unlabelled
from genframe_conditioning.heads import Head
from genframe_conditioning.labels import LabelRow
from genframe_conditioning.scheme import LabelScheme
from genframe_kernels import block


class HiddenLabel(LabelScheme):
    """The code ``(B, units)`` is the hidden layer's output.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: HiddenSettings, problem: Problem) -> None:
        super().__init__("hidden", problem, "it marks no entry for them, so take --conditioning concat")
        self._settings = settings

    def encoder(self, role: str) -> nn.Module:
        """``condition -> code``: the hidden layer over the labels, side by side."""
        return _HiddenEncoder(self._row(), self._hidden(role))

    def block(self, spec: BlockSpec) -> nn.Module:
        """At the network's entry the block over ``[x, code]``, elsewhere the plain one."""
        if not spec.entry:
            return Unlabelled(block(spec))
        return block(spec, labels=self._hidden(spec.role).out_channels)

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """``Linear(features, 1)``, one logit ``(B,)`` a sample."""
        return Head(features, 0, bias)

    def _hidden(self, role: str) -> BlockSpec:
        settings = self._settings
        critic = role == "critic"
        return BlockSpec(
            operation="linear",
            in_channels=self.width,
            out_channels=settings.critic_units if critic else settings.generator_units,
            norm=False,
            activation="maxout" if critic else "relu",
            pieces=settings.critic_pieces if critic else 1,
            dropout=settings.dropout,
            role=role,
        )


class _HiddenEncoder(nn.Module):
    def __init__(self, labels: LabelRow, hidden: BlockSpec) -> None:
        super().__init__()
        self.labels = labels
        self.hidden = block(hidden)

    def forward(self, condition: Condition) -> Tensor:
        code: Tensor = self.hidden(self.labels(condition))
        return code
