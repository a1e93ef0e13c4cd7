"""The kernels as operators of PyTorch: known to ``torch.compile`` by shape, with gradients, differentiable twice.

The gradient of a convolution is the library's: a roofline leaves at most 8% to win there. What comes before it in the
backward, BatchNorm and the activation, is one fused pair of passes. Where a gradient will be differentiated again,
autograd runs the backward with gradients on, and it is made of differentiable PyTorch instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels.calls import Pair
from genframe_kernels.reference import activated
from genframe_kernels.triton import launch
from genframe_kernels.triton.launch import Epilogue, Norm

_library = torch.library.custom_op


@_library("genframe_kernels::conv_act", mutates_args=())
def conv_act(
    x: Tensor,
    weight: Tensor,
    table: Tensor | None,
    rows: Tensor | None,
    scale: Tensor | None,
    shift: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
    activation: str,
    slope: float,
    precision: str,
) -> Tensor:
    """``activation((conv(x) + table) * scale + shift)``, one kernel; ``(B, O, *size)`` in channels_last."""
    epilogue = Epilogue(table, rows, _full(scale), _full(shift), activation, slope)
    place, whole = _pair(padding), _pair(size)
    if transposed and launch.thin_reason(weight, x, _pair(stride), place, whole) is None:
        return launch.convolve_thin(x, weight, place, epilogue, precision)
    return launch.convolve(x, weight, _pair(stride), place, whole, transposed, epilogue, precision)[0]


@conv_act.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    table: Tensor | None,
    rows: Tensor | None,
    scale: Tensor | None,
    shift: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
    activation: str,
    slope: float,
    precision: str,
) -> Tensor:
    return _picture(x, weight, size, transposed)


@_library("genframe_kernels::conv_norm_act", mutates_args=())
def conv_norm_act(
    x: Tensor,
    weight: Tensor,
    table: Tensor | None,
    rows: Tensor | None,
    bias: Tensor | None,
    gain: Tensor | None,
    shift: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
    activation: str,
    slope: float,
    eps: float,
    precision: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``activation(BatchNorm(conv(x) + table + bias))`` by the batch's statistics; also conv(x) ..., mean, variance."""
    epilogue = Epilogue(table, rows, None, _full(bias))
    y, parts = launch.convolve(
        x, weight, _pair(stride), _pair(padding), _pair(size), transposed, epilogue, precision, statistics=True
    )
    assert parts is not None
    # Here another process's parts would join, for a BatchNorm over all processes.
    mean, variance = launch.merge(parts)
    z = launch.normalise(y, Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope))
    return z, y, mean, variance


@conv_norm_act.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    table: Tensor | None,
    rows: Tensor | None,
    bias: Tensor | None,
    gain: Tensor | None,
    shift: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
    activation: str,
    slope: float,
    eps: float,
    precision: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    y = _picture(x, weight, size, transposed)
    mean = x.new_empty(y.shape[1], dtype=torch.float32)
    return torch.empty_like(y), y, mean, torch.empty_like(mean)


@_library("genframe_kernels::norm_act", mutates_args=())
def norm_act(
    y: Tensor, gain: Tensor | None, shift: Tensor | None, activation: str, slope: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``activation(BatchNorm(y))`` of ``(B, C)`` or ``(B, C, H, W)`` by the batch's statistics; also those."""
    mean, variance = launch.merge(launch.statistics(y))
    return launch.normalise(y, Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope)), mean, variance


