"""Blocks of a network: linear, convolution or transposed convolution, then BatchNorm and an activation where wanted.

A block is an ``nn.Sequential`` of the plain layers, with the very same keys and shapes in its ``state_dict``; a label
only adds input channels to the first of them. So a checkpoint loads into plain PyTorch, and into a faster block when
there is one. Hook a block as a whole: its first layer is never called itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, cast

from torch import Tensor, nn

from genframe_kernels import reference
from genframe_kernels.reference import Pair

Operation = Literal["linear", "conv", "conv_transpose"]
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid", "none"]


class BlockDescription(Protocol):
    """What `block` builds from; ``genframe.interfaces.BlockSpec`` fits."""

    @property
    def operation(self) -> Operation:
        """``linear`` takes ``(B, in_channels)``, the others ``(B, in_channels, H, W)``."""

    @property
    def in_channels(self) -> int:
        """Without the labels."""

    @property
    def out_channels(self) -> int:
        """Of the block's output."""

    @property
    def kernel(self) -> Pair:
        """Of a (transposed) convolution, (height, width); so the next three."""

    @property
    def stride(self) -> Pair:
        """The step."""

    @property
    def padding(self) -> Pair:
        """Rows and columns added, or cut if transposed, at both ends."""

    @property
    def output_padding(self) -> Pair:
        """Rows and columns added at one end, if transposed."""

    @property
    def norm(self) -> bool:
        """BatchNorm after the operation, which then has no bias."""

    @property
    def activation(self) -> Activation:
        """After the norm."""

    @property
    def slope(self) -> float:
        """Of ``leaky_relu``."""


_ACTIVATIONS: Mapping[str, Callable[[float], list[nn.Module]]] = {
    "relu": lambda slope: [nn.ReLU()],
    "leaky_relu": lambda slope: [nn.LeakyReLU(slope)],
    "tanh": lambda slope: [nn.Tanh()],
    "sigmoid": lambda slope: [nn.Sigmoid()],
    "none": lambda slope: [],
}


class _Block(nn.Sequential):
    """The layers behind an operation; `operate` runs the operation itself."""

    def __init__(self, operation: nn.Module, norm: nn.Module | None, activation: Activation, slope: float, labels: int):
        super().__init__(operation, *([norm] if norm else []), *_ACTIVATIONS[activation](slope))
        self.labels = labels

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The block's output; `labels` is ``(B, K)`` for a block with K labels, ``None`` for one without.

        Raises:
            ValueError: the labels do not fit the block.
        """
        given = 0 if labels is None else labels.shape[1]
        if given != self.labels:
            raise ValueError(f"the block takes {self.labels} numbers of label a sample and got {given}")
        x = self.operate(x, labels)
        for layer in itertools.islice(self, 1, None):
            x = layer(x)
        return x

    def operate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        raise NotImplementedError


class LinearBlock(_Block):
    """``Linear(in_channels + labels, out_channels)`` [+ BatchNorm1d] [+ activation], on ``(B, in_channels)``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: bool = True,
        activation: Activation = "relu",
        slope: float = 0.2,
        labels: int = 0,
    ) -> None:
        operation = nn.Linear(in_channels + labels, out_channels, bias=not norm)
        super().__init__(operation, nn.BatchNorm1d(out_channels) if norm else None, activation, slope, labels)

    def operate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The linear layer alone."""
        layer = cast(nn.Linear, self[0])
        return reference.linear(x, layer.weight, layer.bias, labels)


class ConvBlock(_Block):
    """``Conv2d(in_channels + labels, out_channels, ...)`` [+ BatchNorm2d] [+ activation].

    Takes ``(B, in_channels, H, W)``; a size n becomes ``(n + 2 padding - kernel) // stride + 1``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: Pair = (4, 4),
        stride: Pair = (2, 2),
        padding: Pair = (1, 1),
        norm: bool = True,
        activation: Activation = "relu",
        slope: float = 0.2,
        labels: int = 0,
    ) -> None:
        operation = nn.Conv2d(in_channels + labels, out_channels, kernel, stride, padding, bias=not norm)
        super().__init__(operation, nn.BatchNorm2d(out_channels) if norm else None, activation, slope, labels)
        self.stride, self.padding = stride, padding

    def operate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The convolution alone."""
        layer = cast(nn.Conv2d, self[0])
        return reference.conv(x, layer.weight, layer.bias, labels, stride=self.stride, padding=self.padding)


class ConvTransposeBlock(_Block):
    """``ConvTranspose2d(in_channels + labels, out_channels, ...)`` [+ BatchNorm2d] [+ activation].

    Takes ``(B, in_channels, H, W)``; a size n becomes ``(n - 1) stride - 2 padding + kernel + output_padding``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: Pair = (4, 4),
        stride: Pair = (2, 2),
        padding: Pair = (1, 1),
        output_padding: Pair = (0, 0),
        norm: bool = True,
        activation: Activation = "relu",
        slope: float = 0.2,
        labels: int = 0,
    ) -> None:
        operation = nn.ConvTranspose2d(
            in_channels + labels, out_channels, kernel, stride, padding, output_padding, bias=not norm
        )
        super().__init__(operation, nn.BatchNorm2d(out_channels) if norm else None, activation, slope, labels)
        self.stride, self.padding, self.output_padding = stride, padding, output_padding

    def operate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The transposed convolution alone."""
        layer = cast(nn.ConvTranspose2d, self[0])
        geometry = {"stride": self.stride, "padding": self.padding, "output_padding": self.output_padding}
        return reference.conv_transpose(x, layer.weight, layer.bias, labels, **geometry)


def block(spec: BlockDescription, labels: int = 0) -> LinearBlock | ConvBlock | ConvTransposeBlock:
    """The block that `spec` describes, whose every sample comes with `labels` numbers of label."""
    if spec.operation == "linear":
        return LinearBlock(
            spec.in_channels,
            spec.out_channels,
            norm=spec.norm,
            activation=spec.activation,
            slope=spec.slope,
            labels=labels,
        )
    if spec.operation == "conv":
        return ConvBlock(
            spec.in_channels,
            spec.out_channels,
            kernel=spec.kernel,
            stride=spec.stride,
            padding=spec.padding,
            norm=spec.norm,
            activation=spec.activation,
            slope=spec.slope,
            labels=labels,
        )
    return ConvTransposeBlock(
        spec.in_channels,
        spec.out_channels,
        kernel=spec.kernel,
        stride=spec.stride,
        padding=spec.padding,
        output_padding=spec.output_padding,
        norm=spec.norm,
        activation=spec.activation,
        slope=spec.slope,
        labels=labels,
    )
