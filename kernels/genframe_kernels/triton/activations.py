"""Activations and their derivatives, in float32."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def activate(u, ACTIVATION: tl.constexpr, SLOPE: tl.constexpr):
    """The activation of u."""
    if ACTIVATION == "relu":
        # Not the maximum, which would make a NaN 0 and a diverged network look healthy.
        u = tl.where(u <= 0, 0.0, u)
    elif ACTIVATION == "leaky_relu":
        u = tl.where(u > 0, u, u * SLOPE)
    elif ACTIVATION == "tanh":
        # Of -2|u|, which cannot overflow.
        decay = tl.exp(-2.0 * tl.abs(u))
        size = (1.0 - decay) / (1.0 + decay)
        u = tl.where(u < 0, -size, size)
    elif ACTIVATION == "sigmoid":
        decay = tl.exp(-tl.abs(u))
        u = tl.where(u < 0, decay, 1.0) / (1.0 + decay)
    return u


@triton.jit
def derivative(u, ACTIVATION: tl.constexpr, SLOPE: tl.constexpr):
    """The activation's derivative at u; at 0 that of PyTorch, which takes the side of the negative numbers."""
    slope = tl.full(u.shape, 1.0, tl.float32)
    if ACTIVATION == "relu":
        slope = tl.where(u <= 0, 0.0, 1.0)
    elif ACTIVATION == "leaky_relu":
        slope = tl.where(u > 0, 1.0, SLOPE)
    elif ACTIVATION == "tanh":
        value = activate(u, ACTIVATION, SLOPE)
        slope = 1.0 - value * value
    elif ACTIVATION == "sigmoid":
        value = activate(u, ACTIVATION, SLOPE)
        slope = value * (1.0 - value)
    return slope
