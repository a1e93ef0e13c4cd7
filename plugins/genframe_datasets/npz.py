"""Pictures in an ``.npz``: what ``genframe sample --output FILE.npz`` writes, Keras' layout, and pairs of pictures.

Which arrays a file has says which layout it is; see `LAYOUTS`. Beside them, ``class_names`` names the classes and
``attribute_names`` the attributes.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genframe.errors import ConfigError, DataError, quoted
from genframe.shapes import Field
from genframe_datasets import NpzSettings
from genframe_datasets.idx import LIMIT
from genframe_datasets.parted import Memory, PartedDataset, tenth
from genframe_datasets.pictures import augment_of, brought

Array = NDArray[Any]

#: Field -> the arrays of the training and of the test part; a layout is recognised by its training pictures.
LAYOUTS: tuple[Mapping[str, tuple[str, str]], ...] = (
    {"image": ("images", ""), "label": ("labels", ""), "attributes": ("attributes", ""), "source": ("sources", "")},
    {
        "image": ("x_train", "x_test"),
        "label": ("y_train", "y_test"),
        "attributes": ("attributes_train", "attributes_test"),
    },
    {"image": ("photo_train", "photo_val"), "source": ("label_train", "label_val")},
    {"image": ("B_train", "B_test"), "source": ("A_train", "A_test")},
)

_NAMES = ("class_names", "attribute_names")
_KNOWN = {name for layout in LAYOUTS for names in layout.values() for name in names} | set(_NAMES)

#: Without names for the classes, a label beyond this in a smaller file is taken for a mistake.
_PLAUSIBLE_CLASSES = 1000


def open_npz(settings: NpzSettings) -> PartedDataset:
    """``image``, and what else the file has: ``label`` (a class), ``attributes``, ``source`` (a picture).

    Held out is the file's own test part, else a fixed tenth, stratified. Nothing is unpickled.

    Raises:
        ConfigError: no path, or an image size that makes no sense.
        DataError: the file is missing, damaged or holds something else; the sentence names file and array.
    """
    if not settings.path:
        raise ConfigError("the dataset 'npz' reads a file: give its path, as in --data pictures.npz")
    path = Path(settings.path)
    arrays = _arrays(path)
    layout = next((layout for layout in LAYOUTS if layout["image"][0] in arrays), None)
    if layout is None:
        wanted = " or ".join(f"'{layout['image'][0]}'" for layout in LAYOUTS)
        raise DataError(f"{path} has none of {wanted}, but {quoted(arrays)}; one of them holds pictures")
    return _dataset(settings, path, arrays, layout)


def _dataset(
    settings: NpzSettings, path: Path, arrays: Mapping[str, Array], layout: Mapping[str, tuple[str, str]]
) -> PartedDataset:
    parts = [_pictures(arrays, name, path) for name in layout["image"] if name in arrays]
    images = _joined(parts, layout["image"], path)
    counts = [len(part) for part in parts]
    columns = {field: _column(arrays, names, counts, path) for field, names in layout.items() if field != "image"}
    fields, tensors = _described(images, columns, arrays, path, settings, counts[0])
    heldout = torch.arange(len(images)) >= counts[0]
    if len(parts) == 1:
        heldout = tenth(tensors.get("label"), len(images), "npz heldout")
    return PartedDataset.of(Memory(fields=fields, tensors=tensors), heldout, augment_of(settings))


def _described(
    images: Tensor,
    columns: Mapping[str, Array | None],
    arrays: Mapping[str, Array],
    path: Path,
    settings: NpzSettings,
    train: int,
) -> tuple[dict[str, Field], dict[str, Tensor]]:
    """The fields of a sample, and the tensor of each; the first `train` samples are there to learn from."""
    tensors = {"image": brought(images, settings)}
    fields = {"image": Field(kind="image", shape=tuple(tensors["image"].shape[1:]))}
    if (column := columns.get("label")) is not None and (labels := _labels(column, path)) is not None:
        tensors["label"], classes = _learnt(labels, _classes(arrays, labels, path), train, path)
        fields["label"] = Field(kind="class", classes=classes)
    if (column := columns.get("attributes")) is not None:
        tensors["attributes"], fields["attributes"] = _attributes(column, arrays, path)
    if (column := columns.get("source")) is not None:
        tensors["source"] = brought(_as_pictures(column, "the sources", path), settings)
        fields["source"] = Field(kind="image", shape=tuple(tensors["source"].shape[1:]))
    return fields, tensors


def _arrays(path: Path) -> Mapping[str, Array]:
    if not path.is_file():
        raise DataError(f"there is no file {path}; give the path of an .npz")
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is not an .npz: it is no zip archive, or is cut off; write it with numpy.savez")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arrays that Python 2 wrote
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                _refuse_too_much(archive, path)
                return {name: np.asarray(archive[name]) for name in _KNOWN if name in archive.files}
    except DataError:
        raise
    except Exception as error:  # what zipfile and numpy raise at hostile bytes has no common base
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read: {reason[:200]}; write plain arrays with numpy.savez") from None


def _refuse_too_much(archive: Any, path: Path) -> None:
    """Before anything is unpacked: a few kilobytes of a zip may unpack to all of the memory."""
    known = {name for name in _KNOWN if name in archive.files}
    members = [member for member in archive.zip.infolist() if member.filename.removesuffix(".npy") in known]
    size = sum(member.file_size for member in members)
    if size > LIMIT:
        raise DataError(f"{path} unpacks to {size:,} bytes; at most {LIMIT:,} are read: split it")


def _pictures(arrays: Mapping[str, Array], name: str, path: Path) -> Tensor:
    return _as_pictures(arrays[name], f"'{name}'", path)


def _as_pictures(array: Array, title: str, path: Path) -> Tensor:
    """``uint8 (N, C, H, W)``."""
    shaped = array[..., None] if array.ndim == 3 else array
    if shaped.dtype != np.uint8 or shaped.ndim != 4 or shaped.shape[-1] not in (1, 3, 4) or 0 in shaped.shape:
        raise DataError(
            f"{title} in {path} is {array.dtype} {array.shape}; pictures are uint8 of the shape (N, H, W) or "
            "(N, H, W, C), with 1, 3 or 4 channels"
        )
    return torch.from_numpy(shaped).movedim(-1, 1).contiguous()


def _joined(parts: list[Tensor], names: tuple[str, str], path: Path) -> Tensor:
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = " and ".join(str(tuple(part.movedim(1, -1).shape)) for part in parts)
        raise DataError(f"the pictures of {path} differ in size or channels: {quoted(names)} are {shapes}")
    images = torch.cat(parts)
    if len(images) < 2:
        raise DataError(f"{path} has 1 picture; at least 2 are needed, one to train on and one to hold out")
    return images


def _column(arrays: Mapping[str, Array], names: tuple[str, str], counts: list[int], path: Path) -> Array | None:
    """One row a picture of all parts; None where the file has no such array."""
    wanted = names[: len(counts)]
    present = [name for name in wanted if name in arrays]
    if not present:
        return None
    if len(present) < len(wanted):
        raise DataError(f"{path} has '{present[0]}' for one part only; give {quoted(wanted)}, or neither")
    for name, count in zip(wanted, counts, strict=True):
        if arrays[name].ndim == 0 or len(arrays[name]) != count:
            raise DataError(f"'{name}' in {path} has the shape {arrays[name].shape} for {count} pictures: one row each")
    rows = [arrays[name].reshape(-1) if arrays[name].shape[1:] == (1,) else arrays[name] for name in wanted]
    if len({row.shape[1:] for row in rows}) > 1:
        raise DataError(f"{quoted(wanted)} in {path} differ in shape: {[arrays[name].shape for name in wanted]}")
    return np.concatenate(rows)


def _labels(column: Array, path: Path) -> Tensor | None:
    """``int64 (N,)``; None where all are -1."""
    if column.dtype.kind not in "iu" or column.ndim != 1:
        raise DataError(f"the labels in {path} are {column.dtype} {column.shape}; labels are integers, one a picture")
    if int(column.max()) >= 2**31:
        raise DataError(f"{path} has the label {int(column.max())}; number the classes from 0")
    labels = torch.from_numpy(column.astype(np.int64))
    if bool((labels == -1).all()):
        return None
    if int(labels.min()) < 0:
        raise DataError(f"{path} has the label {int(labels.min())}; labels count from 0, or are -1 for every picture")
    return labels


def _learnt(labels: Tensor, classes: tuple[str, ...], train: int, path: Path) -> tuple[Tensor, tuple[str, ...]]:
    """The labels among the classes that the training part has; what is never seen cannot be generated."""
    known = torch.unique(labels[:train])
    unseen = ~torch.isin(labels, known)
    if bool(unseen.any()):
        name = classes[int(labels[unseen][0])]
        raise DataError(f"{path} has test pictures of the class '{name}' and none to train on: leave them out")
    return torch.searchsorted(known, labels), tuple(classes[index] for index in known.tolist())


def _attributes(column: Array, arrays: Mapping[str, Array], path: Path) -> tuple[Tensor, Field]:
    """Several labels at once where all are 0 or 1, else continuous values."""
    if column.ndim != 2 or column.dtype.kind not in "biuf" or not np.isfinite(column.astype(np.float64)).all():
        raise DataError(
            f"the attributes in {path} are {column.dtype} {column.shape}; they are finite numbers of the shape (N, K)"
        )
    values = torch.from_numpy(column.astype(np.float32))
    if not bool(((values == 0) | (values == 1)).all()):
        return values, Field(kind="vector", shape=(values.shape[1],))
    names = arrays.get("attribute_names")
    if names is None:
        names = np.array([f"attribute {place}" for place in range(values.shape[1])])
    if names.dtype.kind != "U" or names.shape != (values.shape[1],):
        raise DataError(
            f"'attribute_names' in {path} is {names.dtype} {names.shape}; it names each of the {values.shape[1]} "
            "attributes, in text"
        )
    return values, Field(kind="multilabel", shape=(values.shape[1],), classes=tuple(names.tolist()))


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
