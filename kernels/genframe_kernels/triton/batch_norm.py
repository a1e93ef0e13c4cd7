"""BatchNorm and the activation behind it, over ``(M, C)``: M pixels or samples, C channels, C the faster axis.

Statistics come in parts, one a tile: how many values, their mean, and the sum of squares of their deviations from it.
Merging the parts in one fixed order gives the same bits every time, which atomic additions would not, and keeps the
digits that a plain sum of squares loses. Between the parts and their merger another process's parts may join.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genframe_kernels.triton.activations import activate, derivative


@triton.jit
def tile_statistics(
    y_ptr, count_ptr, mean_ptr, square_ptr, M, C: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr
):
    """The parts of a tensor that is already there: ``(tiles,)``, ``(tiles, C)``, ``(tiles, C)``."""
    tile = tl.program_id(0)
    m = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    inside = (m < M)[:, None] & (c < C)[None, :]
    y = tl.load(y_ptr + m.to(tl.int64)[:, None] * C + c[None, :], mask=inside, other=0.0).to(tl.float32)
    count = tl.sum((m < M).to(tl.float32), 0)
    mean = tl.sum(y, 0) / count
    deviation = tl.where(inside, y - mean[None, :], 0.0)
    tl.store(count_ptr + tile, count, mask=tl.program_id(1) == 0)
    tl.store(mean_ptr + tile * C + c, mean, mask=c < C)
    tl.store(square_ptr + tile * C + c, tl.sum(deviation * deviation, 0), mask=c < C)


@triton.jit
def merge_statistics(
    count_ptr,  # (PARTS // REPEAT,)
    mean_ptr,  # (PARTS, C)
    square_ptr,  # (PARTS, C)
    total_mean_ptr,  # (C,)
    total_variance_ptr,  # (C,), the biased one
    parts,
    C: tl.constexpr,
    REPEAT: tl.constexpr,  # so many neighbouring parts have one count
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Mean and variance over all parts."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    count = tl.zeros((BLOCK_P,), tl.float32)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(0, parts, BLOCK_P):
        part = start + tl.arange(0, BLOCK_P)
        inside = (part < parts)[:, None] & (c < C)[None, :]
        weight = tl.load(count_ptr + part // REPEAT, mask=part < parts, other=0.0)
        count += weight
        total += weight[:, None] * tl.load(mean_ptr + part[:, None] * C + c[None, :], mask=inside, other=0.0)
    values = tl.sum(count, 0)
    mean = tl.sum(total, 0) / values
    squares = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(0, parts, BLOCK_P):
        part = start + tl.arange(0, BLOCK_P)
        inside = (part < parts)[:, None] & (c < C)[None, :]
        weight = tl.load(count_ptr + part // REPEAT, mask=part < parts, other=0.0)
        apart = tl.load(mean_ptr + part[:, None] * C + c[None, :], mask=inside, other=0.0) - mean[None, :]
        square = tl.load(square_ptr + part[:, None] * C + c[None, :], mask=inside, other=0.0)
        squares += square + weight[:, None] * apart * apart
    tl.store(total_mean_ptr + c, mean, mask=c < C)
    tl.store(total_variance_ptr + c, tl.sum(squares, 0) / values, mask=c < C)


@triton.jit
def normalise(
    y_ptr,  # (M, C)
    z_ptr,  # (M, C)
    mean_ptr,  # (C,) float32; so the next
    variance_ptr,
    gain_ptr,
    shift_ptr,
    M,
    eps,
    C: tl.constexpr,
    AFFINE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """``z = activation((y - mean) / sqrt(variance + eps) * gain + shift)``."""
    c, inside, place = _tile(M, C, BLOCK_M, BLOCK_C)
    normal, _ = _normal(tl.load(y_ptr + place, mask=inside, other=0.0), mean_ptr, variance_ptr, eps, c, C)
    u = _affine(normal, gain_ptr, shift_ptr, c, C, AFFINE)
    z = activate(u, ACTIVATION, SLOPE)
    tl.store(z_ptr + place, z.to(z_ptr.dtype.element_ty), mask=inside)


@triton.jit
def gradient_sums(
    dz_ptr,  # (M, C)
    y_ptr,  # (M, C)
    mean_ptr,
    variance_ptr,
    gain_ptr,
    shift_ptr,
    plain_ptr,  # (tiles, C): sums of du
    product_ptr,  # (tiles, C): sums of du times the normalised y
    M,
    eps,
    C: tl.constexpr,
    AFFINE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """First pass of the backward: each tile's two sums, with du the gradient behind the activation."""
    tile = tl.program_id(0)
    c, inside, place = _tile(M, C, BLOCK_M, BLOCK_C)
    normal, _ = _normal(tl.load(y_ptr + place, mask=inside, other=0.0), mean_ptr, variance_ptr, eps, c, C)
    u = _affine(normal, gain_ptr, shift_ptr, c, C, AFFINE)
    du = tl.load(dz_ptr + place, mask=inside, other=0.0).to(tl.float32) * derivative(u, ACTIVATION, SLOPE)
    tl.store(plain_ptr + tile * C + c, tl.sum(du, 0), mask=c < C)
    tl.store(product_ptr + tile * C + c, tl.sum(du * normal, 0), mask=c < C)


