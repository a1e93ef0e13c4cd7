"""Blocks of a network: linear, convolution or transposed convolution, then BatchNorm, an activation and dropout.

A block is an ``nn.Sequential`` of the plain layers, with the very same keys and shapes in its ``state_dict``; a label
only adds input channels to the first of them. So a checkpoint loads into plain PyTorch, and into a faster block when
there is one. Hook a block as a whole: its first layer is never called itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn

from genframe_kernels import dispatch
from genframe_kernels.calls import Call, Pair, Tensors, products_dtype

Operation = Literal["linear", "conv", "conv_transpose"]
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid", "maxout", "none"]


class Finish(TypedDict, total=False):
    """What may follow a block's operation, as keywords.

    Attributes:
        bias: of the operation; None, the default, is a bias exactly where no BatchNorm follows.
        norm: BatchNorm after the operation (default True).
        affine: whether the BatchNorm has a gain and a shift (default True).
        eps: what the BatchNorm adds to the variance (default 1e-5).
        activation: after the norm (default ``relu``).
        slope: of ``leaky_relu`` (default 0.2).
        pieces: of ``maxout``: each output is the largest of so many (default 1).
        dropout: the share of outputs that training sets to zero (default 0).
    """

    bias: bool | None
    norm: bool
    affine: bool
    eps: float
    activation: Activation
    slope: float
    pieces: int
    dropout: float


class BlockDescription(Protocol):
    """What `block` builds from; ``genframe.interfaces.BlockSpec`` fits. `Finish` explains the later half."""

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
        """Of a (transposed) convolution, (height, width); so the next four."""

    @property
    def stride(self) -> Pair:
        """The step."""

    @property
    def padding(self) -> Pair:
        """Rows and columns added, or cut if transposed, at both ends."""

    @property
    def end_padding(self) -> Pair | None:
        """The same at the bottom and at the right, where it differs there."""

    @property
    def output_padding(self) -> Pair:
        """Rows and columns added at one end, if transposed."""

    @property
    def bias(self) -> bool | None: ...  # noqa: D102

    @property
    def norm(self) -> bool: ...  # noqa: D102

    @property
    def affine(self) -> bool: ...  # noqa: D102

    @property
    def eps(self) -> float: ...  # noqa: D102

    @property
    def activation(self) -> Activation: ...  # noqa: D102

    @property
    def slope(self) -> float: ...  # noqa: D102

    @property
    def pieces(self) -> int: ...  # noqa: D102

    @property
    def dropout(self) -> float: ...  # noqa: D102


class Maxout(nn.Module):
    """``(B, C * pieces, ...)`` to ``(B, C, ...)``: the largest of each `pieces` neighbouring channels.

    Goodfellow et al., "Maxout networks", 2013.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """The largest piece."""
        return x.view(len(x), -1, self.pieces, *x.shape[2:]).amax(2)


_ACTIVATIONS: Mapping[str, Callable[[float, int], list[nn.Module]]] = {
    "relu": lambda slope, pieces: [nn.ReLU()],
    "leaky_relu": lambda slope, pieces: [nn.LeakyReLU(slope)],
    "tanh": lambda slope, pieces: [nn.Tanh()],
    "sigmoid": lambda slope, pieces: [nn.Sigmoid()],
    "maxout": lambda slope, pieces: [Maxout(pieces)],
    "none": lambda slope, pieces: [],
}


def activation_layers(
    activation: Activation, *, slope: float = 0.2, pieces: int = 1, dropout: float = 0.0
) -> list[nn.Module]:
    """What stands behind a block's operation and norm, as `Finish` describes it."""
    layers = _ACTIVATIONS[activation](slope, pieces)
    return [*layers, nn.Dropout(dropout)] if dropout else layers


