"""One kernel for every convolution: stride, transposed, and the matrix product as the 1x1 case.

The output is divided into **phases**: a transposed convolution of stride s computes the output rows ``s u + a`` for
each phase ``a`` as a dense convolution of the input with every s-th row of the kernel, so that no multiplication is
wasted; an ordinary convolution has one phase. Within a phase an output tile is a matrix product over taps and input
channels, with the sums in float32. docs/kernels.md derives the formulas and draws them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from genframe_kernels.triton.activations import activate


@triton.jit
def convolution(
    x_ptr,  # (N, H, W, C)
    weight_ptr,  # (SH, SW, O, TH, TW, C) if transposed, else (O, KH, KW, C)
    y_ptr,  # (N, HO, WO, O)
    scale_ptr,  # (CHANNELS,) float32; output o belongs to channel o % CHANNELS
    shift_ptr,  # (CHANNELS,) float32
    table_ptr,  # (R, HO, WO, O), what is added to a sample
    rows_ptr,  # (N,) int64, which row of the table; without it sample n has row n
    count_ptr,  # (tiles,) float32: how many outputs a tile has in each channel
    mean_ptr,  # (tiles, O) float32: their mean
    square_ptr,  # (tiles, O) float32: the sum of their squared deviations from it
    N,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    HO: tl.constexpr,
    WO: tl.constexpr,
    O: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    CHANNELS: tl.constexpr,
    TRANSPOSED: tl.constexpr,
    SCALE: tl.constexpr,
    SHIFT: tl.constexpr,
    TABLE: tl.constexpr,
    ROWS: tl.constexpr,
    STATISTICS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    PRECISION: tl.constexpr,
    UPCAST: tl.constexpr,  # the interpreter's product of bfloat16 multiplies bit patterns
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP: tl.constexpr,
):
    """One tile of one phase's output."""
    # The grid of one phase: (N, UH, UW) pixels by O channels.
    UH: tl.constexpr = (HO + SH - 1) // SH if TRANSPOSED else HO
    UW: tl.constexpr = (WO + SW - 1) // SW if TRANSPOSED else WO
    TH: tl.constexpr = (KH + SH - 1) // SH if TRANSPOSED else KH
    TW: tl.constexpr = (KW + SW - 1) // SW if TRANSPOSED else KW
    STEPS: tl.constexpr = (C + BLOCK_K - 1) // BLOCK_K
    COLUMNS: tl.constexpr = (O + BLOCK_N - 1) // BLOCK_N
    phase = tl.program_id(1)
    tiles = tl.cdiv(N * UH * UW, BLOCK_M)
    # Neighbouring programs share rows and columns of tiles, so that both operands stay in the L2 cache.
    program = tl.program_id(0)
    group = program // (GROUP * COLUMNS)
    rows_here = tl.minimum(tiles - group * GROUP, GROUP)
    tile = group * GROUP + (program % (GROUP * COLUMNS)) % rows_here
    column = (program % (GROUP * COLUMNS)) // rows_here

    m = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    v = m % UW
    u = (m // UW) % UH
    n = m // (UW * UH)
    o = column * BLOCK_N + tl.arange(0, BLOCK_N)
    channel = tl.arange(0, BLOCK_K)
    if TRANSPOSED:
        a = phase // SW
        b = phase % SW
        residue_h = (a + PH) % SH
        residue_w = (b + PW) % SW
        taps_h = (KH - residue_h + SH - 1) // SH
        taps_w = (KW - residue_w + SW - 1) // SW
        first_h = u + (a + PH) // SH
        first_w = v + (b + PW) // SW
        out_h = u * SH + a
        out_w = v * SW + b
        filters = (residue_h * SW + residue_w) * O + o
    else:
        taps_h = KH
        taps_w = KW
        first_h = u * SH - PH
        first_w = v * SW - PW
        out_h = u
        out_w = v
        filters = o
    inside = (n < N) & (out_h < HO) & (out_w < WO)
    wide_n = n.to(tl.int64)
    first_pixel = ((wide_n * H + first_h) * W + first_w) * C
    first_weight = filters.to(tl.int64) * (TH * TW * C)

    sums = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for step in range(taps_h * taps_w * STEPS):
        tap = step // STEPS
        c = (step % STEPS) * BLOCK_K + channel
        t_h = tap // taps_w
        t_w = tap % taps_w
        if TRANSPOSED:
            in_h = first_h - t_h
            in_w = first_w - t_w
            pixel = first_pixel - (t_h * W + t_w) * C
        else:
            in_h = first_h + t_h
            in_w = first_w + t_w
            pixel = first_pixel + (t_h * W + t_w) * C
        reached = inside & (in_h >= 0) & (in_h < H) & (in_w >= 0) & (in_w < W)
        if C % BLOCK_K == 0:
            x_mask = reached[:, None]
            weight_mask = (o < O)[None, :]
        else:
            x_mask = reached[:, None] & (c < C)[None, :]
            weight_mask = (o < O)[None, :] & (c < C)[:, None]
        x = tl.load(x_ptr + pixel[:, None] + c[None, :], mask=x_mask, other=0.0)
        weight = tl.load(
            weight_ptr + first_weight[None, :] + ((t_h * TW + t_w) * C + c)[:, None], mask=weight_mask, other=0.0
        )
        if UPCAST:
            x = x.to(tl.float32)
            weight = weight.to(tl.float32)
        sums = tl.dot(x, weight, sums, input_precision=PRECISION)

    written = inside[:, None] & (o < O)[None, :]
    place = ((out_h * WO + out_w) * O)[:, None] + o[None, :]
    if TABLE:
        row = tl.load(rows_ptr + n, mask=n < N, other=0) if ROWS else wide_n
        sums += tl.load(table_ptr + (row * (HO * WO * O))[:, None] + place, mask=written, other=0.0).to(tl.float32)
    if SCALE:
        sums *= tl.load(scale_ptr + o % CHANNELS, mask=o < O, other=0.0)[None, :]
    if SHIFT:
        sums += tl.load(shift_ptr + o % CHANNELS, mask=o < O, other=0.0)[None, :]
    if STATISTICS:
        counted = inside.to(tl.float32)
        count = tl.sum(counted, 0)
        mean = tl.sum(sums * counted[:, None], 0) / tl.maximum(count, 1.0)
        deviation = (sums - mean[None, :]) * counted[:, None]
        part = phase * tiles + tile
        tl.store(count_ptr + part, count, mask=column == 0)
        tl.store(mean_ptr + part * O + o, mean, mask=o < O)
        tl.store(square_ptr + part * O + o, tl.sum(deviation * deviation, 0), mask=o < O)
    result = activate(sums, ACTIVATION, SLOPE)
    tl.store(y_ptr + (wide_n * (HO * WO * O))[:, None] + place, result.to(y_ptr.dtype.element_ty), mask=written)
