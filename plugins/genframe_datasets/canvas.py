"""Many small pictures painted at once, shape by shape, each shape given by its signed distance.

Bytes must be the same on every machine, so the arithmetic is float32 additions, products, quotients and square roots
alone: IEEE 754 fixes their results to the last bit, as it does not for sines, exponentials and sums over an axis, and
as nobody does for a drawing library's rounding. An edge is antialiased by the distance itself: a pixel whose centre
lies half a pixel inside is full, half a pixel outside is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: One number for all pictures, or ``(N, 1, 1)``, or one a pixel, ``(N, S, S)``.
Amount = float | Floats


@dataclass(frozen=True, eq=False)
class Canvas:
    """Pictures being painted.

    Attributes:
        pixels: ``(N, 3, S, S)``, 0 to 255.
        density: how many pixels one unit of distance spans, ``(N, 1, 1)``.
    """

    pixels: Floats
    density: Floats

    def coverage(self, distance: Floats, blur: float = 0.0) -> Floats:
        """How much of each pixel a shape covers, ``(N, S, S)`` in [0, 1].

        Args:
            distance: from the shape's edge in units, negative inside.
            blur: the width of the edge in units; 0 is as sharp as pixels allow.
        """
        steepness = self.density if blur == 0.0 else 1.0 / blur
        covered: Floats = np.clip(0.5 - distance * steepness, 0.0, 1.0)
        return covered

    def paint(self, coverage: Floats, colour: Floats) -> None:
        """Lays `colour`, ``(3,)`` or ``(N, 3)``, over the pictures where `coverage` is not 0."""
        for channel in range(3):
            plane = self.pixels[:, channel]
            plane += (colour[..., channel].reshape(-1, 1, 1) - plane) * coverage


def ellipse(x: Floats, y: Floats, width: Amount, height: Amount) -> Floats:
    """Distance from an ellipse about the origin with these half axes; exact at the edge to first order."""
    u, v = x / width, y / height
    squared = u * u + v * v
    u /= width
    v /= height
    slope = np.sqrt(u * u + v * v) + np.float32(1e-6)  # at the centre all is 0
    distance: Floats = (squared - np.sqrt(squared)) / slope
    return distance


def box(x: Floats, y: Floats, width: Amount, height: Amount, radius: float) -> Floats:
    """Distance from a box with these half sides, its corners rounded."""
    u, v = abs(x) - (width - radius), abs(y) - (height - radius)
    outside_u, outside_v = np.maximum(u, 0.0), np.maximum(v, 0.0)
    outside = np.sqrt(outside_u * outside_u + outside_v * outside_v)
    distance: Floats = outside + np.minimum(np.maximum(u, v), 0.0) - radius
    return distance


def stroke(x: Floats, y: Floats, width: Amount, bend: Amount, thickness: Amount) -> Floats:
    """Distance from a pen stroke along ``y = bend * x**2`` for x from -width to width, with round ends.

    Near the curve the vertical distance over the curve's slope is the distance.
    """
    inside: Floats = np.clip(x, -width, width)
    slope = (2.0 * bend) * inside
    across = (y - bend * inside * inside) / np.sqrt(1.0 + slope * slope)
    beyond = x - inside
    from_curve: Floats = np.sqrt(across * across + beyond * beyond)
    return from_curve - thickness
