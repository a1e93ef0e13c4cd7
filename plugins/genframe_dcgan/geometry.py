"""The sizes of the pictures between input and output, and the padding that takes each to the next."""

from __future__ import annotations

from typing import Any

Size = tuple[int, int]


def default_depth(size: Size, smallest: int) -> int:
    """At least two halvings, and until the smaller side is below `smallest`."""
    return next(depth for depth in range(2, min(size)) if min(size) >> depth < smallest)


def most_halvings(size: Size) -> int:
    """How often the smaller side can be halved before nothing is left."""
    return min(size).bit_length() - 1


def halvings(size: Size, depth: int, kernel: int, padding: str) -> list[Size]:
    """The sizes from `size` down.

    A symmetric kernel of even size makes the floor of half, one of odd size and TensorFlow's "same" the ceiling.
    """
    up = int(kernel % 2 == 1 or padding == "same")
    sizes = [size]
    for _ in range(depth):
        sizes.append(((sizes[-1][0] + up) // 2, (sizes[-1][1] + up) // 2))
    return sizes


def halving(large: Size, kernel: int, padding: str) -> dict[str, Any]:
    """The geometry, as `BlockSpec` has it, of the stride-2 convolution from `large` to its half."""
    geometry: dict[str, Any] = {"kernel": (kernel, kernel), "stride": (2, 2)}
    if padding == "symmetric":
        return geometry | {"padding": (_symmetric(kernel), _symmetric(kernel))}
    before, after = zip(*(_same(side, kernel) for side in large), strict=True)
    return geometry | {"padding": before, "end_padding": after if after != before else None}


def doubling(large: Size, kernel: int, padding: str) -> dict[str, Any]:
    """The geometry of the transposed convolution that leads back from half of `large` to `large`."""
    geometry = halving(large, kernel, padding)
    if padding == "same":
        return geometry
    up = kernel % 2
    reached = [((side + up) // 2 - 1) * 2 - 2 * _symmetric(kernel) + kernel for side in large]
    return geometry | {"output_padding": (large[0] - reached[0], large[1] - reached[1])}


def _symmetric(kernel: int) -> int:
    return (kernel - 1) // 2


def _same(side: int, kernel: int) -> tuple[int, int]:
    """TensorFlow's "same" at stride 2: as much as the ceiling of half needs, the odd one at the end."""
    total = max(((side + 1) // 2 - 1) * 2 + kernel - side, 0)
    return total // 2, total - total // 2
