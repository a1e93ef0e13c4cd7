"""Which paths are IDX files, and which files belong together; asked of every path a user gives, so it stays cheap."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

#: The third byte of an IDX file says what its numbers are; `idx` reads the first, bytes.
NUMBERS = {8: "bytes", 9: "signed bytes", 11: "16-bit numbers", 12: "32-bit numbers", 13: "floats", 14: "doubles"}

_NAMED = re.compile(r".*[-.]idx\d-\w+(\.gz)?", re.IGNORECASE)
_TRAIN_NAMES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte")


def opens_idx(path: Path) -> bool:
    """Whether this is an IDX file, gzipped or not, or a folder that holds MNIST's four.

    Its first bytes say so; a file that is only named like one is claimed too, so that what is wrong with it is said.
    """
    if os.path.isdir(path):
        return images_in(path) is not None
    return os.path.isfile(path) and (is_idx(first_bytes(path)) or _NAMED.fullmatch(path.name) is not None)


def first_bytes(path: Path) -> bytes:
    """The first four bytes, unpacked; fewer or none where the file cannot be read."""
    try:
        with open_unpacked(path) as file:
            return file.read(4)
    except (OSError, EOFError, zlib.error):
        return b""


def open_unpacked(path: Path) -> gzip.GzipFile | BufferedReader:
    """The file's content, whether it is gzipped or not."""
    return gzip.GzipFile(path, "rb") if is_gzipped(path) else open(path, "rb")


def is_gzipped(path: Path) -> bool:
    """Whether the first two bytes say so."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def is_idx(start: bytes) -> bool:
    """Whether a file that starts so is an IDX file, of whatever numbers."""
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in NUMBERS and 1 <= start[3] <= 4


def images_in(folder: Path) -> Path | None:
    """The training pictures of a folder laid out like MNIST's."""
    return _first(folder / name for name in _either(_TRAIN_NAMES))


def labels_beside(images: Path) -> Path | None:
    """The labels that belong to these pictures by name: ``images`` -> ``labels``, ``idx3`` -> ``idx1``."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    return None if name == images.name else _first(images.with_name(other) for other in _either([name]))


def images_beside(labels: Path) -> Path | None:
    """The pictures that belong to these labels by name."""
    name = labels.name.replace("labels", "images").replace("idx1", "idx3")
    return None if name == labels.name else _first(labels.with_name(other) for other in _either([name]))


def heldout_beside(images: Path) -> Path | None:
    """The test pictures that belong to these training pictures by name: ``train`` -> ``t10k`` or ``test``."""
    if "train" not in images.name:
        return None
    names = [images.name.replace("train", part) for part in ("t10k", "test")]
    return _first(images.with_name(other) for other in _either(names))


def _either(names: list[str] | tuple[str, ...]) -> Iterator[str]:
    """Each name, then the same with or without ``.gz``."""
    for name in names:
        yield name
        yield name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"


def _first(paths: Iterator[Path]) -> Path | None:
    return next((path for path in paths if os.path.isfile(path)), None)