@triton.jit
def merge_sums(
    plain_ptr,  # (parts, C)
    product_ptr,  # (parts, C)
    total_plain_ptr,  # (C,), the gradient of the shift
    total_product_ptr,  # (C,), the gradient of the gain
    parts,
    C: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """The sums over all parts, in one fixed order."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    plain = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    product = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(0, parts, BLOCK_P):
        part = start + tl.arange(0, BLOCK_P)
        inside = (part < parts)[:, None] & (c < C)[None, :]
        place = part[:, None] * C + c[None, :]
        plain += tl.load(plain_ptr + place, mask=inside, other=0.0)
        product += tl.load(product_ptr + place, mask=inside, other=0.0)
    tl.store(total_plain_ptr + c, tl.sum(plain, 0), mask=c < C)
    tl.store(total_product_ptr + c, tl.sum(product, 0), mask=c < C)


@triton.jit
def gradient(
    dz_ptr,  # (M, C)
    y_ptr,  # (M, C)
    dy_ptr,  # (M, C)
    mean_ptr,
    variance_ptr,
    gain_ptr,
    shift_ptr,
    plain_ptr,  # (C,)
    product_ptr,  # (C,)
    M,
    eps,
    C: tl.constexpr,
    AFFINE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Second pass: ``dy = gain / sqrt(variance + eps) * (du - mean of du - normal y * mean of (du normal y))``."""
    c, inside, place = _tile(M, C, BLOCK_M, BLOCK_C)
    normal, factor = _normal(tl.load(y_ptr + place, mask=inside, other=0.0), mean_ptr, variance_ptr, eps, c, C)
    u = _affine(normal, gain_ptr, shift_ptr, c, C, AFFINE)
    du = tl.load(dz_ptr + place, mask=inside, other=0.0).to(tl.float32) * derivative(u, ACTIVATION, SLOPE)
    plain = tl.load(plain_ptr + c, mask=c < C, other=0.0) / M
    product = tl.load(product_ptr + c, mask=c < C, other=0.0) / M
    if AFFINE:
        factor *= tl.load(gain_ptr + c, mask=c < C, other=0.0)
    dy = factor[None, :] * (du - plain[None, :] - normal * product[None, :])
    tl.store(dy_ptr + place, dy.to(dy_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _tile(M, C: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr):
    """The channels of this program's tile, which of its values there are, and where."""
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    return c, (m < M)[:, None] & (c < C)[None, :], m.to(tl.int64)[:, None] * C + c[None, :]


@triton.jit
def _normal(y, mean_ptr, variance_ptr, eps, c, C: tl.constexpr):
    """The normalised y, and the factor that did it."""
    mean = tl.load(mean_ptr + c, mask=c < C, other=0.0)
    factor = tl.rsqrt(tl.load(variance_ptr + c, mask=c < C, other=1.0) + eps)
    return (y.to(tl.float32) - mean[None, :]) * factor[None, :], factor


@triton.jit
def _affine(normal, gain_ptr, shift_ptr, c, C: tl.constexpr, AFFINE: tl.constexpr):
    if AFFINE:
        gain = tl.load(gain_ptr + c, mask=c < C, other=0.0)
        shift = tl.load(shift_ptr + c, mask=c < C, other=0.0)
        normal = normal * gain[None, :] + shift[None, :]
    return normal
