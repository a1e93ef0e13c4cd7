"""From tensors to kernels: layouts, the outputs, the grids."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from genframe_kernels.calls import Pair
from genframe_kernels.triton import batch_norm, configurations, interpreted
from genframe_kernels.triton.convolution import convolution
from genframe_kernels.triton.packing import packed, packed_thin, row_shifts
from genframe_kernels.triton.thin import thin_convolution


class Parts(NamedTuple):
    """BatchNorm's statistics of each tile; another process's parts may be concatenated before they are merged.

    Attributes:
        counts: ``(parts / repeat,)`` float32, how many values; `repeat` neighbouring parts have one count.
        means: ``(parts, C)`` float32.
        squares: ``(parts, C)`` float32, sums of squared deviations from the part's mean.
        repeat: see `counts`.
    """

    counts: Tensor
    means: Tensor
    squares: Tensor
    repeat: int = 1


class Epilogue(NamedTuple):
    """What a convolution does to its sums before it writes them, in this order.

    Attributes:
        table: ``(R, O, H', W')``, one row added to each sample.
        rows: ``(B,)`` int64, the sample's row of the table; None is row n for sample n.
        scale: ``(O,)`` float32 factor.
        shift: ``(O,)`` float32 summand.
        activation: by name.
        slope: of ``leaky_relu``.
    """

    table: Tensor | None = None
    rows: Tensor | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None
    activation: str = "none"
    slope: float = 0.2

    def pointers(self, x: Tensor) -> tuple[Tensor, ...]:
        """Scale, shift, table and rows as the kernels take them; x stands for one that is not there."""
        table = None if self.table is None else _rows(self.table)
        return tuple(_or(each, x) for each in (self.scale, self.shift, table, self.rows))

    def flags(self) -> dict[str, Any]:
        """Which of them are there, and the activation."""
        there = {name: getattr(self, name.lower()) is not None for name in ("SCALE", "SHIFT", "TABLE", "ROWS")}
        return {**there, "ACTIVATION": self.activation, "SLOPE": self.slope}


def convolve(
    x_BCHW: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    size: Pair,
    transposed: bool,
    epilogue: Epilogue,
    precision: str,
    *,
    statistics: bool = False,
    filters: Tensor | None = None,
) -> tuple[Tensor, Parts | None]:
    """``(B, O, *size)`` in channels_last, and the parts of its statistics (before the activation) if asked for.

    Args:
        x_BCHW: ``(B, C, H, W)``; made channels_last if it is not.
        weight: as PyTorch has it, in the dtype of x.
        stride: per axis.
        padding: at the top and at the left; what the end has follows from `size`.
        size: of the output.
        transposed: whether the convolution is.
        epilogue: what follows in the same kernel.
        precision: of float32 products, ``ieee`` or ``tf32``.
        statistics: whether the parts are wanted.
        filters: what `filters_of` gives for this weight, where it is kept from call to call.
    """
    batch, channels = x_BCHW.shape[:2]
    outputs = weight.shape[1 if transposed else 0]
    x = _rows(x_BCHW)
    if filters is None:
        filters = filters_of(weight, (x.shape[1], x.shape[2]), stride, padding, size, transposed)
    y_BHWO = x.new_empty(batch, *size, outputs)
    if _is_projection(weight, (x.shape[1], x.shape[2]), padding, size, transposed):
        geometry = ((1, 1), (1, 1), (1, 1), (1, 1), (0, 0))
        columns, transposed = math.prod(size) * outputs, False
    else:
        geometry = ((x.shape[1], x.shape[2]), size, (weight.shape[2], weight.shape[3]), stride, padding)
        columns = outputs
    (height, width), (out_h, out_w), (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w) = geometry
    phases = stride_h * stride_w if transposed else 1
    rows = batch * (math.ceil(out_h / stride_h) * math.ceil(out_w / stride_w) if transposed else out_h * out_w)
    tile = configurations.product_tile(rows, columns, channels, x.dtype)
    tiles = triton.cdiv(rows, tile.rows)
    counts, means, squares = _part_buffers(x, phases * tiles, columns) if statistics else (x, x, x)
    with _on(x):
        convolution[(tiles * triton.cdiv(columns, tile.columns), phases)](
            x,
            filters,
            y_BHWO,
            *epilogue.pointers(x),
            counts,
            means,
            squares,
            batch,
            height,
            width,
            channels,
            out_h,
            out_w,
            columns,
            kernel_h,
            kernel_w,
            stride_h,
            stride_w,
            pad_h,
            pad_w,
            outputs,
            TRANSPOSED=transposed,
            STATISTICS=statistics,
            **epilogue.flags(),
            PRECISION=precision,
            UPCAST=interpreted(),
            BLOCK_M=tile.rows,
            BLOCK_N=tile.columns,
            BLOCK_K=tile.depth,
            GROUP=8,
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
    y_BOHW = y_BHWO.permute(0, 3, 1, 2)
    if not statistics:
        return y_BOHW, None
    repeat = columns // outputs
    return y_BOHW, Parts(counts, means.view(-1, outputs), squares.view(-1, outputs), repeat)


def filters_of(weight: Tensor, in_size: Pair, stride: Pair, padding: Pair, size: Pair, transposed: bool) -> Tensor:
    """The weight in the order in which `convolve` reads it for an input of such a size."""
    if _is_projection(weight, in_size, padding, size, transposed):
        return weight.permute(2, 3, 1, 0).contiguous()  # (h, w, O, C)
    return packed(weight, stride, transposed)


def _is_projection(weight: Tensor, in_size: Pair, padding: Pair, size: Pair, transposed: bool) -> bool:
    """A transposed convolution of single pixels without padding is one matrix product with O * size columns."""
    return transposed and in_size == (1, 1) and padding == (0, 0) and tuple(weight.shape[2:]) == size


def thin_reason(weight: Tensor, in_size: Pair, stride: Pair, padding: Pair, size: Pair) -> str | None:
    """Why the last layer's kernel does not serve this transposed convolution; None if it does."""
    if weight.shape[1] > 4:
        return f"it writes at most 4 channels, here {weight.shape[1]}"
    if stride != (2, 2) or size != (2 * in_size[0], 2 * in_size[1]):
        return "it doubles the picture with stride 2"
    shifts = [shift for k, p in zip(weight.shape[2:], padding, strict=True) for _, shift, _ in row_shifts(k, p)]
    if min(shifts) < -1 or max(shifts) > 1:
        return "its taps reach one pixel to each side"
    if in_size[1] > 256:
        return f"its tiles hold rows of at most 256 pixels, here {in_size[1]}"
    return None


