"""The operators in pure PyTorch: they run on a CPU, judge fused kernels, and can be differentiated twice.

A label joins a layer as K further input channels, each constant over the picture. Parameters are exactly those of the
layer over the concatenation, but nothing is concatenated, whose channel counts (138, 74, 11 ...) are what libraries are
slow at. A convolution is linear, so with ``W = [W_x | W_y]`` over the input channels

    conv([x, y maps], W) = conv(x, W_x) + sum over labels k and taps t of y_k W_y[k, t] R_t

where ``R_t = conv(a map of ones, t-th unit filter)`` says which pixels tap t of the kernel reaches. Summing over t
first gives the **label table**, one map a label; summing over k first gives one filter a sample. With more labels than
taps the second is cheaper, and no number of labels needs a large table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels.calls import Call, Pair, Tensors
from genframe_kernels.recompute import Recomputation, input_recomputed, recomputes


def linear(x_BC: Tensor, weight: Tensor, bias: Tensor | None = None, labels_BK: Tensor | None = None) -> Tensor:
    """``(B, O)``, the linear layer over ``[x, labels]``.

    Args:
        x_BC: ``(B, C)``.
        weight: ``(O, C + K)``; the last K columns belong to the labels.
        bias: ``(O,)``.
        labels_BK: ``(B, K)``, any real numbers.
    """
    if labels_BK is None:
        return F.linear(x_BC, weight, bias)
    # Here the input is what is small: dividing the weight would cost a copy of its whole gradient.
    return F.linear(_joined(x_BC, labels_BK), weight, bias)


def conv(
    x_BCHW: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    labels_BK: Tensor | None = None,
    *,
    stride: Pair,
    padding: Pair,
    end_padding: Pair | None = None,
) -> Tensor:
    """``(B, O, H', W')``, the convolution of x and of K constant maps that hold the labels.

    Args:
        x_BCHW: ``(B, C, H, W)``; the output has its memory format.
        weight: ``(O, C + K, kh, kw)``; the last K input channels belong to the labels.
        bias: ``(O,)``.
        labels_BK: ``(B, K)``, any real numbers.
        stride: per axis (height, width).
        padding: zeros added at the top and at the left.
        end_padding: zeros added at the bottom and at the right, at least as many; None is `padding` again.
    """
    further = _further(padding, end_padding)
    if labels_BK is None:
        return F.conv2d(_padded(x_BCHW, further), weight, bias, stride, padding)
    weight_x, weight_y = _divided(weight, x_BCHW, dim=1)
    ones, units_T1hw = probe(x_BCHW.shape[2:], weight)
    x_BCHW, ones = _padded(x_BCHW, further), _padded(ones, further)
    reach_1THW = F.conv2d(ones, units_T1hw, None, stride, padding)
    y_BOHW = F.conv2d(x_BCHW, weight_x, bias, stride, padding)
    return _with_labels(y_BOHW, labels_BK, weight_y.transpose(0, 1), reach_1THW)


def conv_transpose(
    x_BCHW: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    labels_BK: Tensor | None = None,
    *,
    stride: Pair,
    padding: Pair,
    end_padding: Pair | None = None,
    output_padding: Pair = (0, 0),
) -> Tensor:
    """``(B, O, H', W')``, the transposed convolution of x and of K constant maps that hold the labels.

    Args:
        x_BCHW: ``(B, C, H, W)``; the output has its memory format.
        weight: ``(C + K, O, kh, kw)``; the last K input channels belong to the labels.
        bias: ``(O,)``.
        labels_BK: ``(B, K)``, any real numbers.
        stride: per axis (height, width).
        padding: rows cut at the top and columns cut at the left.
        end_padding: those cut at the bottom and at the right, at least as many; None is `padding` again.
        output_padding: rows and columns added at the bottom and at the right.
    """
    rows, columns = _further(padding, end_padding)
    if rows or columns:
        whole = conv_transpose(
            x_BCHW, weight, bias, labels_BK, stride=stride, padding=padding, output_padding=output_padding
        )
        return whole[:, :, : whole.shape[2] - rows, : whole.shape[3] - columns]
    if x_BCHW.shape[2:] == (1, 1) and padding == output_padding == (0, 0):
        return _projection(x_BCHW, weight, bias, labels_BK)
    if labels_BK is None:
        return F.conv_transpose2d(x_BCHW, weight, bias, stride, padding, output_padding)
    weight_x, weight_y = _divided(weight, x_BCHW, dim=0)
    ones, units_T1hw = probe(x_BCHW.shape[2:], weight)
    reach_1THW = F.conv_transpose2d(ones, units_T1hw.transpose(0, 1), None, stride, padding, output_padding)
    y_BOHW = F.conv_transpose2d(x_BCHW, weight_x, bias, stride, padding, output_padding)
    return _with_labels(y_BOHW, labels_BK, weight_y, reach_1THW)


def activated(u: Tensor, activation: str, slope: float, *, in_place: bool = False) -> Tensor:
    """``relu``, ``leaky_relu`` of this slope, ``tanh``, ``sigmoid`` or ``none``; `in_place` writes over `u`."""
    if activation == "leaky_relu":
        return F.leaky_relu(u, slope, in_place)
    return u if activation == "none" else (_IN_PLACE if in_place else _ACTIVATIONS)[activation](u)


_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
_IN_PLACE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "tanh": torch.tanh_,
    "sigmoid": torch.sigmoid_,
}


def flatten(x_BCHW: Tensor) -> Tensor:
    """``(B, C * H * W)``, in this order whatever the layout of x; the gradient comes back in the layout of x.

    Left to itself it would come back as plain NCHW, and every pass over it beside x in another layout is many times
    slower than over two of one layout.
    """
    if x_BCHW.is_contiguous():
        return x_BCHW.flatten(1)
    flat: Tensor = _FlattenChannelsLast.apply(x_BCHW)  # type: ignore[no-untyped-call]
    return flat


class _FlattenChannelsLast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor) -> Tensor:
        ctx.shape = x_BCHW.shape
        return x_BCHW.flatten(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.reshape(ctx.shape).contiguous(memory_format=torch.channels_last)


def block(call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
    """The operation, the norm and the activation that `call` describes."""
    return normalised(call, operation(call, x, tensors, labels_BK), tensors)


def normalised(call: Call, y: Tensor, tensors: Tensors) -> Tensor:
    """The norm and the activation behind an operation; without a norm it may write over `y`."""
    if call.norm == "none":
        u = y
    else:
        running = (tensors.mean, tensors.variance)
        affine = (tensors.gain, tensors.shift)
        u = F.batch_norm(y, *running, *affine, call.norm == "batch", tensors.momentum, tensors.eps)
    # Autograd then keeps the result alone, which the next block keeps too. Of a view it would keep copies, and from
    # the result of a falling slope it cannot tell the sign of what was there.
    in_place = not torch.compiler.is_compiling() and not u._is_view() and call.slope >= 0
    if call.norm == "none" or not in_place or not recomputes(u):
        return activated(u, call.activation, call.slope, in_place=in_place)
    recomputation = _recomputation(call, y, tensors)
    with recomputation.instead_of(u):
        return recomputation.attach(activated(u, call.activation, call.slope, in_place=True))


def _recomputation(call: Call, y: Tensor, tensors: Tensors) -> Recomputation:
    """Makes the output of `normalised` again."""
    by_batch = call.norm == "batch"

    def make(y: Tensor, gain: Tensor | None, shift: Tensor | None, *_: Tensor | None) -> Tensor:
        # Copies, since those of the block do not move a second time. They have to be there even where only the batch's
        # statistics count: on a CPU it depends on them in which type these are held.
        mean, variance = (each if each is None else each.clone() for each in (tensors.mean, tensors.variance))
        u = F.batch_norm(y, mean, variance, gain, shift, by_batch, 0.0, tensors.eps)
        return activated(u, call.activation, call.slope, in_place=True)

    fixed = () if by_batch else (tensors.mean, tensors.variance)
    return Recomputation(make, y, tensors.gain, tensors.shift, *fixed)


def operation(call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
    """The operation of `call` alone."""
    ends = {"stride": call.stride, "padding": call.padding, "end_padding": call.end_padding}
    with input_recomputed(x):
        if call.operation == "linear":
            return linear(x, tensors.weight, tensors.bias, labels_BK)
        if call.operation == "conv":
            return conv(x, tensors.weight, tensors.bias, labels_BK, **ends)
        return conv_transpose(x, tensors.weight, tensors.bias, labels_BK, **ends, output_padding=call.output_padding)


def _divided(weight: Tensor, x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The weights of the features and those of the labels; one split has one gradient, two slices have three passes."""
    channels = x.shape[1]
    features, labels = torch.split(weight, [channels, weight.shape[dim] - channels], dim)
    return features, labels