class Block(nn.Sequential):
    """An operation and the layers behind it; `genframe_kernels.dispatch` says what runs them.

    Args:
        kind: of the operation.
        geometry: of its kernel.
        operation: makes the first layer from its number of outputs and whether it has a bias.
        norm_class: the kind of BatchNorm.
        out_channels: of the block's output.
        labels: numbers of label a sample.
        finish: what follows the operation.
    """

    def __init__(
        self,
        kind: Operation,
        geometry: _Geometry,
        operation: Callable[[int, bool], nn.Module],
        norm_class: type[nn.BatchNorm1d | nn.BatchNorm2d],
        out_channels: int,
        labels: int,
        finish: Finish,
    ) -> None:
        norm, bias, pieces = finish.get("norm", True), finish.get("bias"), finish.get("pieces", 1)
        activation, dropout = finish.get("activation", "relu"), finish.get("dropout", 0.0)
        if pieces != 1 and activation != "maxout":
            raise ValueError(f"pieces are of the activation 'maxout'; got {pieces} of them for '{activation}'")
        layers = [operation(out_channels * pieces, not norm if bias is None else bias)]
        if norm:
            layers.append(
                norm_class(out_channels * pieces, eps=finish.get("eps", 1e-5), affine=finish.get("affine", True))
            )
        layers += activation_layers(activation, slope=finish.get("slope", 0.2), pieces=pieces, dropout=dropout)
        super().__init__(*layers)
        self.labels = labels
        self._operation, self._geometry, self._outputs = kind, geometry, out_channels * pieces
        # A maxout and a dropout stay layers of their own behind what a backend serves.
        self._activation = "none" if activation == "maxout" else activation
        self._slope = finish.get("slope", 0.2)
        self._prepared: dict[tuple[str, Call], dispatch.Prepared] | None = None
        self._served = 1 + norm + (self._activation != "none")

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The block's output; `labels` is ``(B, K)`` for a block with K labels, ``None`` for one without.

        Raises:
            ValueError: the labels do not fit the block.
            UnsupportedError: the backend that was asked for cannot serve the block.
        """
        given = 0 if labels is None else labels.shape[1]
        if given != self.labels:
            raise ValueError(f"the block takes {self.labels} numbers of label a sample and got {given}")
        norm = self.norm
        call = self.call(x)
        if norm is not None and norm.training and norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        x = self._serve(call, x, labels)
        for layer in itertools.islice(self, self._served, None):
            x = layer(x)
        return x

    def freeze(self) -> None:
        """Promises that weights and running statistics stay as they are, so that a backend may prepare them once."""
        self._prepared = {}

    def _serve(self, call: Call, x: Tensor, labels: Tensor | None) -> Tensor:
        name, backend, _ = dispatch.choose(call)
        prepared = None if call.gradient or call.norm == "batch" else self._prepared
        if prepared is None or not isinstance(backend, dispatch.PreparingBackend):
            return backend.run(call, x, self._tensors(), labels)
        if (name, call) not in prepared:
            prepared[name, call] = backend.prepare(call, self._tensors())
        return prepared[name, call](x, labels)

    def call(self, x: Tensor) -> Call:
        """What the block does with this input, up to its activation."""
        layer = cast(nn.Linear, self[0])
        norm = self.norm
        by_batch = norm is not None and (norm.training or norm.running_mean is None)
        return Call(
            operation=self._operation,
            channels=x.shape[1],
            outputs=self._outputs,
            labels=self.labels,
            size=(x.shape[2], x.shape[3]) if x.dim() == 4 else (1, 1),
            batch=x.shape[0],
            **self._geometry,
            norm="none" if norm is None else "batch" if by_batch else "running",
            affine=norm is not None and norm.affine,
            activation=self._activation,
            slope=self._slope,
            dtype=products_dtype(layer.weight, x),
            device=x.device.type,
            gradient=torch.is_grad_enabled(),
        )

    @property
    def norm(self) -> nn.BatchNorm1d | nn.BatchNorm2d | None:
        """The block's BatchNorm."""
        second = self[1] if len(self) > 1 else None
        return second if isinstance(second, nn.BatchNorm1d | nn.BatchNorm2d) else None

    def _tensors(self) -> Tensors:
        layer, norm = cast(nn.Linear, self[0]), self.norm
        if norm is None:
            return Tensors(layer.weight, layer.bias)
        gain, shift = (norm.weight, norm.bias) if norm.affine else (None, None)
        momentum = 0.1 if norm.momentum is None else norm.momentum
        return Tensors(layer.weight, layer.bias, gain, shift, norm.running_mean, norm.running_var, norm.eps, momentum)


