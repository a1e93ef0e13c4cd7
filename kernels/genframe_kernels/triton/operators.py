"""The kernels as operators of PyTorch: known to ``torch.compile`` by shape, with gradients, differentiable twice.

The gradient of a convolution is the library's: a roofline leaves at most 8% to win there. What comes before it in the
backward, BatchNorm and the activation, is one fused pair of passes. Where a gradient will be differentiated again,
autograd runs the backward with gradients on, and it is made of differentiable PyTorch instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels.recompute import Recomputation, recomputes
from genframe_kernels.reference import activated
from genframe_kernels.triton import launch
from genframe_kernels.triton.launch import Epilogue, Norm
from genframe_kernels.triton.library import convolved, convolved_backward, pair


@torch.library.custom_op("genframe_kernels::conv_act", mutates_args=())
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
    place, whole = pair(padding), pair(size)
    if transposed and launch.thin_reason(weight, pair(x.shape[2:]), pair(stride), place, whole) is None:
        return launch.convolve_thin(x, weight, place, epilogue, precision)
    return launch.convolve(x, weight, pair(stride), place, whole, transposed, epilogue, precision)[0]


@conv_act.register_fake
def _(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    _table, _rows, _scale, _shift, _stride, _padding, size, transposed, *_ = rest
    return _picture(x, weight, size, transposed)


@torch.library.custom_op("genframe_kernels::conv_norm_act", mutates_args=())
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
        x, weight, pair(stride), pair(padding), pair(size), transposed, epilogue, precision, statistics=True
    )
    assert parts is not None
    # Here another process's parts would join, for a BatchNorm over all processes.
    mean, variance = launch.merge(parts)
    z = launch.normalise(y, Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope))
    return z, y, mean, variance


@conv_norm_act.register_fake
def _(x: Tensor, weight: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    _table, _rows, _bias, _gain, _shift, _stride, _padding, size, transposed, *_ = rest
    y = _picture(x, weight, size, transposed)
    mean = x.new_empty(y.shape[1], dtype=torch.float32)
    return torch.empty_like(y), y, mean, torch.empty_like(mean)


@torch.library.custom_op("genframe_kernels::norm_act", mutates_args=())
def norm_act(
    y: Tensor, gain: Tensor | None, shift: Tensor | None, activation: str, slope: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``activation(BatchNorm(y))`` of ``(B, C)`` or ``(B, C, H, W)`` by the batch's statistics; also those."""
    mean, variance = launch.merge(launch.statistics(y))
    return launch.normalise(y, Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope)), mean, variance


@norm_act.register_fake
def _(y: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    mean = y.new_empty(y.shape[1], dtype=torch.float32)
    return _dense(y), mean, torch.empty_like(mean)


@torch.library.custom_op("genframe_kernels::norm_act_backward", mutates_args=())
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
def _(dz: Tensor, y: Tensor, mean: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _dense(y), torch.empty_like(mean), torch.empty_like(mean)


def recomputable(
    z: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    gain: Tensor | None,
    shift: Tensor | None,
    activation: str,
    slope: float,
    eps: float,
) -> Tensor:
    """`z`, which `conv_norm_act` or `norm_act` made of `y`; where activations are recomputed, it knows how."""

    def make(y: Tensor, mean: Tensor, variance: Tensor, gain: Tensor | None, shift: Tensor | None) -> Tensor:
        return launch.normalise(y, Norm(mean, variance, _full(gain), _full(shift), eps, activation, slope))

    return Recomputation(make, y, mean, variance, gain, shift).attach(z) if recomputes(z) else z


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
    dy = _BEFORE_ACTIVATION[activation](dz.to(z.dtype), z, slope)
    dx, dw = convolved_backward(ctx.needs_input_grad[:2], dy, x, weight, stride, padding, size, transposed)
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
    dx, dw = convolved_backward(ctx.needs_input_grad[:2], dy, x, weight, stride, padding, size, transposed)
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


# The gradient before an activation, from its output, which tells the sign or the value of its input.
_BEFORE_ACTIVATION: Mapping[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "relu": lambda dz, z, slope: torch.ops.aten.threshold_backward(dz, z, 0.0),
    "leaky_relu": lambda dz, z, slope: torch.ops.aten.leaky_relu_backward(dz, z, slope, True),
    "tanh": lambda dz, z, slope: torch.ops.aten.tanh_backward(dz, z),
    "sigmoid": lambda dz, z, slope: torch.ops.aten.sigmoid_backward(dz, z),
    "none": lambda dz, z, slope: dz,
}


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
