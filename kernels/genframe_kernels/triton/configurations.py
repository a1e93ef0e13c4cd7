"""The shapes of tiles that ship, chosen by what ahead-of-time compilation says; no GPU has timed them yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from genframe_kernels.triton import interpreted


@dataclass(frozen=True)
class Tile:
    """One program's share of a product: `rows` pixels by `columns` channels, `depth` input channels at a time."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int


def product_tile(rows: int, columns: int, channels: int, dtype: torch.dtype) -> Tile:
    """For a convolution's phase of so many pixels, output channels and input channels."""
    wide = max(16, min(128, _power(columns)))
    high = max(16, min(128, _power(rows)))
    deep = max(16, min(64 if dtype.itemsize == 2 else 32, _power(channels)))
    if interpreted():  # each program costs milliseconds there, whatever its size
        return Tile(max(16, min(64, high)), min(64, wide), deep, 4, 1)
    # A tensor core's instruction serves 64 rows and four warps; 128x64 by four warps spills on sm_80 and in ieee.
    return Tile(max(64, high), wide, deep, 8 if high == 128 and wide >= 64 else 4, 3)


def thin_tile(width: int, channels: int, dtype: torch.dtype) -> Tile:
    """For the last layer, of pictures whose width is rounded up to the power of two `width`."""
    deep = max(16, min(64 if dtype.itemsize == 2 else 32, _power(channels)))
    return Tile(max(width, 16 if interpreted() else 128), 64, deep, 4, 3)


def pass_tile(rows: int, channels: int) -> Tile:
    """For a pass over ``(rows, channels)`` values."""
    wide = max(8, min(64, _power(channels)))
    return Tile(max(16, min(4096 // wide, _power(rows))), wide, 0, 4, 1)


def merge_tile(parts: int) -> Tile:
    """For a sum over so many parts: few channels a program, so that many programs work."""
    return Tile(max(8, min(256, _power(parts))), 8, 0, 4, 1)


def _power(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
