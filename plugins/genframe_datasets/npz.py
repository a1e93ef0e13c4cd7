"""Pictures in an ``.npz``: what ``genframe sample --output FILE.npz`` writes, and the layout of Keras' datasets.

Either ``images`` with optional ``labels`` (-1 everywhere: none), or ``x_train`` with optional ``y_train``, ``x_test``
and ``y_test``; in both, ``class_names`` where classes have names.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genframe.errors import ConfigError, DataError, quoted
from genframe_datasets import NpzSettings
from genframe_datasets.parted import PartedDataset, tenth
from genframe_datasets.pictures import in_memory

Array = NDArray[Any]

_KNOWN = ("images", "labels", "x_train", "y_train", "x_test", "y_test", "class_names")

#: Without names for the classes, a label beyond this in a smaller file is taken for a mistake.
_PLAUSIBLE_CLASSES = 1000


def open_npz(settings: NpzSettings) -> PartedDataset:
    """``image`` uint8 ``(C, H, W)``, and ``label`` where there are labels.

    Held out is the file's own test part, else a fixed tenth, stratified. Nothing is unpickled.

    Raises:
        ConfigError: no path, or an image size that makes no sense.
        DataError: the file is missing, damaged or holds something else; the sentence names file and array.
    """
    if not settings.path:
        raise ConfigError("the dataset 'npz' reads a file: give its path, as in --data pictures.npz")
    path = Path(settings.path)
    arrays = _arrays(path)
    names = ("x_train", "y_train", "x_test", "y_test") if "x_train" in arrays else ("images", "labels", "", "")
    train, test = _pictures(arrays, names[0], path), _pictures(arrays, names[2], path)
    if train is None:
        raise DataError(f"{path} has neither 'images' nor 'x_train', but {quoted(arrays)}; one of them holds pictures")
    parts = [(train, names[1])] if test is None else [(train, names[1]), (test, names[3])]
    return _dataset(settings, path, arrays, parts)


def _dataset(
    settings: NpzSettings, path: Path, arrays: Mapping[str, Array], parts: list[tuple[Tensor, str]]
) -> PartedDataset:
    images = _joined([pictures for pictures, _ in parts], path)
    labels = _labels(arrays, parts, path)
    classes = () if labels is None else _classes(arrays, labels, path)
    heldout = torch.arange(len(images)) >= len(parts[0][0])
    if len(parts) == 1:
        heldout = tenth(labels, len(images), "npz heldout")
    return in_memory(images, labels, classes, heldout, settings)


def _arrays(path: Path) -> Mapping[str, Array]:
    if not path.is_file():
        raise DataError(f"there is no file {path}; give the path of an .npz")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an .npz: it is no zip archive, or is cut off; write it with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in _KNOWN if name in archive.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; write plain arrays with numpy.savez") from None


def _pictures(arrays: Mapping[str, Array], name: str, path: Path) -> Tensor | None:
    """``uint8 (N, C, H, W)``; None where the file has no such array."""
    if name not in arrays:
        return None
    array = arrays[name]
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] not in (1, 3, 4) or 0 in array.shape:
        raise DataError(
            f"'{name}' in {path} is {array.dtype} {arrays[name].shape}; pictures are uint8 of the shape (N, H, W) or "
            "(N, H, W, C), with 1, 3 or 4 channels"
        )
    return torch.from_numpy(array).movedim(-1, 1).contiguous()


def _joined(parts: list[Tensor], path: Path) -> Tensor:
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = " and ".join(str(tuple(part.movedim(1, -1).shape)) for part in parts)
        raise DataError(f"the pictures of {path} differ in size or channels: 'x_train' and 'x_test' are {shapes}")
    images = torch.cat(parts)
    if len(images) < 2:
        raise DataError(f"{path} has 1 picture; at least 2 are needed, one to train on and one to hold out")
    return images


def _labels(arrays: Mapping[str, Array], parts: list[tuple[Tensor, str]], path: Path) -> Tensor | None:
    """``int64 (N,)`` of all parts; None where there are none."""
    present = [name in arrays for _, name in parts]
    if not all(present):
        if any(present):
            raise DataError(f"{path} has labels for one part only; give 'y_train' and 'y_test', or neither")
        return None
    labels = torch.cat([_label_array(arrays[name], name, len(pictures), path) for pictures, name in parts])
    if bool((labels == -1).all()):
        return None
    if int(labels.min()) < 0:
        raise DataError(f"{path} has the label {int(labels.min())}; labels count from 0, or are -1 for every picture")
    return labels


def _label_array(array: Array, name: str, count: int, path: Path) -> Tensor:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.dtype.kind not in "iu" or flat.shape != (count,):
        raise DataError(
            f"'{name}' in {path} is {array.dtype} {array.shape}; labels are integers of the shape ({count},), one a "
            "picture"
        )
    return torch.from_numpy(flat.astype(np.int64))


def _classes(arrays: Mapping[str, Array], labels: Tensor, path: Path) -> tuple[str, ...]:
    names = arrays.get("class_names", np.array([]))
    highest = int(labels.max())
    if names.ndim == 1 and names.dtype.kind == "U" and highest < len(names):
        return tuple(names.tolist())
    if names.size:
        raise DataError(
            f"'class_names' in {path} is {names.dtype} {names.shape}; it names every class, 0 to {highest}, in text"
        )
    if highest >= max(len(labels), _PLAUSIBLE_CLASSES):
        raise DataError(f"{path} has the label {highest} and {len(labels)} pictures; number the classes from 0")
    return tuple(str(label) for label in range(highest + 1))
