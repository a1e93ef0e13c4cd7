"""Blocks of a network: as they are, with labels among their inputs, or with labels in their BatchNorm."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from genframe.interfaces import BlockSpec
from genframe_conditioning import Way
from genframe_kernels import activation_layers, block, initialise_weight


class Unlabelled(nn.Module):
    """A layer that leaves the code aside.

    Args:
        layer: what it runs.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        """The layer's output."""
        y: Tensor = self.layer(x)
        return y


class ConditionalNormBlock(nn.Module):
    """``activation(gain(code) * norm(operation(x)) + shift(code))``, with a gain and a shift for each channel.

    De Vries et al., "Modulating early visual processing by language", 2017, section 3; of instance norms, Dumoulin et
    al., "A learned representation for artistic style", 2017. Gain and shift are linear in the code: each class has its
    own, those of several labels add up, values scale them.

    Args:
        spec: of the block; it has a BatchNorm.
        labels: how many numbers a code has.
    """

    def __init__(self, spec: BlockSpec, labels: int) -> None:
        super().__init__()
        channels = spec.out_channels * spec.pieces
        self.labels = labels
        self.normed = block(
            dataclasses.replace(spec, out_channels=channels, pieces=1, affine=False, activation="none", dropout=0.0)
        )
        self.gain = nn.Linear(labels, channels)
        self.shift = nn.Linear(labels, channels)
        self.finish = nn.Sequential(
            *activation_layers(spec.activation, slope=spec.slope, pieces=spec.pieces, dropout=spec.dropout)
        )

    def reset_parameters(self) -> None:
        """A gain of one and a shift of zero, whatever the label."""
        for layer, value in ((self.gain, 1.0), (self.shift, 0.0)):
            initialise_weight(layer, nn.init.zeros_)
            nn.init.constant_(layer.bias, value)

    def forward(self, x: Tensor, code_BK: Tensor) -> Tensor:
        """The block's output."""
        y: Tensor = self.normed(x)
        shape = (*y.shape[:2], *(1,) * (y.dim() - 2))
        y = self.gain(code_BK).view(shape) * y + self.shift(code_BK).view(shape)
        finished: Tensor = self.finish(y)
        return finished


def labelled_block(spec: BlockSpec, way: Way, labels: int) -> nn.Module:
    """A block that takes labels in; by ``batch-norm`` only if it has a BatchNorm.

    Args:
        spec: of the block.
        way: how labels come in.
        labels: how many numbers a code has.
    """
    if way == "concat":
        return block(spec, labels=labels)
    return ConditionalNormBlock(spec, labels) if spec.norm else Unlabelled(block(spec))
