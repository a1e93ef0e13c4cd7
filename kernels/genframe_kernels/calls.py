"""One block's call, described: what decides which backend serves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True)
class Call:
    """A block at work on one input.

    Attributes:
        operation: ``linear``, ``conv`` or ``conv_transpose``.
        channels: of the input, labels left out.
        outputs: channels of the output.
        labels: numbers of label a sample.
        size: of the input picture; (1, 1) if linear.
        batch: how many samples.
        kernel: of the convolution; so the next four.
        stride: the step.
        padding: at the top and at the left.
        end_padding: at the bottom and at the right.
        output_padding: rows and columns added at the end, if transposed.
        norm: ``none``, ``batch`` (the statistics of this batch) or ``running`` (those that training remembered).
        affine: whether the norm has a gain and a shift.
        activation: by name.
        slope: of ``leaky_relu``.
        dtype: of the products.
        device: its type, such as ``cuda``.
        gradient: whether a gradient may be asked for.
    """

    operation: str
    channels: int
    outputs: int
    labels: int
    size: Pair
    batch: int
    kernel: Pair
    stride: Pair
    padding: Pair
    end_padding: Pair
    output_padding: Pair
    norm: str
    affine: bool
    activation: str
    slope: float
    dtype: torch.dtype
    device: str
    gradient: bool

    @property
    def out_size(self) -> Pair:
        """Of the output picture."""
        height, width = map(self._out, range(2))
        return (height, width)

    def _out(self, axis: int) -> int:
        size, kernel, stride = self.size[axis], self.kernel[axis], self.stride[axis]
        padding = self.padding[axis] + self.end_padding[axis]
        if self.operation == "conv_transpose":
            return (size - 1) * stride - padding + kernel + self.output_padding[axis]
        return (size + padding - kernel) // stride + 1

    def __str__(self) -> str:
        label = f"+{self.labels}" if self.labels else ""
        shape = "x".join(map(str, (*self.size, self.channels)))
        result = "x".join(map(str, (*self.out_size, self.outputs)))
        kind = "no norm" if self.norm == "none" else f"{self.norm} norm"
        return f"{self.operation} {shape}{label} -> {result}, {kind}, {self.activation}"


def products_dtype(weight: Tensor, x: Tensor) -> torch.dtype:
    """The dtype of the products of a weight and an input: autocast's within it, else the weight's."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return weight.dtype


class Tensors(NamedTuple):
    """What a block computes with.

    Attributes:
        weight: as PyTorch's layer has it, with the labels' channels last.
        bias: ``(O,)``.
        gain: of the norm, ``(O,)``; so the next three.
        shift: added after the gain.
        mean: running mean.
        variance: running variance, the unbiased one.
        eps: what the norm adds to the variance.
        momentum: how far the running statistics go towards the batch's.
    """

    weight: Tensor
    bias: Tensor | None = None
    gain: Tensor | None = None
    shift: Tensor | None = None
    mean: Tensor | None = None
    variance: Tensor | None = None
    eps: float = 1e-5
    momentum: float = 0.1
