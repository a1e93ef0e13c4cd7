"""The weights of the two published MNIST codes, by the names and in the layouts that these codes have.

``newmu``: Newmu/dcgan_code, ``mnist/train_cond_dcgan.py`` (Theano), for the recipe ``cdcgan-radford2015``.
``zhang2016``, ``zhang2018``: zhangqianhui/Conditional-Gans (TensorFlow), for ``cdcgan-zhang2016`` and
``cdcgan-zhang2018``. The 2016 code names each tensor; of the 2018 code these are the names of its scopes, with
``weights`` and ``biases`` behind them, and of BatchNorm in both ``gamma`` and ``beta``.

What differs from PyTorch:

- a dense matrix is ``(in, out)``;
- Theano convolves with the flipped kernel;
- TensorFlow's kernels are ``(h, w, in, out)``, a transposed one's ``(h, w, out, in)``, and its pictures are flattened
  as ``(h, w, channel)``, so that dense layers beside them have their rows or columns in another order.

In all of them labels follow the features, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Convert = Callable[[Tensor], Tensor]

#: For each of a network's tensors, by PyTorch's key: what the published code calls it, and how it becomes PyTorch's.
Layout = Mapping[str, tuple[str, Convert]]


def from_layout(layout: str, role: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What ``load_state_dict`` of a network takes, less BatchNorm's running statistics, which the codes do not keep.

    Args:
        layout: ``newmu``, ``zhang2016`` or ``zhang2018``.
        role: ``generator`` or ``critic``.
        arrays: by the names of the published code; others are left aside.

    Raises:
        KeyError: the layout, the role or an array is not there.
    """
    return {key: convert(arrays[name]).contiguous() for key, (name, convert) in LAYOUTS[layout][role].items()}


def _as_it_is(array: Tensor) -> Tensor:
    return array


def _transposed(matrix: Tensor) -> Tensor:
    return matrix.T


def _flipped(kernel: Tensor) -> Tensor:
    return kernel.flip(2, 3)


def _from_hwio(kernel: Tensor) -> Tensor:
    """Also of a transposed convolution: ``(h, w, out, in)`` becomes PyTorch's ``(in, out, h, w)``."""
    return kernel.permute(3, 2, 0, 1)


def _from_pixels(size: tuple[int, int, int]) -> Convert:
    """Rows that belong to pixels ``(h, w, channel)`` of a picture of this size, others behind them: to columns."""

    def convert(matrix: Tensor) -> Tensor:
        pixels = matrix.shape[0] - matrix.shape[0] % torch.Size(size).numel()
        rows = matrix[:pixels].view(*size, -1).movedim(2, 0).reshape(pixels, -1)
        return torch.cat((rows, matrix[pixels:])).T

    return convert


def _to_pixels(size: tuple[int, int, int]) -> Convert:
    """The last axis belongs to pixels ``(h, w, channel)``: to rows in PyTorch's order."""

    def convert(array: Tensor) -> Tensor:
        pixels = array.view(*array.shape[:-1], *size).movedim(-1, -3).flatten(-3)
        return pixels.T if pixels.ndim == 2 else pixels

    return convert


_SMALL = (7, 7, 128)  # the generator's smallest picture
_FEATURES = (7, 7, 64)  # the critic's, in the TensorFlow code

_NEWMU: Mapping[str, Layout] = {
    "generator": {
        "dense.0.0.weight": ("gw", _transposed),
        "project.0.weight": ("gw2", _transposed),
        "doublings.0.0.weight": ("gw3", _flipped),
        "doublings.1.0.weight": ("gwx", _flipped),
    },
    "critic": {
        "halvings.0.0.weight": ("dw", _flipped),
        "halvings.1.0.weight": ("dw2", _flipped),
        "dense.0.0.weight": ("dw3", _transposed),
        "head.linear.weight": ("dwy", _transposed),
    },
}


def _layer(key: str, weight: str, bias: str, convert: Convert, convert_bias: Convert = _as_it_is) -> Layout:
    return {f"{key}.weight": (weight, convert), f"{key}.bias": (bias, convert_bias)}


def _norm(key: str, scope: str, convert: Convert = _as_it_is) -> Layout:
    return {f"{key}.weight": (f"{scope}/gamma", convert), f"{key}.bias": (f"{scope}/beta", convert)}


_ZHANG2016: Mapping[str, Layout] = {
    "generator": {
        **_layer("dense.0.0", "genw1", "genb1", _transposed),
        **_norm("dense.0.1", "genbn1"),
        **_layer("project.layer.0", "genw2", "genb2", _to_pixels(_SMALL), _to_pixels(_SMALL)),
        **_norm("project.layer.1", "genbn2", _to_pixels(_SMALL)),
        **_layer("doublings.0.layer.0", "genw3", "genb3", _from_hwio),
        **_norm("doublings.0.layer.1", "genbn3"),
        **_layer("doublings.1.layer.0", "genw4", "genb4", _from_hwio),
    },
    "critic": {
        **_layer("halvings.0.0", "dis_w1", "dis_b1", _from_hwio),
        **_layer("halvings.1.layer.0", "dis_w2", "dis_b2", _from_hwio),
        **_norm("halvings.1.layer.1", "dis_bn1"),
        **_layer("dense.0.layer.0", "dis_w3", "dis_b3", _from_pixels(_FEATURES)),
        **_norm("dense.0.layer.1", "dis_bn2"),
        **_layer("head.linear", "dis_w4", "dis_b4", _transposed),
    },
}


def _scope(key: str, scope: str, convert: Convert, convert_bias: Convert = _as_it_is) -> Layout:
    return _layer(key, f"{scope}/weights", f"{scope}/biases", convert, convert_bias)


_ZHANG2018: Mapping[str, Layout] = {
    "generator": {
        **_scope("dense.0.0", "gen_fully", _transposed),
        **_norm("dense.0.1", "gen_bn1"),
        **_scope("project.0", "gen_fully2", _to_pixels(_SMALL), _to_pixels(_SMALL)),
        **_norm("project.1", "gen_bn2", _to_pixels(_SMALL)),
        **_scope("doublings.0.0", "gen_deconv1", _from_hwio),
        **_norm("doublings.0.1", "gen_bn3"),
        **_scope("doublings.1.0", "gen_deconv2", _from_hwio),
    },
    "critic": {
        **_scope("halvings.0.0", "dis_conv1", _from_hwio),
        **_scope("halvings.1.0", "dis_conv2", _from_hwio),
        **_norm("halvings.1.1", "dis_bn1"),
        **_scope("dense.0.0", "dis_fully1", _from_pixels(_FEATURES)),
        **_norm("dense.0.1", "dis_bn2"),
        **_scope("head.linear", "dis_fully2", _transposed),
    },
}

#: By the layout's name, then by role.
LAYOUTS: Mapping[str, Mapping[str, Layout]] = {"newmu": _NEWMU, "zhang2016": _ZHANG2016, "zhang2018": _ZHANG2018}
