"""From columns of plain values to one field of labels: a class, several labels at once, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genframe.errors import ConfigError, DataError, quoted
from genframe.shapes import Field
from genframe_datasets.folder.listing import Listing, listed
from genframe_datasets.folder.sources import printable

#: A column of one of these names is the class.
CLASS_COLUMNS = ("label", "class", "labels")

Columns = Mapping[str, Sequence[object]]
Kind = Literal["binary", "integer", "number", "text", "list", "mixed"]


@dataclass(frozen=True)
class Labels:
    """The field called ``label`` and its values for all samples."""

    field: Field
    values: Tensor


def labels_of(listing: Listing, wanted: str, where: str) -> tuple[Labels | None, tuple[str, ...]]:
    """The labels, and notes on what was left aside.

    Args:
        listing: the samples and what is known of them.
        wanted: ``auto``, ``none`` or columns by name, separated by commas.
        where: the data, for messages.

    Raises:
        ConfigError: a column that does not exist or is no label.
        DataError: a value is missing or makes no sense.
    """
    columns = dict(listing.columns)
    if wanted == "none" or (wanted == "auto" and not columns):
        return None, ()
    chosen = _guessed(columns) if wanted == "auto" else _asked_for(columns, wanted, where)
    left = [printable(name) for name in columns if name not in chosen]
    notes = (f"columns that are not used as labels: {listed(left)} (--set data.labels=COLUMN takes another)",)
    names = next(iter(listing.files.values()))
    return (_encoded(chosen, names, where) if chosen else None), (notes if left else ())


def kind_of(values: Sequence[object]) -> Kind:
    """What a column holds."""
    types = {type(value) for value in values}
    if types <= {bool, int}:
        return "binary" if set(values) <= {0, 1} or set(values) <= {-1, 1} else "integer"
    if types <= {bool, int, float}:
        return "number"
    if types in ({str}, {list}):
        return "text" if str in types else "list"
    return "mixed"


def _guessed(columns: Columns) -> Columns:
    for name in CLASS_COLUMNS:
        if name in columns:
            return {name: columns[name]}
    kinds = {name: kind_of(values) for name, values in columns.items()}
    binary = [name for name, kind in kinds.items() if kind == "binary"]
    chosen = binary if len(binary) > 1 else [name for name, kind in kinds.items() if kind == "number"]
    return {name: columns[name] for name in chosen}


def _asked_for(columns: Columns, wanted: str, where: str) -> Columns:
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in columns:
            raise ConfigError(
                f"data.labels is 'auto', 'none' or columns of the data, and {where} has {quoted(columns)}; got {name!r}"
            )
    return {name: columns[name] for name in names}


def _encoded(columns: Columns, names: Sequence[str], where: str) -> Labels:
    kinds = {name: kind_of(values) for name, values in columns.items()}
    for name, kind in kinds.items():
        if kind == "mixed":
            raise _odd(name, columns[name], names, where)
    if len(columns) == 1:
        ((name, values),) = columns.items()
        if kinds[name] == "list":
            return _vectors(values, names, where)
        return _numbers(columns, names, where) if kinds[name] == "number" else _classes(values)
    if set(kinds.values()) == {"binary"}:
        return _several(columns)
    if set(kinds.values()) <= {"binary", "integer", "number"}:
        return _numbers(columns, names, where)
    raise ConfigError(
        f"data.labels: several columns together are 0 or 1 each, or numbers each; {where} has "
        f"{', '.join(f'{printable(name)} ({kind})' for name, kind in kinds.items())}"
    )


def _classes(values: Sequence[object]) -> Labels:
    names = sorted(set(values))  # type: ignore[type-var]  # a column's values are all text, or all integers
    index = {name: place for place, name in enumerate(names)}
    classes = tuple(printable(str(name)) for name in names)
    return Labels(Field(kind="class", classes=classes), torch.tensor([index[value] for value in values]))


def _several(columns: Columns) -> Labels:
    values = torch.tensor([[value == 1 for value in column] for column in columns.values()], dtype=torch.float32)
    classes = tuple(printable(name) for name in columns)
    return Labels(Field(kind="multilabel", shape=(len(classes),), classes=classes), values.T.contiguous())


def _numbers(columns: Columns, names: Sequence[str], where: str) -> Labels:
    rows: list[object] = [list(row) for row in zip(*columns.values(), strict=True)]
    return _vectors(rows, names, where)


def _vectors(rows: Sequence[object], names: Sequence[str], where: str) -> Labels:
    width = len(rows[0]) if isinstance(rows[0], list) else 0
    for row, name in zip(rows, names, strict=True):
        if not isinstance(row, list) or len(row) != width or not width or not all(_is_number(each) for each in row):
            raise DataError(
                f"the label of {printable(name)} in {where} is {str(row)[:80]}; labels are {max(width, 1)} finite "
                "numbers, as the first one's"
            )
    return Labels(Field(kind="vector", shape=(width,)), torch.tensor(rows, dtype=torch.float32))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1e30  # which NaN is not, and no integer is too long for


def _odd(column: str, values: Sequence[object], names: Sequence[str], where: str) -> DataError:
    usual = max((type(value) for value in values), key=[type(value) for value in values].count)
    place = next(i for i, value in enumerate(values) if type(value) is not usual or value is None)
    return DataError(
        f"the column {printable(column)!r} of {where} has {values[place]!r} for {printable(names[place])}, and "
        f"{usual.__name__} elsewhere; give each picture a value of one kind"
    )
