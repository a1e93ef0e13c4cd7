"""From a path to a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import click
import torch
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe.shapes import Field
from genframe_datasets import FolderSettings
from genframe_datasets.folder.decode import BadPictureError
from genframe_datasets.folder.labels import Labels, labels_of
from genframe_datasets.folder.layouts import read_layout
from genframe_datasets.folder.listing import SHOWN, Tree
from genframe_datasets.folder.sources import Source, printable, source_at
from genframe_datasets.folder.stores import Files, Streamed, read_all
from genframe_datasets.folder.survey import surveyed
from genframe_datasets.memory import parse_memory
from genframe_datasets.parted import Memory, PartedDataset, tenth
from genframe_datasets.pictures import augment_of


def open_folder(settings: FolderSettings) -> PartedDataset:
    """``image`` uint8 ``(C, H, W)``; of paired folders ``source``, too; and ``label`` where there are labels.

    Held out is the data's own test part, else a fixed tenth, stratified. What fits `settings.memory` is decoded once;
    anything larger is read from disk as it is wanted.

    Raises:
        ConfigError: no path, or a setting that makes no sense.
        DataError: the data is missing, damaged or inconsistent; the sentence names the file.
    """
    if not settings.path:
        raise ConfigError("the dataset 'folder' reads a folder or a .zip: give its path, as in --data pictures/")
    limit, augment = parse_memory(settings.memory), augment_of(settings)
    source = source_at(Path(settings.path))
    tree = Tree.of(source)
    listing = read_layout(tree, settings)
    labels, label_notes = labels_of(listing, settings.labels, tree.where)
    survey = surveyed(source, listing, settings)
    for note in (*listing.notes, *label_notes, *survey.notes):
        click.echo(note, err=True)
    files = Files(source=source, names=listing.files, shapes=survey.shapes)
    heldout = None if listing.heldout is None else torch.tensor(listing.heldout)
    fields = {name: Field(kind="image", shape=shape) for name, shape in survey.shapes.items()}
    if labels is not None:
        fields["label"] = labels.field
    fits = len(files) * sum(map(prod, survey.shapes.values())) <= limit
    opened = _in_memory if fits else _on_disk
    store, heldout = opened(files, fields, labels, heldout, settings)
    return PartedDataset.of(store, heldout, augment)


def _on_disk(
    files: Files, fields: Mapping[str, Field], labels: Labels | None, heldout: Tensor | None, settings: FolderSettings
) -> tuple[Streamed, Tensor]:
    heldout = _division(files.source, len(files), labels, heldout)
    values = {} if labels is None else {"label": labels.values}
    store = Streamed(fields=fields, files=files, labels=values, heldout=heldout, skip=settings.skip_bad_images)
    return store, heldout


def _in_memory(
    files: Files, fields: Mapping[str, Field], labels: Labels | None, heldout: Tensor | None, settings: FolderSettings
) -> tuple[Memory, Tensor]:
    tensors, faults = read_all(files, settings.skip_bad_images)
    if labels is not None:
        tensors["label"] = labels.values
    bad = [fault for fault in faults if fault is not None]
    if bad:
        click.echo(_skipped(bad, len(faults)), err=True)
        good = torch.tensor([fault is None for fault in faults])
        tensors = {name: values[good] for name, values in tensors.items()}
        heldout = None if heldout is None else heldout[good]
        labels = None if labels is None else Labels(labels.field, labels.values[good])
    heldout = _division(files.source, len(tensors["image"]), labels, heldout)
    return Memory(fields=fields, tensors=tensors), heldout


def _division(source: Source, count: int, labels: Labels | None, heldout: Tensor | None) -> Tensor:
    """Which samples are held out: those that the data says, else a tenth.

    Raises:
        DataError: fewer than two samples, or a part without any.
    """
    if count < 2:
        raise DataError(
            f"{source.where('')} has {count} picture{'s' * (count != 1)} to read; at least 2 are needed, one to train "
            "on and one to hold out"
        )
    if heldout is None:
        classes = labels.values if labels is not None and labels.field.kind == "class" else None
        return tenth(classes, count, "folder heldout")
    if bool(heldout.all()) or not bool(heldout.any()):
        raise DataError(f"no picture of {source.where('')} can be read in its train or in its test part; both need one")
    return heldout


def _skipped(bad: Sequence[BadPictureError], count: int) -> str:
    shown = ", ".join(f"{printable(error.file)} ({error.reason})" for error in bad[:SHOWN])
    more = ", ..." if len(bad) > SHOWN else ""
    return f"skipped {len(bad):,} of {count:,} pictures that cannot be read: {shown}{more}"
