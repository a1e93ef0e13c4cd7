"""Datasets: real digits inside an installed library, and arrays in an ``.npz``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import genframe
from genframe.specs import DatasetSpec
from genframe_datasets.folder import opens_folder
from genframe_datasets.idx_paths import opens_idx
from genframe_datasets.published import SETS


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
class EmoticonSettings(ImageSettings):
    """Drawn faces.

    Attributes:
        count: how many, 100 to 100,000; every tenth is held out.
    """

    count: int = 5000


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """Points around modes.

    Attributes:
        layout: of the modes: a ``ring`` of 8 at radius 2, or a ``grid`` of 5x5 from -4 to 4.
        count: how many points, 1,000 to 1,000,000; every tenth is held out.
        deviation: of each coordinate about its mode; None is 0.02 for the ring and 0.05 for the grid.
    """

    layout: Literal["ring", "grid"] = "ring"
    count: int = 10_000
    deviation: float | None = None


@dataclass(frozen=True, kw_only=True)
class NpzSettings(ImageSettings):
    """Pictures from a file.

    Attributes:
        path: of the ``.npz``.
    """

    path: str = ""


@dataclass(frozen=True, kw_only=True)
class IdxSettings(ImageSettings):
    """Pictures from an IDX file; their labels, and the test part, are found beside it by name.

    Attributes:
        path: of the file of pictures, gzipped or not, or of a folder that holds MNIST's four files.
    """

    path: str = ""


@dataclass(frozen=True, kw_only=True)
class NamedSettings(ImageSettings):
    """A set that is known by its name.

    Attributes:
        data_dir: the folder that holds its files, or one for all sets; empty for ``GENFRAME_DATA`` or, without that,
            ``~/.cache/genframe``. What is missing is downloaded into a folder below it that is called like the set.
    """

    data_dir: str = ""


@dataclass(frozen=True, kw_only=True)
class StackedSettings:
    """Three digits of MNIST in one picture.

    Attributes:
        count: how many pictures, 1,000 to 10,000,000; every tenth is held out.
        image_size: ``32`` or ``"32"`` for a square, ``"48x64"`` for 48 rows of 64 pixels; None is MNIST's own.
        data_dir: the folder that holds MNIST's files, or one for all sets; empty for ``GENFRAME_DATA`` or, without
            that, ``~/.cache/genframe``. What is missing is downloaded into a folder ``mnist`` below it.
    """

    count: int = 128_000
    image_size: int | str | None = None
    data_dir: str = ""


@dataclass(frozen=True, kw_only=True)
class FolderSettings(ImageSettings):
    """Pictures from a folder or a zip.

    Attributes:
        path: of the folder or the ``.zip``.
        skip_bad_images: leave out and count what cannot be read, instead of stopping there.
        memory: larger sets than this (``512MB``, ``2GB``) are read from disk as they are wanted; empty is a quarter of
            the machine's memory.
        labels: ``auto``, ``none``, or columns of the data's table by name, separated by commas.
        direction: of pairs in ``A/`` and ``B/``: ``AtoB`` makes the pictures of B from those of A, ``BtoA`` the
            reverse.
    """

    path: str = ""
    skip_bad_images: bool = False
    memory: str = ""
    labels: str = "auto"
    direction: str = "AtoB"


@dataclass(frozen=True, kw_only=True)
class HuggingFaceSettings(ImageSettings):
    """A dataset of Hugging Face's library.

    Attributes:
        repository: its name on the hub, a folder that ``save_to_disk`` wrote, or a format such as ``imagefolder``.
        configuration: which of its configurations; empty is the default one.
        image: the column of pictures; ``auto`` is the first.
        label: the column of classes; ``auto`` is the first, ``none`` leaves labels out.
    """

    repository: str = ""
    configuration: str = ""
    image: str = "auto"
    label: str = "auto"


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
        name="emoticons",
        summary="Drawn faces with independent attributes, 32x32: glasses, hat, smile, skin tone, background",
        factory="genframe_datasets.emoticons:open_emoticons",
        settings=EmoticonSettings,
    )
    yield DatasetSpec(
        name="gaussians",
        summary="Points in the plane around known modes, a ring of 8 or a grid of 25 (--set data.layout=grid)",
        factory="genframe_datasets.gaussians:open_gaussians",
        settings=GaussianSettings,
    )
    for record in SETS.values():
        yield DatasetSpec(
            name=record.name,
            summary=record.summary,
            factory=f"genframe_datasets.named:open_{record.name.replace('-', '_')}",
            settings=NamedSettings,
        )
    yield DatasetSpec(
        name="stacked-mnist",
        summary="Three digits of MNIST as red, green and blue, 28x28: 1,000 known modes",
        factory="genframe_datasets.stacked:open_stacked_mnist",
        settings=StackedSettings,
    )
    yield DatasetSpec(
        name="huggingface",
        summary="Any dataset of Hugging Face's library with a column of pictures (--set data.repository=NAME)",
        factory="genframe_datasets.huggingface:open_huggingface",
        settings=HuggingFaceSettings,
    )
    yield DatasetSpec(
        name="idx",
        summary="IDX files as MNIST has them, gzipped or not, with labels and a test part beside them",
        factory="genframe_datasets.idx:open_idx",
        settings=IdxSettings,
        opens=opens_idx,
    )
    yield DatasetSpec(
        name="npz",
        summary="An .npz with images and labels, or x_train, y_train, x_test and y_test",
        factory="genframe_datasets.npz:open_npz",
        settings=NpzSettings,
        opens=opens_npz,
    )
    yield DatasetSpec(
        name="folder",
        summary="Pictures in a folder or a .zip: flat, by class, train and test, paired, or with a table of labels",
        factory="genframe_datasets.folder.opening:open_folder",
        settings=FolderSettings,
        opens=opens_folder,
    )
