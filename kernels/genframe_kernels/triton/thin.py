"""The last layer of a generator: a transposed convolution of stride 2 into 1 to 4 channels.

A matrix product of 3 columns would leave a tensor core idle, and each of the four phases would read the picture again.
Here one product serves all of them: the columns are (column shift, phase row, phase column, output channel), the
picture is read once for each of three row shifts, and the column shifts are resolved among the sums.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genframe_kernels.triton.activations import activate


@triton.jit
def thin_convolution(
    x_ptr,  # (N, H, W, C)
    weight_ptr,  # (3, 4 * 16, C): row shift; column shift (-1, 0, 1, unused) by phase row, phase column, output channel
    y_ptr,  # (N, 2 H, 2 W, O)
    scale_ptr,  # (O,) float32
    shift_ptr,  # (O,) float32
    table_ptr,  # (R, 2 H, 2 W, O), what is added to a sample
    rows_ptr,  # (N,) int64, which row of the table; without it sample n has row n
    N,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    O: tl.constexpr,
    SCALE: tl.constexpr,
    SHIFT: tl.constexpr,
    TABLE: tl.constexpr,
    ROWS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    PRECISION: tl.constexpr,
    UPCAST: tl.constexpr,
    WIDTH: tl.constexpr,  # the power of two from W on
    BLOCK_M: tl.constexpr,  # a multiple of WIDTH: a tile holds whole rows of the picture
    BLOCK_K: tl.constexpr,
):
    """One tile of whole rows of the picture, all four phases of it."""
    STEPS: tl.constexpr = (C + BLOCK_K - 1) // BLOCK_K
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    v = m % WIDTH
    u = (m // WIDTH) % H
    n = m // (WIDTH * H)
    wide_n = n.to(tl.int64)
    channel = tl.arange(0, BLOCK_K)
    column = tl.arange(0, 64)
    inside = (n < N) & (v < W)
    sums = tl.zeros((BLOCK_M, 64), tl.float32)
    for step in range(3 * STEPS):
        row_shift = step // STEPS - 1
        c = (step % STEPS) * BLOCK_K + channel
        reached = inside & (u + row_shift >= 0) & (u + row_shift < H)
        pixel = ((wide_n * H + u + row_shift) * W + v) * C
        x = tl.load(x_ptr + pixel[:, None] + c[None, :], mask=reached[:, None] & (c < C)[None, :], other=0.0)
        weight = tl.load(
            weight_ptr + ((row_shift + 1) * 64 + column)[None, :] * C + c[:, None], mask=(c < C)[:, None], other=0.0
        )
        if UPCAST:
            x = x.to(tl.float32)
            weight = weight.to(tl.float32)
        sums = tl.dot(x, weight, sums, input_precision=PRECISION)

    # (BLOCK_M, 64) to three (BLOCK_M, 16), by the shift of the column that they were read from.
    even, odd = tl.split(sums.reshape(BLOCK_M, 2, 2, 16).permute(0, 3, 1, 2))
    left, right = tl.split(even)
    middle, _ = tl.split(odd)
    row = tl.arange(0, BLOCK_M)[:, None]
    before = tl.broadcast_to(tl.maximum(row - 1, 0), (BLOCK_M, 16))
    behind = tl.broadcast_to(tl.minimum(row + 1, BLOCK_M - 1), (BLOCK_M, 16))
    result = middle
    result += tl.where((v > 0)[:, None], tl.gather(left, before, 0), 0.0)
    result += tl.where((v < W - 1)[:, None], tl.gather(right, behind, 0), 0.0)

    part = tl.arange(0, 16)
    phase_row = part // (2 * O)
    o = part % O
    place = ((2 * u * 2 * W + 2 * v) * O)[:, None] + (phase_row * (2 * W * O) + part % (2 * O))[None, :]
    written = inside[:, None] & (part < 4 * O)[None, :]
    if TABLE:
        table_row = tl.load(rows_ptr + n, mask=n < N, other=0) if ROWS else wide_n
        table = tl.load(table_ptr + (table_row * (4 * H * W * O))[:, None] + place, mask=written, other=0.0)
        result += table.to(tl.float32)
    if SCALE:
        result *= tl.load(scale_ptr + o)[None, :]
    if SHIFT:
        result += tl.load(shift_ptr + o)[None, :]
    result = activate(result, ACTIVATION, SLOPE)
    tl.store(y_ptr + (wide_n * (4 * H * W * O))[:, None] + place, result.to(y_ptr.dtype.element_ty), mask=written)
