"""For the tests of a backend, ours or another package's: how near is near enough, and shapes that find mistakes.

``reference.block`` in float64 is what to compare with; give it the rounded inputs, for a sign may flip by rounding.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import torch
from torch import Tensor

from genframe_kernels.calls import Call, Pair

#: The largest `relative_error` against float64, by the type of the products; ``tf32`` is float32 rounded by the GPU.
TOLERANCES: Mapping[torch.dtype | str, float] = {
    torch.float32: 1e-5,
    "tf32": 5e-4,
    torch.float16: 1e-3,
    torch.bfloat16: 1e-2,
}

_CHANNELS = (1, 2, 3, 5, 7, 11, 13, 17, 19, 23)
_SIZES = (1, 2, 3, 5, 7, 11, 13)


def relative_error(value: Tensor, reference: Tensor) -> float:
    """``|value - reference| / |reference|`` in float64; infinite for another shape, and where either is not finite."""
    if value.shape != reference.shape:
        return float("inf")
    exact = reference.detach().double().cpu()
    distance = float((value.detach().double().cpu() - exact).norm())
    if distance == 0.0:
        return 0.0
    error = distance / norm if (norm := float(exact.norm())) else float("inf")
    return error if error < float("inf") else float("inf")


def random_call(seed: int, operation: str = "conv", *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Call:
    """A call without labels, norm and activation, the same for the same seed; change it by ``dataclasses.replace``.

    Axes differ in everything: kernels of 1 to 6, strides of 1 to 3, paddings up to the kernel, more of it at the end,
    output padding. Sizes and channels are 1 or prime, at most 13 and 23; one to three samples.

    Args:
        seed: of the choice.
        operation: ``linear``, ``conv`` or ``conv_transpose``.
        dtype: of the products.
        device: its type.
    """
    chance = random.Random(f"{operation} {seed}")
    axes = ((1, 1, 1, 0, 0, 0), (1, 1, 1, 0, 0, 0)) if operation == "linear" else (None, None)
    sizes, kernels, strides, paddings, ends, extras = zip(
        *(axis or _axis(chance, operation == "conv_transpose") for axis in axes), strict=True
    )
    return Call(
        operation=operation,
        channels=chance.choice(_CHANNELS),
        outputs=chance.choice(_CHANNELS),
        labels=0,
        size=_pair(sizes),
        batch=chance.randint(1, 3),
        kernel=_pair(kernels),
        stride=_pair(strides),
        padding=_pair(paddings),
        end_padding=_pair(ends),
        output_padding=_pair(extras),
        norm="none",
        affine=False,
        activation="none",
        slope=0.2,
        dtype=dtype,
        device=device,
        gradient=False,
    )


def _axis(chance: random.Random, transposed: bool) -> tuple[int, int, int, int, int, int]:
    """Size, kernel, stride, padding, end padding, output padding, such that an output is left."""
    while True:
        size, kernel, stride = chance.choice(_SIZES), chance.randint(1, 6), chance.randint(1, 3)
        padding = chance.randint(0, kernel)
        end = padding + chance.choice((0, 0, 1, 2))
        extra = chance.randint(0, stride - 1) if transposed else 0
        outputs = (size - 1) * stride + kernel + extra - padding - end
        if outputs > 0 if transposed else size + padding + end >= kernel:
            return size, kernel, stride, padding, end, extra


def _pair(values: tuple[int, ...]) -> Pair:
    return (values[0], values[1])