class _Geometry(TypedDict):
    kernel: Pair
    stride: Pair
    padding: Pair
    end_padding: Pair
    output_padding: Pair


_POINT = _Geometry(kernel=(1, 1), stride=(1, 1), padding=(0, 0), end_padding=(0, 0), output_padding=(0, 0))


class LinearBlock(Block):
    """``Linear(in_channels + labels, out_channels)`` and what `Finish` says, on ``(B, in_channels)``."""

    def __init__(self, in_channels: int, out_channels: int, *, labels: int = 0, **finish: Unpack[Finish]) -> None:
        def operation(outputs: int, bias: bool) -> nn.Module:
            return nn.Linear(in_channels + labels, outputs, bias=bias)

        super().__init__("linear", _POINT, operation, nn.BatchNorm1d, out_channels, labels, finish)


class ConvBlock(Block):
    """``Conv2d(in_channels + labels, out_channels, ...)`` and what `Finish` says.

    Takes ``(B, in_channels, H, W)``; a size n becomes ``(n + padding + end_padding - kernel) // stride + 1``. Where
    `end_padding` differs from `padding`, plain layers need the further rows and columns of zeros added before.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: Pair = (4, 4),
        stride: Pair = (2, 2),
        padding: Pair = (1, 1),
        end_padding: Pair | None = None,
        labels: int = 0,
        **finish: Unpack[Finish],
    ) -> None:
        def operation(outputs: int, bias: bool) -> nn.Module:
            return nn.Conv2d(in_channels + labels, outputs, kernel, stride, padding, bias=bias)

        ends = padding if end_padding is None else end_padding
        geometry = _Geometry(kernel=kernel, stride=stride, padding=padding, end_padding=ends, output_padding=(0, 0))
        super().__init__("conv", geometry, operation, nn.BatchNorm2d, out_channels, labels, finish)


class ConvTransposeBlock(Block):
    """``ConvTranspose2d(in_channels + labels, out_channels, ...)`` and what `Finish` says.

    Takes ``(B, in_channels, H, W)``; a size n becomes
    ``(n - 1) stride - padding - end_padding + kernel + output_padding``. Where `end_padding` differs from `padding`,
    plain layers need the further rows and columns cut behind.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: Pair = (4, 4),
        stride: Pair = (2, 2),
        padding: Pair = (1, 1),
        end_padding: Pair | None = None,
        output_padding: Pair = (0, 0),
        labels: int = 0,
        **finish: Unpack[Finish],
    ) -> None:
        def operation(outputs: int, bias: bool) -> nn.Module:
            return nn.ConvTranspose2d(in_channels + labels, outputs, kernel, stride, padding, output_padding, bias=bias)

        geometry = _Geometry(
            kernel=kernel,
            stride=stride,
            padding=padding,
            end_padding=padding if end_padding is None else end_padding,
            output_padding=output_padding,
        )
        super().__init__("conv_transpose", geometry, operation, nn.BatchNorm2d, out_channels, labels, finish)


_GEOMETRY: Mapping[str, tuple[str, ...]] = {
    "linear": (),
    "conv": ("kernel", "stride", "padding", "end_padding"),
    "conv_transpose": ("kernel", "stride", "padding", "end_padding", "output_padding"),
}
_CLASSES: Mapping[str, Callable[..., Block]] = {
    "linear": LinearBlock,
    "conv": ConvBlock,
    "conv_transpose": ConvTransposeBlock,
}


def block(spec: BlockDescription, labels: int = 0) -> LinearBlock | ConvBlock | ConvTransposeBlock:
    """The block that `spec` describes, whose every sample comes with `labels` numbers of label."""
    names = (*_GEOMETRY[spec.operation], *Finish.__annotations__)
    keywords: dict[str, Any] = {name: getattr(spec, name) for name in names}
    made = _CLASSES[spec.operation](spec.in_channels, spec.out_channels, labels=labels, **keywords)
    return cast(LinearBlock | ConvBlock | ConvTransposeBlock, made)
