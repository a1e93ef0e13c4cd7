"""What serves blocks with these kernels: alone, or behind the library's convolution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from genframe_kernels import reference
from genframe_kernels.calls import Call, Pair, Tensors
from genframe_kernels.dispatch import Prepared
from genframe_kernels.recompute import input_recomputed
from genframe_kernels.triton import interpreted, launch, operators
from genframe_kernels.triton.library import convolved
from genframe_kernels.triton.packing import packed_thin

_TYPES = (torch.float32, torch.bfloat16, torch.float16)


class Triton:
    """Convolution, statistics and activation by our own kernels."""

    def refusal(self, call: Call) -> str | None:
        """Why not; None if it can."""
        if call.batch * max(call.size[0] * call.size[1], call.out_size[0] * call.out_size[1]) >= 2**31:
            return "more than 2^31 pixels; take smaller batches"
        return _refusal(call)

    def run(self, call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
        """Operation, norm and activation."""
        weights = _weights(call, tensors)
        x, table = _entering(call, x, labels_BK, weights)
        weight, place, size = weights.features, _place(call), call.out_size
        z: Tensor
        precision = _precision(call)
        act = (call.activation, call.slope)
        with input_recomputed(x):
            if call.norm == "none":
                z = operators.conv_act(x, weight, table, None, None, tensors.bias, *place, *act, precision)
            elif call.norm == "batch":
                affine = (tensors.gain, tensors.shift)
                z, y, mean, variance = operators.conv_norm_act(
                    x, weight, table, None, tensors.bias, *affine, *place, *act, tensors.eps, precision
                )
                _remember(tensors, mean, variance, call.batch * size[0] * size[1])
                z = operators.recomputable(z, y, mean, variance, *affine, *act, tensors.eps)
            elif call.gradient:
                y = operators.conv_act(
                    x, weight, table, None, None, tensors.bias, *place, "none", call.slope, precision
                )
                z = reference.normalised(call, y, tensors)
            else:
                scale, shift = folded(tensors)
                z = operators.conv_act(x, weight, table, None, scale, shift, *place, *act, precision)
        return z.flatten(1) if call.operation == "linear" else z

    def prepare(self, call: Call, tensors: Tensors) -> Prepared:
        """The block for inference: norm folded, weight packed, labels' reach known."""
        weights = _weights(call, tensors)
        scale, shift = (None, None if tensors.bias is None else tensors.bias.float())
        if call.norm == "running":
            scale, shift = folded(tensors)
        features, (stride, padding, size, transposed) = weights.features, _place(call)
        precision = _precision(call)
        is_thin = transposed and launch.thin_reason(features, call.size, stride, padding, size) is None
        if is_thin:
            filters = packed_thin(features, padding)
        else:
            filters = launch.filters_of(features, call.size, stride, padding, size, transposed)

        def run(x: Tensor, labels_BK: Tensor | None) -> Tensor:
            x, table = _entering(call, x, labels_BK, weights)
            epilogue = launch.Epilogue(table, None, scale, shift, call.activation, call.slope)
            if is_thin:
                y = launch.convolve_thin(x, features, padding, epilogue, precision, filters)
            else:
                place = (stride, padding, size, transposed)
                y, _ = launch.convolve(x, features, *place, epilogue, precision, filters=filters)
            return y.flatten(1) if call.operation == "linear" else y

        return run