def _further(padding: Pair, end_padding: Pair | None) -> Pair:
    """How many more rows and columns the end has than the beginning."""
    if end_padding is None:
        return (0, 0)
    return (end_padding[0] - padding[0], end_padding[1] - padding[1])


def _padded(x_BCHW: Tensor, further: Pair) -> Tensor:
    rows, columns = further
    return F.pad(x_BCHW, (0, columns, 0, rows)) if rows or columns else x_BCHW


def _joined(x_BC: Tensor, labels_BK: Tensor) -> Tensor:
    return torch.cat((x_BC, labels_BK.to(x_BC.dtype)), dim=1)


def _projection(x_BC11: Tensor, weight: Tensor, bias: Tensor | None, labels_BK: Tensor | None) -> Tensor:
    """A transposed convolution of single pixels is a matrix product, and several times faster as one."""
    order, back = (0, 2, 3, 1), (0, 3, 1, 2)
    if not weight.is_contiguous(memory_format=torch.channels_last):
        order = back = (0, 1, 2, 3)
    filters = weight.permute(order)
    x_BC = x_BC11.flatten(1) if labels_BK is None else _joined(x_BC11.flatten(1), labels_BK)
    flat = x_BC @ filters.flatten(1)
    y_BOHW = flat.view(-1, *filters.shape[1:]).permute(back)
    return y_BOHW if bias is None else y_BOHW + bias[:, None, None]


