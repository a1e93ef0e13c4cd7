"""Conditional BatchNorm in the generator, the label among the inputs of the critic's layers."""

from __future__ import annotations

from torch import nn

from genframe.interfaces import BlockSpec
from genframe.shapes import Problem
from genframe.specs import NoSettings
from genframe_conditioning.blocks import labelled_block
from genframe_conditioning.heads import Head
from genframe_conditioning.scheme import LabelScheme


class ConditionalBatchNorm(LabelScheme):
    """Labels enter every BatchNorm but the critic's, where they join the input of every layer.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: NoSettings, problem: Problem) -> None:
        super().__init__("conditional-batch-norm", problem, "it has no BatchNorm, so take --conditioning concat")

    def block(self, spec: BlockSpec) -> nn.Module:
        """The critic's over ``[x, code]``, the others' with a gain and a shift by the label."""
        return labelled_block(spec, "concat" if spec.role == "critic" else "batch-norm", self.width)

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """``Linear(features + K, 1)`` over ``[features, code]``, one logit ``(B,)`` a sample."""
        return Head(features, self.width, bias)
