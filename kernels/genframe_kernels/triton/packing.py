"""Weights in the order in which the kernels read them: the input channel is the fastest axis."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels.calls import Pair


def packed(weight: Tensor, stride: Pair, transposed: bool) -> Tensor:
    """``(O, KH, KW, C)``; transposed ``(SH, SW, O, TH, TW, C)``, where tap t of residue r is row ``r + SH t``.

    Args:
        weight: ``(O, C, KH, KW)``, or ``(C, O, KH, KW)`` if transposed.
        stride: of the convolution.
        transposed: which of the two it is.
    """
    if not transposed:
        return weight.permute(0, 2, 3, 1).contiguous()
    (kernel_h, kernel_w), (stride_h, stride_w) = weight.shape[2:], stride
    taps_h, taps_w = math.ceil(kernel_h / stride_h), math.ceil(kernel_w / stride_w)
    whole = F.pad(weight, (0, taps_w * stride_w - kernel_w, 0, taps_h * stride_h - kernel_h))
    parts = whole.view(*weight.shape[:2], taps_h, stride_h, taps_w, stride_w)
    return parts.permute(3, 5, 1, 2, 4, 0).contiguous()


def row_shifts(kernel: int, padding: int) -> list[tuple[int, int, int]]:
    """(phase, row shift, kernel row) of each row of a kernel with stride 2."""
    found = []
    for phase in (0, 1):
        residue, first = (phase + padding) % 2, (phase + padding) // 2
        found += [(phase, first - (row - residue) // 2, row) for row in range(residue, kernel, 2)]
    return found


def packed_thin(weight: Tensor, padding: Pair) -> Tensor:
    """``(3, 64, C)`` of a weight ``(C, O, KH, KW)`` with stride 2 and at most 4 output channels, for the last layer."""
    channels, outputs, kernel_h, kernel_w = weight.shape
    places, taps = _thin_places((kernel_h, kernel_w), padding, outputs, weight.device)
    rows = weight.flatten(2).index_select(2, taps).permute(2, 1, 0).reshape(-1, channels)
    whole = torch.zeros(3 * 64, channels, dtype=weight.dtype, device=weight.device)
    return whole.index_copy(0, places, rows).view(3, 64, channels)


@cache
def _thin_places(kernel: Pair, padding: Pair, outputs: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The rows of the packed weight that are not zero, and the taps that they come from.

    They are kept, since numbers of Python's cannot be copied to the device while a CUDA graph is recorded.
    """
    places: list[int] = []
    taps: list[int] = []
    for a, shift_h, row in row_shifts(kernel[0], padding[0]):
        for b, shift_w, column in row_shifts(kernel[1], padding[1]):
            first = ((shift_h + 1) * 4 + shift_w + 1) * 16 + (2 * a + b) * outputs
            places += range(first, first + outputs)
            taps.append(row * kernel[1] + column)
    return torch.tensor(places, device=device), torch.tensor(taps, device=device)
