"""Datasets of Hugging Face's library: from its hub, from a folder that it saved, or from one of its file formats.

The library is an extra; whatever it can load as a table with a column of pictures can train.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from genframe.errors import ConfigError, DataError, nearest, quoted
from genframe_datasets import HuggingFaceSettings
from genframe_datasets.folder.decode import pixels_of
from genframe_datasets.parted import PartedDataset, tenth
from genframe_datasets.pictures import in_memory, wanted_channels
from genframe_datasets.sizes import parse_size


def open_huggingface(settings: HuggingFaceSettings) -> PartedDataset:
    """``image``, and ``label`` where a column of classes is there; the split ``test`` or ``validation`` is held out.

    Raises:
        ConfigError: the extra is missing, no name is given, or a column that does not exist.
        DataError: the library cannot load it, or it has no pictures.
    """
    if not settings.repository:
        raise ConfigError("the dataset 'huggingface' needs a name: --set data.repository=NAME")
    splits = _loaded(settings)
    train = splits["train"]
    test = next((splits[name] for name in ("test", "validation") if name in splits), None)
    image = _column(train, settings.image, "Image", "pictures")
    label = _column(train, settings.label, "ClassLabel", "classes") if settings.label != "none" else None
    parts = [part for part in (train, test) if part is not None]
    images = torch.cat([_pictures(part, image, settings, train[0][image]) for part in parts])
    labels = None if label is None else torch.cat([torch.tensor(part[label][:]) for part in parts])
    classes = () if label is None else tuple(train.features[label].names)
    heldout = torch.arange(len(images)) >= len(train)
    if test is None:
        heldout = tenth(labels, len(images), "huggingface heldout")
    return in_memory(images, labels, classes, heldout, settings)


def _loaded(settings: HuggingFaceSettings) -> Any:
    """Splits by name, ``train`` among them."""
    try:
        import datasets
    except ImportError:
        raise ConfigError(
            "the dataset 'huggingface' needs the extra 'huggingface': pip install 'genframe[huggingface]'"
        ) from None
    try:
        if Path(settings.repository).is_dir() and (Path(settings.repository) / "dataset_dict.json").is_file():
            splits = datasets.load_from_disk(settings.repository)
        else:
            splits = datasets.load_dataset(settings.repository, settings.configuration or None)
    except Exception as error:  # the library raises whatever its many readers and its network raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"the library 'datasets' cannot load '{settings.repository}': {reason}") from None
    if "train" not in splits:
        raise DataError(f"'{settings.repository}' has the splits {quoted(splits)} and no 'train'")
    return splits


def _column(table: Any, wanted: str, kind: str, title: str) -> Any:
    """The name of the column that is wanted, or of the first of that kind."""
    columns = [name for name, feature in table.features.items() if type(feature).__name__ == kind]
    if wanted == "auto":
        if not columns and kind == "Image":
            raise DataError(f"it has the columns {quoted(table.features)}, and none of them holds pictures")
        return columns[0] if columns else None
    if wanted not in columns:
        raise ConfigError(f"'{wanted}' is no column of {title}; such are {quoted(columns)}.{nearest(wanted, columns)}")
    return wanted


def _pictures(table: Any, column: str, settings: HuggingFaceSettings, native: Image.Image) -> Tensor:
    """``uint8 (N, C, H, W)``: each picture is cropped to its middle and resized, to the size of `native` by default."""
    height, width = parse_size(settings.image_size, (native.height, native.width))
    channels = wanted_channels(settings.channels, 1 if native.mode in ("1", "L") else 3)
    return torch.stack([torch.from_numpy(pixels_of(row[column], (channels, height, width)).copy()) for row in table])
