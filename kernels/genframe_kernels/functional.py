"""The blocks as functions of their tensors, for those who keep weights elsewhere than in a module."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from genframe_kernels import dispatch
from genframe_kernels.calls import Call, Pair, Tensors, products_dtype


class Norm(NamedTuple):
    """A BatchNorm.

    Attributes:
        mean: running mean ``(O,)``; training moves it in place. None is none.
        variance: running variance, the unbiased one; so with it.
        gain: ``(O,)``; None is none.
        shift: added after the gain; None is none.
        eps: what is added to the variance.
        momentum: how far the running statistics go towards the batch's.
        training: by the statistics of the batch; without it, or where there are none, by the running ones.
    """

    mean: Tensor | None = None
    variance: Tensor | None = None
    gain: Tensor | None = None
    shift: Tensor | None = None
    eps: float = 1e-5
    momentum: float = 0.1
    training: bool = True


def conv_transpose_block(
    x_BCHW: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    labels_BK: Tensor | None = None,
    norm: Norm | None = None,
    stride: Pair = (2, 2),
    padding: Pair = (1, 1),
    end_padding: Pair | None = None,
    output_padding: Pair = (0, 0),
    activation: str = "relu",
    slope: float = 0.2,
    backend: str | None = None,
) -> Tensor:
    """``activation(norm(conv_transpose(x) + bias))``, ``(B, O, H', W')``; see `genframe_kernels.conv_transpose`.

    Args:
        x_BCHW: ``(B, C, H, W)``.
        weight: ``(C + K, O, kh, kw)``; the last K input channels belong to the labels.
        bias: ``(O,)``.
        labels_BK: ``(B, K)``.
        norm: between convolution and activation.
        stride: per axis (height, width).
        padding: rows cut at the top and columns cut at the left.
        end_padding: those cut at the bottom and at the right; None is `padding` again.
        output_padding: rows and columns added at the bottom and at the right.
        activation: ``relu``, ``leaky_relu``, ``tanh``, ``sigmoid`` or ``none``.
        slope: of ``leaky_relu``.
        backend: by name; None is the one asked for in this process.

    Raises:
        ValueError: weight and input do not fit; grouped convolutions are not served.
        UnsupportedError: the backend cannot serve it.
    """
    geometry = (stride, padding, end_padding or padding, output_padding)
    tensors = _tensors(weight, bias, norm)
    return _served("conv_transpose", x_BCHW, tensors, labels_BK, norm, geometry, activation, slope, backend)


def conv_block(
    x_BCHW: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    labels_BK: Tensor | None = None,
    norm: Norm | None = None,
    stride: Pair = (2, 2),
    padding: Pair = (1, 1),
    end_padding: Pair | None = None,
    activation: str = "leaky_relu",
    slope: float = 0.2,
    backend: str | None = None,
) -> Tensor:
    """``activation(norm(conv(x) + bias))``, ``(B, O, H', W')``; see `conv_transpose_block`.

    The weight is ``(O, C + K, kh, kw)``, and paddings are rows and columns of zeros that are added.
    """
    geometry = (stride, padding, end_padding or padding, (0, 0))
    tensors = _tensors(weight, bias, norm)
    return _served("conv", x_BCHW, tensors, labels_BK, norm, geometry, activation, slope, backend)


def _tensors(weight: Tensor, bias: Tensor | None, norm: Norm | None) -> Tensors:
    if norm is None:
        return Tensors(weight, bias)
    return Tensors(weight, bias, norm.gain, norm.shift, norm.mean, norm.variance, norm.eps, norm.momentum)


def _served(
    operation: str,
    x: Tensor,
    tensors: Tensors,
    labels_BK: Tensor | None,
    norm: Norm | None,
    geometry: tuple[Pair, Pair, Pair, Pair],
    activation: str,
    slope: float,
    backend: str | None,
) -> Tensor:
    stride, padding, end_padding, output_padding = geometry
    inputs, outputs = (0, 1) if operation == "conv_transpose" else (1, 0)
    weight, labels = tensors.weight, 0 if labels_BK is None else labels_BK.shape[1]
    if weight.shape[inputs] != x.shape[1] + labels:
        raise ValueError(
            f"a weight {tuple(weight.shape)} takes {weight.shape[inputs]} channels, and there are {x.shape[1]} of x "
            f"and {labels} of labels; grouped convolutions are not served"
        )
    call = Call(
        operation=operation,
        channels=x.shape[1],
        outputs=weight.shape[outputs],
        labels=labels,
        size=(x.shape[2], x.shape[3]),
        batch=x.shape[0],
        kernel=(weight.shape[2], weight.shape[3]),
        stride=stride,
        padding=padding,
        end_padding=end_padding,
        output_padding=output_padding,
        norm="none" if norm is None else "batch" if norm.training or norm.mean is None else "running",
        affine=norm is not None and norm.gain is not None,
        activation=activation,
        slope=slope,
        dtype=products_dtype(weight, x),
        device=x.device.type,
        gradient=torch.is_grad_enabled(),
    )
    return dispatch.choose(call, backend).backend.run(call, x, tensors, labels_BK)