def probe(size: Sequence[int], weight: Tensor) -> tuple[Tensor, Tensor]:
    """A map of ones ``(1, 1, H, W)`` and the unit filters ``(T, 1, kh, kw)``, one a tap, in the weight's type."""
    kernel = weight.shape[2:]
    units = torch.eye(kernel.numel(), dtype=weight.dtype, device=weight.device)
    return weight.new_ones(1, 1, *size), units.view(-1, 1, *kernel)


def _with_labels(y_BOHW: Tensor, labels_BK: Tensor, filters_KOhw: Tensor, reach_1THW: Tensor) -> Tensor:
    """`y` and what the labels add to each sample, in the layout of `y`: another one would cost a pass of its own."""
    channels_last = y_BOHW.is_contiguous(memory_format=torch.channels_last)
    if labels_BK.shape[1] > reach_1THW.shape[1]:
        maps_BOHW = label_maps(labels_BK, filters_KOhw, reach_1THW)
        return y_BOHW + (maps_BOHW if channels_last else maps_BOHW.contiguous())
    # The product with the table adds itself to y, which nothing else reads: no map of a sample is ever written.
    reach_TP, filters_KOT = reach_1THW[0].flatten(1).to(y_BOHW.dtype), filters_KOhw.flatten(2).to(y_BOHW.dtype)
    if channels_last:
        table_KM = (reach_TP.T @ filters_KOT.transpose(1, 2)).flatten(1)
        sums_BM = y_BOHW.permute(0, 2, 3, 1).view(len(y_BOHW), -1)
    else:
        table_KM, sums_BM = (filters_KOT @ reach_TP).flatten(1), y_BOHW.view(len(y_BOHW), -1)
    sums_BM.addmm_(labels_BK.to(y_BOHW.dtype), table_KM.to(y_BOHW.dtype))
    return y_BOHW


def label_maps(labels_BK: Tensor, filters_KOhw: Tensor, reach_1THW: Tensor) -> Tensor:
    """What the labels add to each sample, ``(B, O, H', W')`` in channels_last.

    Args:
        labels_BK: ``(B, K)``.
        filters_KOhw: the weights of the labels.
        reach_1THW: which pixels of the output each of the T taps reaches; the operation over what `probe` gives.
    """
    labels_BK = labels_BK.to(filters_KOhw.dtype)
    filters_KTO, reach_PT = filters_KOhw.flatten(2).transpose(1, 2), reach_1THW[0].flatten(1).T
    if labels_BK.shape[1] > reach_PT.shape[1]:
        maps_BPO = reach_PT @ _mixed(labels_BK, filters_KTO)
    else:
        maps_BPO = _mixed(labels_BK, reach_PT @ filters_KTO)
    return maps_BPO.view(-1, *reach_1THW.shape[2:], filters_KOhw.shape[1]).permute(0, 3, 1, 2)


def _mixed(labels_BK: Tensor, tables_KMN: Tensor) -> Tensor:
    return (labels_BK @ tables_KMN.flatten(1)).view(-1, *tables_KMN.shape[1:])