def convolve_thin(
    x_BCHW: Tensor, weight: Tensor, padding: Pair, epilogue: Epilogue, precision: str, filters: Tensor | None = None
) -> Tensor:
    """``(B, O, 2 H, 2 W)`` in channels_last, by the last layer's kernel; see `thin_reason`.

    `filters` is what `packed_thin` gives for the weight, where it is kept from call to call.
    """
    batch, channels, height, width = x_BCHW.shape
    outputs = weight.shape[1]
    x, filters = _rows(x_BCHW), packed_thin(weight, padding) if filters is None else filters
    y_BHWO = x.new_empty(batch, 2 * height, 2 * width, outputs)
    power = triton.next_power_of_2(width)
    tile = configurations.thin_tile(power, channels, x.dtype)
    with _on(x):
        thin_convolution[(triton.cdiv(batch * height * power, tile.rows),)](
            x,
            filters,
            y_BHWO,
            *epilogue.pointers(x),
            batch,
            height,
            width,
            channels,
            outputs,
            **epilogue.flags(),
            PRECISION=precision,
            UPCAST=interpreted(),
            WIDTH=power,
            BLOCK_M=tile.rows,
            BLOCK_K=tile.depth,
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
    return y_BHWO.permute(0, 3, 1, 2)


def statistics(y: Tensor) -> Parts:
    """The parts of a tensor ``(B, C)`` or ``(B, C, H, W)``."""
    flat, (rows, channels) = _flat(y)
    tile = configurations.pass_tile(rows, channels)
    tiles = triton.cdiv(rows, tile.rows)
    counts, means, squares = _part_buffers(y, tiles, channels)
    with _on(y):
        batch_norm.tile_statistics[(tiles, triton.cdiv(channels, tile.columns))](
            flat, counts, means, squares, rows, channels, tile.rows, tile.columns, num_warps=tile.warps
        )
    return Parts(counts, means, squares)


def merge(parts: Parts) -> tuple[Tensor, Tensor]:
    """Mean and biased variance ``(C,)``, float32, over all parts."""
    rows, channels = parts.means.shape
    mean, variance = parts.means.new_empty(channels), parts.means.new_empty(channels)
    tile = configurations.merge_tile(rows)
    with _on(mean):
        batch_norm.merge_statistics[(triton.cdiv(channels, tile.columns),)](
            *parts[:3], mean, variance, rows, channels, parts.repeat, tile.rows, tile.columns, num_warps=tile.warps
        )
    return mean, variance


class Norm(NamedTuple):
    """What normalises: mean and biased variance ``(C,)`` in float32, gain and shift or neither, and what follows."""

    mean: Tensor
    variance: Tensor
    gain: Tensor | None
    shift: Tensor | None
    eps: float
    activation: str
    slope: float


def normalise(y: Tensor, norm: Norm) -> Tensor:
    """``activation(BatchNorm(y))``, in the dtype of y; channels_last if it has four axes."""
    flat, (rows, channels) = _flat(y)
    z = torch.empty_like(flat)
    _over(batch_norm.normalise, rows, channels, norm, (flat, z))
    return _like(z, y)


def normalise_backward(dz: Tensor, y: Tensor, norm: Norm) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of y, gain and shift, where mean and variance are those of y."""
    (flat_dz, _), (flat, (rows, channels)) = _flat(dz.to(y.dtype)), _flat(y)
    tile = configurations.pass_tile(rows, channels)
    tiles = triton.cdiv(rows, tile.rows)
    plain, product = norm.mean.new_empty(2, tiles, channels).unbind()
    _over(batch_norm.gradient_sums, rows, channels, norm, (flat_dz, flat), (plain, product))
    shift, gain = torch.empty_like(norm.mean), torch.empty_like(norm.mean)
    merging = configurations.merge_tile(tiles)
    with _on(y):
        batch_norm.merge_sums[(triton.cdiv(channels, merging.columns),)](
            plain, product, shift, gain, tiles, channels, merging.rows, merging.columns, num_warps=merging.warps
        )
    dy = torch.empty_like(flat)
    _over(batch_norm.gradient, rows, channels, norm, (flat_dz, flat, dy), (shift, gain))
    return _like(dy, y), gain, shift


def _over(
    kernel: Any, rows: int, channels: int, norm: Norm, before: tuple[Tensor, ...], behind: tuple[Tensor, ...] = ()
) -> None:
    """Launches one of the passes over ``(rows, channels)``."""
    tile = configurations.pass_tile(rows, channels)
    affine = (_or(norm.gain, norm.mean), _or(norm.shift, norm.mean))
    with _on(norm.mean):
        kernel[(triton.cdiv(rows, tile.rows), triton.cdiv(channels, tile.columns))](
            *before,
            norm.mean,
            norm.variance,
            *affine,
            *behind,
            rows,
            norm.eps,
            channels,
            AFFINE=norm.gain is not None,
            ACTIVATION=norm.activation,
            SLOPE=norm.slope,
            BLOCK_M=tile.rows,
            BLOCK_C=tile.columns,
            num_warps=tile.warps,
        )


def _rows(x_BCHW: Tensor) -> Tensor:
    """``(B, H, W, C)``, dense."""
    return x_BCHW.permute(0, 2, 3, 1).contiguous()


def _flat(y: Tensor) -> tuple[Tensor, Pair]:
    """The values as ``(M, C)``, dense, and this shape."""
    rows = _rows(y) if y.dim() == 4 else y.contiguous()
    return rows, (rows.numel() // rows.shape[-1], rows.shape[-1])


def _like(rows: Tensor, y: Tensor) -> Tensor:
    return rows.permute(0, 3, 1, 2) if y.dim() == 4 else rows


def _part_buffers(x: Tensor, parts: int, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    means, squares = torch.empty(2, parts, channels, dtype=torch.float32, device=x.device).unbind()
    return torch.empty(parts, dtype=torch.float32, device=x.device), means, squares


def _or(tensor: Tensor | None, other: Tensor) -> Tensor:
    """A kernel's pointer that it will not follow must point somewhere all the same."""
    return other if tensor is None else tensor


def _on(x: Tensor) -> AbstractContextManager[Any]:
    """Triton launches on the current device, which need not be that of x."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
