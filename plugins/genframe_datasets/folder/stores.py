"""Pictures that are read into memory once, or from disk whenever they are wanted; the same bytes either way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import click
import torch
from torch import Tensor

from genframe.errors import DataError
from genframe.shapes import Field
from genframe_datasets.folder.decode import BadPictureError, Pixels, quietly, read_picture
from genframe_datasets.folder.progress import watched
from genframe_datasets.folder.sources import Source, printable
from genframe_datasets.folder.survey import Shape

#: Pictures decoded by a thread before it reports.
_CHUNK = 64

#: A picture of 40 megapixels takes a few hundred megabytes while it is decoded; so many threads at most.
_MOST_THREADS = 4

#: So many files that could not be read are named by each process.
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Files:
    """The pictures of all samples, on disk.

    Attributes:
        source: where they lie.
        names: field -> the file of each sample.
        shapes: field -> channels, height and width that they are brought to.
    """

    source: Source
    names: Mapping[str, Sequence[str]]
    shapes: Mapping[str, Shape]

    def __len__(self) -> int:
        return len(next(iter(self.names.values())))

    def read(self, member: int) -> dict[str, Pixels]:
        """The pictures of a sample.

        Raises:
            BadPictureError: one of them cannot be read.
        """
        return {name: read_picture(self.source, self.names[name][member], shape) for name, shape in self.shapes.items()}

    def empty(self, count: int) -> dict[str, Tensor]:
        """Room for the pictures of so many samples."""
        return {name: torch.empty((count, *shape), dtype=torch.uint8) for name, shape in self.shapes.items()}


def read_all(files: Files, skip: bool) -> tuple[dict[str, Tensor], list[BadPictureError | None]]:
    """All pictures, ``uint8 (N, C, H, W)`` by field, and for each sample why it is missing.

    Raises:
        BadPictureError: one cannot be read and must not be skipped; the first such one by name.
    """
    pictures = files.empty(len(files))
    arrays = {name: values.numpy() for name, values in pictures.items()}

    def read(members: range) -> list[BadPictureError | None]:
        return [_read_into(arrays, files, member, skip) for member in members]

    chunks = [range(start, min(start + _CHUNK, len(files))) for start in range(0, len(files), _CHUNK)]
    faults: list[BadPictureError | None] = []
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        with quietly():
            for done in watched(pool.map(read, chunks), "Reading pictures", len(files), _CHUNK):
                faults += done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return pictures, faults


def _read_into(arrays: Mapping[str, Pixels], files: Files, member: int, skip: bool) -> BadPictureError | None:
    try:
        for name, pixels in files.read(member).items():
            arrays[name][member] = pixels
    except BadPictureError as error:
        if not skip:
            raise
        return error
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Streamed:
    """A store that reads and decodes what is wanted, each time anew.

    Attributes:
        fields: what a sample is made of.
        files: the pictures.
        labels: the other tensors of all samples, in memory.
        heldout: ``bool (N,)``.
        skip: whether the next sample of the same part stands in for one that cannot be read.
    """

    fields: Mapping[str, Field]
    files: Files
    labels: Mapping[str, Tensor]
    heldout: Tensor
    skip: bool
    _named: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.files)

    def load(self, members: Tensor) -> dict[str, Tensor]:
        """See `genframe_datasets.parted.Store.load`.

        Raises:
            BadPictureError: a picture cannot be read and must not be skipped.
        """
        pictures = self.files.empty(len(members))
        used = []
        with quietly():
            for place, member in enumerate(members.tolist()):
                readable, pixels = self._readable(member)
                used.append(readable)
                for name, values in pixels.items():
                    pictures[name][place] = torch.from_numpy(values)
        chosen = torch.tensor(used, dtype=torch.int64)
        return pictures | {name: values[chosen] for name, values in self.labels.items()}

    def _readable(self, member: int) -> tuple[int, dict[str, Pixels]]:
        for candidate in self._candidates(member):
            try:
                return candidate, self.files.read(candidate)
            except BadPictureError as error:
                if not self.skip:
                    raise
                self._say(error)
        raise DataError("none of the pictures of this part can be read any more; see what happened to the files")

    def _candidates(self, member: int) -> Iterator[int]:
        part = bool(self.heldout[member])
        for step in range(len(self)):
            candidate = (member + step) % len(self)
            if step == 0 or bool(self.heldout[candidate]) == part:
                yield candidate

    def _say(self, error: BadPictureError) -> None:
        if error.file not in self._named and len(self._named) < _NAMED:
            self._named.append(error.file)
            click.echo(f"skipped {printable(error.file)} ({error.reason}): the next picture stands in for it", err=True)
