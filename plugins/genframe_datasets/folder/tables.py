"""Files that say what the labels are: Hugging Face's ``metadata.csv`` and ``.jsonl``, StyleGAN's ``dataset.json``."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from genframe.errors import DataError
from genframe_datasets import FolderSettings
from genframe_datasets.folder.listing import Listing, Tree, listed, parts_of
from genframe_datasets.folder.sources import printable

Row = Mapping[str, Any]


def read_metadata(tree: Tree, settings: FolderSettings) -> Listing | None:
    """A table with a column ``file_name``, a row a picture; the other columns may be labels."""
    for name, parse in (("metadata.csv", _csv_rows), ("metadata.jsonl", _json_rows)):
        if name in tree.loose:
            where = tree.source.where(tree.prefix + name)
            rows = parse(_text(tree, name), where)
            if not rows or not all(isinstance(row.get("file_name"), str) for row in rows):
                raise DataError(f"{where} has a row without 'file_name', or no rows; each names its picture there")
            columns = [column for column in rows[0] if column != "file_name"]
            values = {column: [row.get(column) for row in rows] for column in columns}
            return _matched(tree, name, [row["file_name"] for row in rows], values, settings)
    return None


def read_dataset_json(tree: Tree, settings: FolderSettings) -> Listing | None:
    """``{"labels": [["00000/img0.png", 3], ...]}``; null is no labels, a list of numbers is a vector."""
    if "dataset.json" not in tree.loose:
        return None
    where = tree.source.where(tree.prefix + "dataset.json")
    try:
        labels = json.loads(_text(tree, "dataset.json"))["labels"]
        if labels is None:
            return Listing(files={"image": tree.full(tree.pictures)}, heldout=parts_of(tree.pictures))
        pairs = [(str(name), _plain(value)) for name, value in labels]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(
            f'{where} cannot be read; it is {{"labels": [["picture.png", 3], ...]}} or {{"labels": null}}'
        ) from None
    return _matched(
        tree, "dataset.json", [name for name, _ in pairs], {"label": [value for _, value in pairs]}, settings
    )


def _plain(value: Any) -> Any:
    """A list of one label is that label."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], int) else value


def _matched(
    tree: Tree, table: str, names: Sequence[str], columns: Mapping[str, Sequence[Any]], settings: FolderSettings
) -> Listing:
    """The pictures of a table in the order of their names, each with what the table says of it."""
    where = tree.source.where(tree.prefix + table)
    rows = {posixpath.normpath(name.replace("\\", "/")): row for row, name in enumerate(names)}
    if len(rows) < len(names):
        twice = next(name for row, name in enumerate(names) if row not in set(rows.values()))
        raise DataError(f"{where} names {printable(twice)} twice; give each picture one label")
    there = set(tree.pictures)
    absent, unknown = sorted(rows.keys() - there), sorted(there - rows.keys())
    kept = sorted(rows.keys() & there)
    if (absent or unknown) and not (settings.skip_bad_images and kept):
        raise DataError(_mismatch(where, absent, unknown))
    return Listing(
        files={"image": tree.full(kept)},
        columns={column: [values[rows[name]] for name in kept] for column, values in columns.items()},
        heldout=parts_of(kept),
        notes=(_mismatch(where, absent, unknown, "; these are skipped"),) if absent or unknown else (),
    )


def _mismatch(
    where: str,
    absent: Sequence[str],
    unknown: Sequence[str],
    advice: str = "; complete it, or leave these out with --skip-bad-images",
) -> str:
    faults = []
    if absent:
        faults.append(f"names {len(absent):,} pictures that are not there: {_shown(absent)}")
    if unknown:
        faults.append(f"says nothing of {len(unknown):,} pictures: {_shown(unknown)}")
    return f"{where} {', and '.join(faults)}{advice}"


def _shown(names: Sequence[str]) -> str:
    return listed([printable(name) for name in names])


def _text(tree: Tree, name: str) -> str:
    where = tree.source.where(tree.prefix + name)
    try:
        with tree.source.open(tree.prefix + name) as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{where} is not UTF-8 text; save it as such") from None
    except Exception as error:  # a zip's member may be damaged in many ways
        raise DataError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _json_rows(text: str, where: str) -> list[Row]:
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        if all(isinstance(row, dict) for row in rows):
            return rows
        reason = "a line is no object"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise DataError(f'{where} cannot be read: {reason}; each line is {{"file_name": "picture.png", ...}}')


def _csv_rows(text: str, where: str) -> list[Row]:
    try:
        header, *lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (csv.Error, ValueError) as error:
        raise DataError(f"{where} cannot be read as CSV: {error}; its first line names the columns") from None
    for line in lines:
        if len(line) != len(header):
            raise DataError(
                f"{where} has {len(line)} values in the row of {printable(line[0])}; its first line names "
                f"{len(header)} columns"
            )
    columns = {name: _typed([line[i] for line in lines], name) for i, name in enumerate(header)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _typed(texts: Sequence[str], column: str) -> Sequence[Any]:
    """A column's values as integers, truth values or numbers, where all of them are; an empty one is None."""
    if column == "file_name":
        return texts
    words = {"true": 1, "false": 0}
    for convert in (int, lambda text: words[text.strip().lower()], float):
        try:
            return [convert(text) for text in texts]
        except (ValueError, KeyError):
            continue
    return [text or None for text in texts]