@norm_act.register_fake
def _(
    y: Tensor, gain: Tensor | None, shift: Tensor | None, activation: str, slope: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    mean = y.new_empty(y.shape[1], dtype=torch.float32)
    return _dense(y), mean, torch.empty_like(mean)


@_library("genframe_kernels::norm_act_backward", mutates_args=())
def norm_act_backward(
    dz: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    gain: Tensor | None,
    shift: Tensor | None,
    activation: str,
    slope: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of y, gain and shift in `norm_act`."""
    norm = Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope)
    return launch.normalise_backward(dz, y, norm)


@norm_act_backward.register_fake
def _(
    dz: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    gain: Tensor | None,
    shift: Tensor | None,
    activation: str,
    slope: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _dense(y), torch.empty_like(mean), torch.empty_like(mean)


def _conv_act_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, table, rows, scale, shift, *rest = inputs
    ctx.save_for_backward(x, weight, table, rows, shift, output)
    ctx.arguments = rest
    if scale is not None:
        raise RuntimeError("a folded norm is for inference and has no gradient")


def _conv_act_backward(ctx: Any, dz: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, table, rows, shift, z = ctx.saved_tensors
    stride, padding, size, transposed, activation, slope, _ = ctx.arguments
    if torch.is_grad_enabled():
        return *_again(ctx, dz, (x, weight, table, rows, None, shift), shift, None), *(None,) * 7
    dy = _before_activation(dz.to(z.dtype), z, activation, slope)
    dx, dw = _conv_backward(ctx, dy, x, weight, stride, padding, size, transposed)
    dtable = _table_gradient(dy, table, rows) if ctx.needs_input_grad[2] else None
    dshift = dy.sum((0, 2, 3), dtype=torch.float32).to(shift.dtype) if ctx.needs_input_grad[5] else None
    return dx, dw, dtable, None, None, dshift, *(None,) * 7


def _conv_norm_act_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, weight, table, rows, bias, gain, shift, *rest = inputs
    _, y, mean, variance = output
    ctx.save_for_backward(x, weight, table, rows, bias, gain, shift, y, mean, variance)
    ctx.arguments = rest
    ctx.mark_non_differentiable(y, mean, variance)


def _conv_norm_act_backward(ctx: Any, dz: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    x, weight, table, rows, bias, gain, shift, y, mean, variance = ctx.saved_tensors
    stride, padding, size, transposed, activation, slope, eps, _ = ctx.arguments
    if torch.is_grad_enabled():
        inputs = (x, weight, table, rows, bias, gain, shift)
        return *_again(ctx, dz, inputs, bias, (gain, shift, eps)), *(None,) * 8
    dy, dgain, dshift = norm_act_backward(dz, y, mean, variance, gain, shift, activation, slope, eps)
    dx, dw = _conv_backward(ctx, dy, x, weight, stride, padding, size, transposed)
    dtable = _table_gradient(dy, table, rows) if ctx.needs_input_grad[2] else None
    # BatchNorm takes every constant away again.
    dbias = torch.zeros_like(bias) if ctx.needs_input_grad[4] else None
    affine = (None, None) if gain is None else (dgain.to(gain.dtype), dshift.to(shift.dtype))
    return dx, dw, dtable, None, dbias, *affine, *(None,) * 8


def _norm_act_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    y, gain, shift, *rest = inputs
    _, mean, variance = output
    ctx.save_for_backward(y, gain, shift, mean, variance)
    ctx.arguments = rest
    ctx.mark_non_differentiable(mean, variance)


def _norm_act_backward(ctx: Any, dz: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    y, gain, shift, mean, variance = ctx.saved_tensors
    activation, slope, eps = ctx.arguments
    if torch.is_grad_enabled():
        z = _normalised(y, gain, shift, eps, activation, slope)
        return *_gradients(z, dz, (y, gain, shift)), None, None, None
    dy, dgain, dshift = norm_act_backward(dz, y, mean, variance, gain, shift, activation, slope, eps)
    affine = (None, None) if gain is None else (dgain.to(gain.dtype), dshift.to(shift.dtype))
    return dy, *affine, None, None, None


torch.library.register_autograd("genframe_kernels::conv_act", _conv_act_backward, setup_context=_conv_act_setup)
torch.library.register_autograd(
    "genframe_kernels::conv_norm_act", _conv_norm_act_backward, setup_context=_conv_norm_act_setup
)
torch.library.register_autograd("genframe_kernels::norm_act", _norm_act_backward, setup_context=_norm_act_setup)


def _again(
    ctx: Any,
    dz: Tensor,
    inputs: tuple[Tensor | None, ...],
    bias: Tensor | None,
    norm: tuple[Tensor | None, Tensor | None, float] | None,
) -> tuple[Tensor | None, ...]:
    """The gradients of the inputs by differentiable PyTorch, so that they can be differentiated again.

    Args:
        ctx: of the operator.
        dz: the gradient of its output.
        inputs: x, weight, table, rows and what else has a gradient, as the operator takes them.
        bias: which of them is added to the convolution.
        norm: which are gain and shift, and eps.
    """
    x, weight, table, rows = inputs[:4]
    assert x is not None
    assert weight is not None
    stride, padding, size, transposed, activation, slope = ctx.arguments[:6]
    y = convolved(x, weight, stride, padding, size, transposed)
    if table is not None:
        y = y + (table if rows is None else table[rows])
    if bias is not None:
        y = y + bias.to(y.dtype)[:, None, None]
    z = activated(y, activation, slope) if norm is None else _normalised(y, *norm, activation, slope)
    return _gradients(z, dz, inputs)


def _gradients(z: Tensor, dz: Tensor, inputs: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """Of those inputs that have one, with a graph of their own."""
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(z, wanted, dz, create_graph=True, allow_unused=True))
    return tuple(next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs)


def _normalised(
    y: Tensor, gain: Tensor | None, shift: Tensor | None, eps: float, activation: str, slope: float
) -> Tensor:
    return activated(F.batch_norm(y, None, None, gain, shift, True, 0.0, eps), activation, slope)


def convolved(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], size: Sequence[int], transposed: bool
) -> Tensor:
    """The library's convolution, with what the output's end lacks padded and what it has too much cut."""
    further = _further(x, weight, stride, padding, size, transposed)
    if transposed:
        y = F.conv_transpose2d(x, weight, None, _pair(stride), _pair(padding), further)
    else:
        y = F.conv2d(F.pad(x, (0, further[1], 0, further[0])), weight, None, _pair(stride), _pair(padding))
    return y[:, :, : size[0], : size[1]]


def _further(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], size: Sequence[int], transposed: bool
) -> Pair:
    """Rows and columns of zeros that the input lacks at its end, or the output if transposed, to reach `size`."""
    axes = zip(x.shape[2:], weight.shape[2:], stride, padding, size, strict=True)
    if transposed:
        lacking = [out - ((n - 1) * s - 2 * p + k) for n, k, s, p, out in axes]
    else:
        lacking = [(out - 1) * s + k - (n + 2 * p) for n, k, s, p, out in axes]
    return (max(lacking[0], 0), max(lacking[1], 0))


def _conv_backward(
    ctx: Any,
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """The library's gradients of input and weight."""
    mask = list(ctx.needs_input_grad[:2])
    if not any(mask):
        return None, None
    height, width = x.shape[2:]
    further = _further(x, weight, stride, padding, size, transposed)
    axes = list(zip(x.shape[2:], weight.shape[2:], stride, padding, further, strict=True))
    if transposed:
        whole = [(n - 1) * s - 2 * p + k + more for n, k, s, p, more in axes]
    else:
        whole = [(n + 2 * p + more - k) // s + 1 for n, k, s, p, more in axes]
        x = F.pad(x, (0, further[1], 0, further[0])) if any(further) else x
    lost = [n - out for n, out in zip(whole, size, strict=True)]
    dy = F.pad(dy, (0, lost[1], 0, lost[0])) if any(lost) else dy
    output_padding = further if transposed else (0, 0)
    dx, dw, _ = torch.ops.aten.convolution_backward(
        dy, x, weight, None, stride, padding, (1, 1), transposed, output_padding, 1, [*mask, False]
    )
    if dx is not None and not transposed and any(further):
        dx = dx[:, :, :height, :width]
    return dx, dw


def _before_activation(dz: Tensor, z: Tensor, activation: str, slope: float) -> Tensor:
    """The gradient before an activation, from its output: each of these tells its input's sign or value."""
    if activation == "relu":
        return torch.ops.aten.threshold_backward(dz, z, 0.0)  # type: ignore[no-any-return]
    if activation == "leaky_relu":
        return torch.ops.aten.leaky_relu_backward(dz, z, slope, True)  # type: ignore[no-any-return]
    if activation == "tanh":
        return torch.ops.aten.tanh_backward(dz, z)  # type: ignore[no-any-return]
    if activation == "sigmoid":
        return torch.ops.aten.sigmoid_backward(dz, z)  # type: ignore[no-any-return]
    return dz


def _table_gradient(dy: Tensor, table: Tensor, rows: Tensor | None) -> Tensor:
    """A product with one-hot rows adds in a fixed order, which scattered additions do not."""
    if rows is None:
        return dy.to(table.dtype)
    chosen = F.one_hot(rows, len(table)).to(dy.dtype)
    return (chosen.T @ dy.reshape(len(dy), -1)).view(table.shape).to(table.dtype)


def _picture(x: Tensor, weight: Tensor, size: Sequence[int], transposed: bool) -> Tensor:
    outputs = weight.shape[1 if transposed else 0]
    return x.new_empty(len(x), *size, outputs).permute(0, 3, 1, 2)


def _dense(y: Tensor) -> Tensor:
    """As the passes write it."""
    if y.dim() == 2:
        return y.new_empty(y.shape)
    batch, channels, height, width = y.shape
    return y.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)


def _full(vector: Tensor | None) -> Tensor | None:
    return None if vector is None else vector.float()


def _pair(values: Sequence[int]) -> Pair:
    return (values[0], values[1])
