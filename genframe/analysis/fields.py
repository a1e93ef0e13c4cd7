"""Which fields of a dataset are the real counterparts of what a run generates."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from genframe.errors import DataError
from genframe.interfaces import Batch, Dataset
from genframe.shapes import FieldKind, Problem

_CHUNK = 1024


def image_name(dataset: Dataset, problem: Problem) -> str:
    """The field of real pictures like the generated ones.

    Raises:
        DataError: there is none.
    """
    for name, field in dataset.fields.items():
        if field == problem.output and name not in problem.condition:
            return name
    raise DataError(
        f"the dataset has {', '.join(dataset.fields)}, and none of them is {problem.output.kind} of the shape "
        f"{problem.output.shape} that the run generates: take the data that the run was trained on"
    )


def label_name(dataset: Dataset, kinds: Collection[FieldKind]) -> str:
    """The first label of one of these kinds; empty where there is none."""
    return next((name for name, field in dataset.fields.items() if field.kind in kinds), "")


def in_batches(dataset: Dataset, count: int) -> Iterator[Batch]:
    """The first `count` samples of a part, or as many as it has, in batches."""
    for start in range(0, min(count, len(dataset)), _CHUNK):
        yield dataset.read(range(start, min(start + _CHUNK, count, len(dataset))), epoch=0, seed=0)


def first_of(dataset: Dataset, name: str, count: int) -> Tensor:
    """The field `name` of the first `count` samples of a part, or of as many as it has.

    Raises:
        DataError: the part is empty.
    """
    batches = [batch[name] for batch in in_batches(dataset, count)]
    if not batches:
        raise DataError("this part of the dataset is empty, and real samples are wanted: add some")
    return torch.cat(batches)
