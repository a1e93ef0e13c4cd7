"""The library's convolution to an output of a given size, which is how our kernels are told what the end lacks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels.calls import Pair


def convolved(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], size: Sequence[int], transposed: bool
) -> Tensor:
    """The library's convolution, with what the output's end lacks padded and what it has too much cut."""
    further = _further(x, weight, stride, padding, size, transposed)
    if transposed:
        y = F.conv_transpose2d(x, weight, None, pair(stride), pair(padding), further)
    else:
        y = F.conv2d(F.pad(x, (0, further[1], 0, further[0])), weight, None, pair(stride), pair(padding))
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


def convolved_backward(
    needed: Sequence[bool],
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    size: Sequence[int],
    transposed: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of input and weight in `convolved`, those of the two that are `needed`."""
    if not any(needed):
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
        dy, x, weight, None, stride, padding, (1, 1), transposed, output_padding, 1, [*needed, False]
    )
    if dx is not None and not transposed and any(further):
        dx = dx[:, :, :height, :width]
    return dx, dw


def pair(values: Sequence[int]) -> Pair:
    """Operators take lists, functions pairs."""
    return (values[0], values[1])
