"""The blocks of genframe's networks, with labels and without: pure PyTorch, and nothing of genframe."""

from __future__ import annotations

from genframe_kernels.blocks import (
    BlockDescription,
    ConvBlock,
    ConvTransposeBlock,
    Finish,
    LinearBlock,
    Maxout,
    block,
)
from genframe_kernels.reference import conv, conv_transpose, flatten, linear

__all__ = [
    "BlockDescription",
    "ConvBlock",
    "ConvTransposeBlock",
    "Finish",
    "LinearBlock",
    "Maxout",
    "block",
    "conv",
    "conv_transpose",
    "flatten",
    "linear",
]
