"""Conditioning by concatenation: the label is part of a layer's input, in both networks.

This is the conditional DCGAN of the two published MNIST codes (Newmu/dcgan_code, ``train_cond_dcgan.py``;
zhangqianhui/Conditional-Gans): a label joins a vector as K further numbers, a picture as K further constant channels.
In every layer, as both end up doing; or at the networks' entries alone, as the latter began.
"""

from __future__ import annotations

from torch import nn

from genframe.interfaces import BlockSpec
from genframe.shapes import Problem
from genframe_conditioning import ConcatSettings, EmbeddingSettings
from genframe_conditioning.blocks import Unlabelled
from genframe_conditioning.heads import Head
from genframe_conditioning.labels import LabelEmbedding
from genframe_conditioning.scheme import LabelScheme
from genframe_kernels import block


class Concatenation(LabelScheme):
    """The code ``(B, K)`` holds the labels side by side, in the order of their names.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: ConcatSettings, problem: Problem, name: str = "concat") -> None:
        super().__init__(name, problem, "it marks no entry for them, so take --set conditioning.layers=every")
        self._everywhere = settings.layers == "every"

    def block(self, spec: BlockSpec) -> nn.Module:
        """The block over ``[x, code]``; plain where labels do not come in."""
        if self._everywhere or spec.entry:
            return block(spec, labels=self.width)
        return Unlabelled(block(spec))

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """``Linear(features + K, 1)`` over ``[features, code]``, one logit ``(B,)`` a sample."""
        return Head(features, self.width if self._everywhere else 0, bias)


class Embedding(Concatenation):
    """The code ``(B, E)`` is a learnt embedding of the labels, each network's own.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: EmbeddingSettings, problem: Problem) -> None:
        super().__init__(ConcatSettings(layers=settings.layers), problem, "embedding")
        self.width = settings.dim

    def encoder(self, role: str) -> nn.Module:
        """``condition -> code_BE``; see `LabelEmbedding`."""
        return LabelEmbedding(self._row(), self.width)
