"""What serves blocks with these kernels: alone, or behind the library's convolution."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe_kernels import reference
from genframe_kernels.calls import Call, Tensors
from genframe_kernels.triton import interpreted, operators
from genframe_kernels.triton.library import convolved

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
        x, weight = x.to(call.dtype), tensors.weight.to(call.dtype)
        if call.operation == "linear":
            x, weight = x[:, :, None, None], weight[:, :, None, None]
        table = None
        transposed, size = call.operation == "conv_transpose", call.out_size
        place = (call.stride, call.padding, size, transposed)
        if labels_BK is not None:
            axis = 0 if transposed else 1
            if call.size == (1, 1) and call.padding == call.end_padding == (0, 0):
                x = torch.cat((x, labels_BK.to(x.dtype)[:, :, None, None]), 1)
            else:
                weight, weight_y = torch.split(weight, [call.channels, call.labels], axis)
                ones, units = reference.probe(x, weight_y)
                reach = convolved(ones, units.transpose(0, 1) if transposed else units, *place)
                table = reference.label_maps(labels_BK, weight_y if transposed else weight_y.transpose(0, 1), reach)
        y: Tensor
        precision = _precision(call)
        act = (call.activation, call.slope)
        if call.norm == "none":
            y = operators.conv_act(x, weight, table, None, None, tensors.bias, *place, *act, precision)
        elif call.norm == "batch":
            affine = (tensors.gain, tensors.shift)
            y, _, mean, variance = operators.conv_norm_act(
                x, weight, table, None, tensors.bias, *affine, *place, *act, tensors.eps, precision
            )
            _remember(tensors, mean, variance, call.batch * size[0] * size[1])
        elif call.gradient:
            y = operators.conv_act(x, weight, table, None, None, tensors.bias, *place, "none", call.slope, precision)
            y = reference.normalised(call, y, tensors)
        else:
            scale, shift = folded(tensors)
            y = operators.conv_act(x, weight, table, None, scale, shift, *place, *act, precision)
        return y.flatten(1) if call.operation == "linear" else y


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
        z: Tensor
        z, mean, variance = operators.norm_act(y, tensors.gain, tensors.shift, call.activation, call.slope, tensors.eps)
        _remember(tensors, mean, variance, call.batch * call.out_size[0] * call.out_size[1])
        return z


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
