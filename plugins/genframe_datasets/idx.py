"""IDX files, the format of MNIST: a magic number, the size of each axis, then the bytes of all pictures or labels.

A header can announce anything. It is held against what the file can contain before memory is taken, a compressed file
is unpacked no further than its header announces, and memory fills only as far as data comes.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe_datasets import IdxSettings
from genframe_datasets.idx_paths import (
    NUMBERS,
    heldout_beside,
    images_beside,
    images_in,
    is_gzipped,
    is_idx,
    labels_beside,
    open_unpacked,
)
from genframe_datasets.parted import PartedDataset, tenth
from genframe_datasets.pictures import in_memory

Bytes = NDArray[np.uint8]

#: Larger files are refused, whatever they really contain.
LIMIT = 4 * 2**30

#: Deflate packs at most so many bytes into one.
_DENSEST = 1032

_CHUNK = 2**20

_KINDS = {3: "pictures", 1: "labels"}


@dataclass(frozen=True, kw_only=True)
class IdxFile:
    """A file whose header has been read and makes sense.

    Attributes:
        path: of the file.
        shape: as the header announces.
    """

    path: Path
    shape: tuple[int, ...]

    @property
    def start(self) -> int:
        """Where the data begins."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """How long the unpacked file is."""
        return self.start + math.prod(self.shape)

    def read_into(self, out: Bytes) -> None:
        """Fills an array of this shape.

        Raises:
            DataError: the file is damaged, or holds less or more than its header announces.
        """
        view = out.data.cast("B")
        with reading(self.path), open_unpacked(self.path) as file:
            file.read(self.start)
            filled = 0
            while got := file.readinto(view[filled:]):
                filled += got
            longer = filled == len(view) and bool(file.read(1))  # the end of a gzip file has its checksum
        if filled < len(view) or longer:
            raise self._differs("more" if longer else f"{filled:,}")

    def digest(self) -> str:
        """The SHA-256 of the unpacked file.

        Raises:
            DataError: as in `read_into`.
        """
        digest, length = hashlib.sha256(), 0
        with reading(self.path), open_unpacked(self.path) as file:
            while length <= self.size and (chunk := file.read(_CHUNK)):
                digest.update(chunk)
                length += len(chunk)
        if length != self.size:
            raise self._differs("more" if length > self.size else f"{length - self.start:,}")
        return digest.hexdigest()

    def _differs(self, found: str) -> DataError:
        announced = f"{' x '.join(map(str, self.shape))} = {self.size - self.start:,}"
        return DataError(f"{self.path} announces {announced} bytes and holds {found}; get an intact copy")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever reading a file can raise into a `DataError` that names it."""
    try:
        yield
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or "not enough memory"
        raise DataError(f"{path} cannot be read: {reason}; get an intact copy, or one that may be read") from None


def inspect(path: Path, axes: int) -> IdxFile:
    """The header of a file of pictures (3 axes) or of labels (1 axis).

    Raises:
        DataError: the file is something else, or announces more than it can hold.
    """
    if not os.path.isfile(path):
        raise DataError(f"there is no file {path}; give an IDX file such as train-images-idx3-ubyte.gz")
    with reading(path), open_unpacked(path) as file:
        _check_magic(path, file.read(4), axes)
        sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{path} is cut off in its header; get an intact copy")
    found = IdxFile(path=path, shape=struct.unpack(f">{axes}I", sizes))
    _check_size(found)
    return found


