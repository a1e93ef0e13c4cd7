"""What a dataset holds, in words and in a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genframe.errors import DataError, quoted
from genframe.interfaces import Batch, Dataset
from genframe.pictures import Raster, Row, sheet
from genframe.shapes import PIXEL_KINDS, Field

#: So many samples are looked at; more would only take longer.
SAMPLES = 2000

_COLUMNS, _MOST_ROWS = 10, 20


def describe(data: Dataset) -> list[str]:
    """Lines that say how many samples there are, of what fields, and how they are labelled."""
    train, heldout = data.split("train"), data.split("heldout")
    rows = [("samples", f"{len(train):,} to train on, {len(heldout):,} held out")]
    looked_at = examples(train)
    refuse_unlike(looked_at, data.fields)
    for name, field in data.fields.items():
        rows.append((name, _field_text(field)))
        among = f"of {_count(looked_at):,} looked at: " if _count(looked_at) < len(train) else ""
        rows += [("", among + line) for line in _counts(field, looked_at[name])]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def contact_sheet(data: Dataset, title: str) -> Raster | None:
    """A row a class where there are classes, source beside picture where there are pairs, else a plain grid.

    None where there is nothing to look at.
    """
    pixels = [name for name, field in data.fields.items() if field.kind in PIXEL_KINDS]
    if not pixels:
        return None
    looked_at = examples(data.split("train"))
    classes = [name for name, field in data.fields.items() if field.kind == "class"]
    if classes:
        rows = _by_class(looked_at, pixels[0], classes[0], data.fields[classes[0]])
    elif len(pixels) > 1:
        rows = [Row(images=_side_by_side(looked_at, pixels, place)) for place in range(min(8, _count(looked_at)))]
    else:
        images = _signed(looked_at[pixels[0]][: _COLUMNS * 8].flatten(0, -4))
        rows = [Row(images=part) for part in torch.split(images, _COLUMNS)]
    return sheet(rows, title=title, smooth=True)


def refuse_unlike(batch: Batch, fields: Mapping[str, Field]) -> None:
    """Refuses a batch that is not as its dataset declares it.

    Raises:
        DataError: a field is missing, of another shape or dtype, or a class has no name.
    """
    for name, field in fields.items():
        if name not in batch:
            raise DataError(f"the dataset declares '{name}' and gives {quoted(batch)}")
        values = batch[name]
        wanted = torch.uint8 if field.kind in PIXEL_KINDS else torch.int64 if field.kind == "class" else torch.float32
        if values.dtype != wanted or values.shape[1:] != field.shape:
            raise DataError(
                f"the dataset gives '{name}' of the shape {tuple(values.shape[1:])} and {values.dtype}, and what it "
                f"declares is of the shape {field.shape} and {wanted}"
            )
        if field.kind == "class" and len(values) and not 0 <= int(values.min()) <= int(values.max()) < field.width:
            raise DataError(
                f"the dataset gives '{name}' from {int(values.min())} to {int(values.max())} and declares "
                f"{field.width} classes, from 0 on"
            )


def examples(part: Dataset) -> Batch:
    """Up to `SAMPLES` samples, spread evenly."""
    count = min(len(part), SAMPLES)
    return part.read([place * len(part) // count for place in range(count)], epoch=0, seed=0)


def _count(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _by_class(batch: Batch, picture: str, label: str, field: Field) -> list[Row]:
    rows = []
    for index, name in list(enumerate(field.classes))[:_MOST_ROWS]:
        chosen = batch[picture][batch[label] == index][:_COLUMNS]
        if len(chosen):
            rows.append(Row(label=name, images=_signed(chosen.flatten(0, -4))))
    return rows


def _side_by_side(batch: Batch, pixels: list[str], place: int) -> Tensor:
    pictures = [_signed(batch[name][place : place + 1].flatten(0, -4)) for name in pixels]
    channels = max(each.shape[1] for each in pictures)
    return torch.cat([each.expand(-1, channels, -1, -1) if each.shape[1] == 1 else each for each in pictures])


def _signed(pixels: Tensor) -> Tensor:
    return pixels.float() / 127.5 - 1.0


def _field_text(field: Field) -> str:
    if field.kind == "image":
        channels, height, width = field.shape
        colours = {1: "grey", 3: "colour", 4: "colour with transparency"}.get(channels, f"{channels} channels")
        return f"pictures of {height}x{width}, {colours}"
    if field.kind == "class":
        return f"one of {len(field.classes)} classes"
    if field.kind == "multilabel":
        return f"{field.shape[0]} labels, any number at once"
    return f"{field.kind} of the shape {field.shape}"


def _counts(field: Field, values: Tensor) -> list[str]:
    if field.kind == "class":
        counts = torch.bincount(values, minlength=len(field.classes)).tolist()
    elif field.kind == "multilabel":
        counts = values.sum(0).long().tolist()
    else:
        return []
    pairs = [f"{name} {count:,}" for name, count in zip(field.classes, counts, strict=True)]
    shown = pairs[:_MOST_ROWS] + ([f"and {len(pairs) - _MOST_ROWS} more"] if len(pairs) > _MOST_ROWS else [])
    return [", ".join(shown)]