class Hybrid:
    """The library's convolution, and our passes for BatchNorm and activation behind it."""

    def refusal(self, call: Call) -> str | None:
        """Why not; None if it can."""
        if call.norm != "batch":
            return "it fuses the norm by the batch's statistics, and the block has none"
        return _refusal(call)

    def run(self, call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
        """Operation, norm and activation."""
        y = reference.operation(call, x, tensors, labels_BK)
        affine, act = (tensors.gain, tensors.shift), (call.activation, call.slope)
        z: Tensor
        z, mean, variance = operators.norm_act(y, *affine, *act, tensors.eps)
        _remember(tensors, mean, variance, call.batch * call.out_size[0] * call.out_size[1])
        return operators.recomputable(z, y, mean, variance, *affine, *act, tensors.eps)


class _Weights(NamedTuple):
    """A block's weight, and what its labels need to become maps.

    Attributes:
        features: of the picture and, where labels are concatenated, of the labels.
        labels: ``(K, O, kh, kw)``, the filters of labels that come as maps.
        reach: ``(1, T, H', W')``, which pixels of the output each tap reaches.
    """

    features: Tensor
    labels: Tensor | None = None
    reach: Tensor | None = None


def _weights(call: Call, tensors: Tensors) -> _Weights:
    weight, place = tensors.weight.to(call.dtype), _place(call)
    if call.operation == "linear":
        weight = weight[:, :, None, None]
    if not call.labels or _concatenates(call):
        return _Weights(weight)
    transposed = call.operation == "conv_transpose"
    features, labels = torch.split(weight, [call.channels, call.labels], 0 if transposed else 1)
    ones, units = reference.probe(call.size, labels)
    reach = convolved(ones, units.transpose(0, 1) if transposed else units, *place)
    return _Weights(features, labels if transposed else labels.transpose(0, 1), reach)


def _entering(call: Call, x: Tensor, labels_BK: Tensor | None, weights: _Weights) -> tuple[Tensor, Tensor | None]:
    """The input as the kernels take it, and the maps of its labels."""
    x = x.to(call.dtype)
    if call.operation == "linear":
        x = x[:, :, None, None]
    if labels_BK is None:
        return x, None
    if weights.labels is None or weights.reach is None:
        return torch.cat((x, labels_BK.to(x.dtype)[:, :, None, None]), 1), None
    return x, reference.label_maps(labels_BK, weights.labels, weights.reach)


def _concatenates(call: Call) -> bool:
    """Whether labels are further channels of a single pixel, which is the smaller tensor there."""
    return call.size == (1, 1) and call.padding == call.end_padding == (0, 0)


def _place(call: Call) -> tuple[Pair, Pair, Pair, bool]:
    """Stride, padding, size of the output, whether transposed: as the launches take them."""
    return call.stride, call.padding, call.out_size, call.operation == "conv_transpose"


def folded(tensors: Tensors) -> tuple[Tensor, Tensor]:
    """The factor and the summand, float32, that bias and norm by the running statistics come to."""
    assert tensors.mean is not None
    assert tensors.variance is not None
    scale = torch.rsqrt(tensors.variance.float() + tensors.eps)
    shift = -tensors.mean.float() if tensors.bias is None else tensors.bias.float() - tensors.mean.float()
    if tensors.gain is not None and tensors.shift is not None:
        scale = scale * tensors.gain.float()
        return scale, shift * scale + tensors.shift.float()
    return scale, shift * scale


def _refusal(call: Call) -> str | None:
    if call.dtype not in _TYPES:
        return f"its numbers are float32, bfloat16 or float16, here {str(call.dtype).removeprefix('torch.')}"
    if call.batch == 0:
        return "the batch is empty"
    if call.norm == "batch" and call.batch * call.out_size[0] * call.out_size[1] == 1:
        return "one value a channel has no variance"
    if call.device == "cpu" and interpreted():
        return None
    if call.device != "cuda":
        return f"it runs on CUDA devices, here {call.device}"
    if torch.cuda.get_device_capability() < (8, 0):
        return "it needs compute capability 8.0"
    return None


def _precision(call: Call) -> str:
    """Of float32 products, as PyTorch is set for its own."""
    if call.operation == "linear":
        return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    return "tf32" if torch.backends.cudnn.allow_tf32 else "ieee"


def _remember(tensors: Tensors, mean: Tensor, variance: Tensor, values: int) -> None:
    """Moves the running statistics towards these; the variance that is remembered is the unbiased one."""
    if tensors.mean is None or tensors.variance is None:
        return
    with torch.no_grad():
        tensors.mean.lerp_(mean.to(tensors.mean.dtype), tensors.momentum)
        unbiased = variance * (values / (values - 1))
        tensors.variance.lerp_(unbiased.to(tensors.variance.dtype), tensors.momentum)
