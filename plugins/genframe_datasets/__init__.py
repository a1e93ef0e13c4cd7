"""Datasets: real digits inside an installed library, and arrays in an ``.npz``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import genframe
from genframe.specs import DatasetSpec


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """What every dataset of pictures lets one choose.

    Attributes:
        image_size: ``32`` or ``"32"`` for a square, ``"48x64"`` for 48 rows of 64 pixels; None is the dataset's own.
        channels: 1 for grey, 3 for colour, 4 to keep transparency; None is the dataset's own, without transparency.
        mirror: flip half of the training pictures left to right, anew each epoch. The held-out part never is.
        crop: show a random part of each training picture, at least this fraction of each side; 1 is off.
        translate: shift each training picture by up to this fraction of each side; 0 is off.
    """

    image_size: int | str | None = None
    channels: int | None = None
    mirror: bool = False
    crop: float = 1.0
    translate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class NpzSettings(ImageSettings):
    """Pictures from a file.

    Attributes:
        path: of the ``.npz``.
    """

    path: str = ""


def opens_npz(path: Path) -> bool:
    """Whether the name says that these are NumPy arrays."""
    return path.suffix.lower() == ".npz"


@genframe.hookimpl
def genframe_datasets() -> Iterable[DatasetSpec]:
    """Digits that need no download, and users' arrays."""
    yield DatasetSpec(
        name="digits",
        summary="1,797 real handwritten digits from scikit-learn, 8x8",
        factory="genframe_datasets.digits:open_digits",
        settings=ImageSettings,
    )
    yield DatasetSpec(
        name="npz",
        summary="An .npz with images and labels, or x_train, y_train, x_test and y_test",
        factory="genframe_datasets.npz:open_npz",
        settings=NpzSettings,
        opens=opens_npz,
    )