def _check_magic(path: Path, magic: bytes, axes: int) -> None:
    if magic == bytes([0, 0, 8, axes]):
        return
    wanted = f"{_KINDS[axes]} in IDX begin with 00 00 08 {axes:02}"
    if not is_idx(magic):
        raise DataError(f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'}; {wanted}")
    if magic[2] == 8 and magic[3] == 1:
        images = images_beside(path)
        raise DataError(f"{path} holds labels, not pictures; give {images or 'the file of pictures beside it'}")
    raise DataError(f"{path} holds {NUMBERS[magic[2]]} along {magic[3]} axes, not {_KINDS[axes]}; {wanted}")


def _check_size(file: IdxFile) -> None:
    if 0 in file.shape:
        raise DataError(f"{file.path} is empty: its header announces {' x '.join(map(str, file.shape))} bytes")
    if file.size > LIMIT:
        raise DataError(f"{file.path} announces {file.size:,} bytes; at most {LIMIT:,} are read: split it")
    with reading(file.path):
        stored, packed = file.path.stat().st_size, is_gzipped(file.path)
    if packed and file.size > stored * _DENSEST:
        raise file._differs(f"no more than {stored * _DENSEST:,}, packed into {stored:,}")
    if not packed and file.size != stored:
        raise file._differs(f"{stored - file.start:,}")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures in one tensor, the training part first.

    Attributes:
        images: ``uint8 (N, C, H, W)``.
        labels: ``int64 (N,)``; None where there are none.
        train: how many are for training; all of them where the set has no test part.
    """

    images: Tensor
    labels: Tensor | None
    train: int


def read_parts(parts: Sequence[tuple[Path, Path | None]]) -> Pictures:
    """The pictures, and their labels, of all parts.

    Args:
        parts: files of pictures and of labels; the training part first.

    Raises:
        DataError: a file is unreadable, or they do not fit each other.
    """
    images = [inspect(path, 3) for path, _ in parts]
    if len({file.shape[1:] for file in images}) > 1:
        sizes = " and ".join(f"{file.path} has {file.shape[1]}x{file.shape[2]}" for file in images)
        raise DataError(f"the pictures of both parts are of one size; {sizes}")
    labels = _labels(images, [path for _, path in parts])
    with reading(images[0].path):
        pixels = np.empty((sum(file.shape[0] for file in images), *images[0].shape[1:]), dtype=np.uint8)
    _read_all(images, pixels)
    return Pictures(images=torch.from_numpy(pixels)[:, None], labels=labels, train=images[0].shape[0])


def _read_all(files: Sequence[IdxFile], out: Bytes) -> None:
    """The files one after the other, straight to where they belong: no copy."""
    first = 0
    for file in files:
        file.read_into(out[first : first + file.shape[0]])
        first += file.shape[0]


def _labels(images: Sequence[IdxFile], paths: Sequence[Path | None]) -> Tensor | None:
    known = [path for path in paths if path]
    if len(known) < len(paths):
        if known:
            raise DataError(f"{known[0]} labels one part only; put the other part's labels beside it, or remove these")
        return None
    files = [inspect(path, 1) for path in known]
    for pictures, file in zip(images, files, strict=True):
        if file.shape[0] != pictures.shape[0]:
            counts = f"{pictures.path} has {pictures.shape[0]} pictures and {file.path} {file.shape[0]} labels"
            raise DataError(f"{counts}; each picture needs one")
    numbers = np.empty(sum(file.shape[0] for file in files), dtype=np.uint8)
    _read_all(files, numbers)
    return torch.from_numpy(numbers).long()


def open_idx(settings: IdxSettings) -> PartedDataset:
    """``image`` uint8 ``(1, H, W)``, and ``label`` where a file of labels lies beside the pictures.

    Held out is the test part beside ``train``, else a fixed tenth, stratified.

    Raises:
        ConfigError: no path, or an image size that makes no sense.
        DataError: a file is missing, damaged or does not fit the others; the sentence names it.
    """
    if not settings.path:
        raise ConfigError("the dataset 'idx' reads a file: give its path, as in --data train-images-idx3-ubyte.gz")
    given = Path(settings.path)
    images = images_in(given) if given.is_dir() else given
    if images is None:
        raise DataError(f"{given} has no train-images-idx3-ubyte, gzipped or not; give the file of pictures itself")
    test = heldout_beside(images)
    pictures = read_parts([(path, labels_beside(path)) for path in (images, test) if path])
    if len(pictures.images) < 2:
        raise DataError(f"{images} has 1 picture; at least 2 are needed, one to train on and one to hold out")
    classes = () if pictures.labels is None else tuple(map(str, range(int(pictures.labels.max()) + 1)))
    heldout = torch.arange(len(pictures.images)) >= pictures.train
    if test is None:
        heldout = tenth(pictures.labels, len(pictures.images), "idx heldout")
    return in_memory(pictures.images, pictures.labels, classes, heldout, settings)
