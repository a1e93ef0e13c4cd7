"""The blocks of genframe's networks, with labels and without, and the backends that serve them; nothing of genframe."""

from __future__ import annotations

from genframe_kernels.blocks import (
    Block,
    BlockDescription,
    ConvBlock,
    ConvTransposeBlock,
    Finish,
    LinearBlock,
    Maxout,
    activation_layers,
    block,
)
from genframe_kernels.dispatch import UnsupportedError, asked, choose, register_backend, set_backend, use_backend
from genframe_kernels.functional import Norm, conv_block, conv_transpose_block
from genframe_kernels.inference import compile_inference
from genframe_kernels.recompute import recompute_activations
from genframe_kernels.reference import conv, conv_transpose, flatten, linear
from genframe_kernels.spectral import initialise_weight, normalise_spectrum, one_power_iteration

__all__ = [
    "Block",
    "BlockDescription",
    "ConvBlock",
    "ConvTransposeBlock",
    "Finish",
    "LinearBlock",
    "Maxout",
    "Norm",
    "UnsupportedError",
    "activation_layers",
    "asked",
    "block",
    "choose",
    "compile_inference",
    "conv",
    "conv_block",
    "conv_transpose",
    "conv_transpose_block",
    "flatten",
    "initialise_weight",
    "linear",
    "normalise_spectrum",
    "one_power_iteration",
    "recompute_activations",
    "register_backend",
    "set_backend",
    "use_backend",
]
