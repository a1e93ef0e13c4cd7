"""Picture sizes as users write them, and pictures brought to that size."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from genframe.errors import ConfigError
from genframe.memory import refuse_too_large

#: Larger pictures than this do not fit a dataset that lives in memory.
LARGEST_SIDE = 4096

#: Resizing needs floats; so many pictures, and numbers, at a time bound the memory that they take.
_CHUNK, _CHUNK_NUMBERS = 1024, 2**26

_SIZE = re.compile(r"\s*(\d{1,9})\s*(?:[xX×]\s*(\d{1,9})\s*)?")


def parse_size(value: int | str | None, default: tuple[int, int]) -> tuple[int, int]:
    """``(height, width)`` from ``32``, ``"32"`` or ``"48x64"``; None gives the default.

    Raises:
        ConfigError: anything else, or a side that is not 1 to 4096.
    """
    if value is None:
        return default
    match = _SIZE.fullmatch(str(value))
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in size):
        raise ConfigError(
            f"image_size is a number of pixels such as 32, or height x width such as '48x64', each side 1 to "
            f"{LARGEST_SIDE}; got {value!r}"
        )
    return size


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """``uint8 (N, C, height, width)`` from ``uint8 (N, C, H, W)``, bicubic with antialiasing; the aspect may change.

    Raises:
        ConfigError: so many pictures of this size do not fit in the machine's memory.
    """
    if tuple(images.shape[-2:]) == size:
        return images
    one = images.shape[1] * size[0] * size[1]
    what = f"image_size: {len(images):,} pictures of {size[0]}x{size[1]}"
    refuse_too_large(len(images) * one, what, "choose a smaller size")
    out = torch.empty((*images.shape[:2], *size), dtype=torch.uint8)
    chunk = max(1, min(_CHUNK, _CHUNK_NUMBERS // one))
    for old, new in zip(torch.split(images, chunk), torch.split(out, chunk), strict=True):
        new.copy_(_bicubic(old, size))
    return out


def _bicubic(images: Tensor, size: tuple[int, int]) -> Tensor:
    pixels = interpolate(images.float(), size, mode="bicubic", antialias=True)
    return pixels.round().clamp(0, 255).byte()
