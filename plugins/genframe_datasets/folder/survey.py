"""Which size and how many channels the samples get: what was asked for, else what a look at the headers says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from genframe.errors import DataError
from genframe.randomness import derive_key, random_bits
from genframe_datasets import FolderSettings
from genframe_datasets.folder.decode import BadPictureError, Header, quietly, read_header
from genframe_datasets.folder.listing import Listing
from genframe_datasets.folder.sources import Source
from genframe_datasets.pictures import wanted_channels
from genframe_datasets.sizes import LARGEST_SIDE, parse_size

#: Of so many samples the headers are read; the others are found to be alike, or not, when they are decoded.
LOOKED_AT = 1000

#: Pictures of many sizes get no larger than this unless the user says so.
_MODEST_SIDE = 64

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What is known of the pictures before they are decoded.

    Attributes:
        shapes: field -> channels, height and width.
        notes: what the user should know, a sentence each.
    """

    shapes: Mapping[str, Shape]
    notes: tuple[str, ...] = ()


def surveyed(source: Source, listing: Listing, settings: FolderSettings) -> Survey:
    """Size and channels of each field of pictures; all fields have one size.

    Raises:
        ConfigError: a size or a number of channels that makes no sense.
        DataError: a file that was looked at is bad and must not be skipped, or all of them are.
    """
    chosen = _some(len(listing))
    headers = {name: _headers(source, [files[i] for i in chosen], settings) for name, files in listing.files.items()}
    sizes = sorted({header.size for found in headers.values() for header in found})
    size, notes = _size(sizes, settings, source)
    shapes = {
        name: (wanted_channels(settings.channels, 1 if all(header.grey for header in found) else 3), *size)
        for name, found in headers.items()
    }
    return Survey(shapes=shapes, notes=notes)


def _some(count: int) -> list[int]:
    """All samples, or a fixed choice of 1,000."""
    if count <= LOOKED_AT:
        return list(range(count))
    order = random_bits(torch.arange(count), 1, derive_key(0, "headers of a folder"))[:, 0].argsort(stable=True)
    return sorted(order[:LOOKED_AT].tolist())


def _headers(source: Source, names: Sequence[str], settings: FolderSettings) -> list[Header]:
    found, bad = [], None
    with quietly():
        for name in names:
            try:
                found.append(read_header(source, name))
            except BadPictureError as error:
                if not settings.skip_bad_images:
                    raise
                bad = error
    if not found:
        raise DataError(f"none of the pictures can be read; the last one: {bad}")
    return found


def _size(
    sizes: Sequence[tuple[int, int]], settings: FolderSettings, source: Source
) -> tuple[tuple[int, int], tuple[str, ...]]:
    smallest = min(min(size) for size in sizes)
    modest = min(smallest, _MODEST_SIDE)
    size = parse_size(settings.image_size, sizes[0] if len(sizes) == 1 else (modest, modest))
    if max(size) > LARGEST_SIDE:
        raise DataError(f"the pictures of {source.where('')} are {_text(size)}; give a size, as in --image-size 64")
    if list(sizes) == [size]:
        return size, ()
    what = f"are {_text(sizes[0])}" if len(sizes) == 1 else f"have sizes from {_span(sizes)}"
    how = f"the pictures {what}: each is cropped to its centre and resized to {_text(size)}"
    return size, (how if settings.image_size else f"{how}; --image-size takes another",)


def _span(sizes: Sequence[tuple[int, int]]) -> str:
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    return f"{_text(by_area[0])} to {_text(by_area[-1])}"


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
