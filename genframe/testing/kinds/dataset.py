"""Datasets: what is read is a pure function of index, epoch and seed, and looks as the fields say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genframe.interfaces import Batch, Dataset, Part
from genframe.shapes import LABEL_KINDS, PIXEL_KINDS, Field
from genframe.testing.catalogue import Checks
from genframe.testing.results import Work, require
from genframe.testing.subject import Subject
from genframe.testing.tensors import require_tensor, same

CHECKS = Checks()

_BATCH = 32
#: A set is read as a whole where it has at most so many samples.
_WHOLE = 5000
#: A class of so many samples is in both parts.
_FEW = 20
#: The share of a class that is held out is within this of the share of all.
_UNEVEN = 0.1

_PARTS: tuple[Part, ...] = ("train", "heldout")


def made(subject: Subject) -> Dataset:
    """The dataset, opened once for all checks."""
    return subject.once("dataset", lambda: _opened(subject))


def work(subject: Subject) -> Work:
    """Reads batches of the training part of the set, opened anew."""
    train = _opened(subject).split("train")
    count = min(_BATCH, len(train))
    return Work(run=lambda: train.read(range(count), epoch=0, seed=0), count=count, unit="samples")


@CHECKS.add("fields", "the fields say what a sample is, with something that can be generated among them")
def fields(subject: Subject) -> str:
    """And there are samples to train on."""
    data = made(subject)
    known = dict(data.fields)
    require(known, "the dataset has no fields")
    wrong = [name for name, field in known.items() if not isinstance(field, Field)]
    require(not wrong, f"the fields {', '.join(wrong)} are not genframe.shapes.Field")
    require(any(f.kind not in LABEL_KINDS for f in known.values()), "all fields are labels: nothing can be generated")
    require(len(data) > 0, "the dataset is empty")
    return ", ".join(f"{name}: {field.kind} {field.shape}" for name, field in known.items())


@CHECKS.add("types", "batches hold what the fields say: uint8 pixels, int64 classes in range, float32 numbers")
def types(subject: Subject) -> None:
    """Of both parts."""
    for part in _PARTS:
        data = made(subject).split(part)
        batch = data.read(range(min(_BATCH, len(data))), epoch=0, seed=0)
        require(batch.keys() == data.fields.keys(), f"a batch holds {', '.join(batch)}, and not just the fields")
        for name, field in data.fields.items():
            _require_field(batch[name], name, field, min(_BATCH, len(data)))


@CHECKS.add("indices", "any indices are read: in any order, several times, one, none")
def indices(subject: Subject) -> None:
    """A sample is the same whatever is read with it."""
    data = made(subject).split("train")
    last = len(data) - 1
    wanted = [last, 0, last // 2, 0, last]
    together = data.read(wanted, epoch=0, seed=0)
    for place, index in enumerate(wanted):
        alone = data.read([index], epoch=0, seed=0)
        _require_same(alone, {k: v[place : place + 1] for k, v in together.items()}, f"sample {index} alone and among")
    nothing = data.read([], epoch=0, seed=0)
    for name, field in data.fields.items():
        require_tensor(nothing[name], f"'{name}' of no samples", (0, *field.shape), _dtype(field))


@CHECKS.add("purity", "a read is a function of index, epoch and seed, and of nothing that happened before")
def purity(subject: Subject) -> str:
    """The second time, after other reads, and from the set opened anew."""
    data = made(subject).split("train")
    wanted = range(min(_BATCH, len(data)))
    first = _copied(data.read(wanted, epoch=3, seed=5))
    other = data.read(wanted, epoch=4, seed=5)
    torch.manual_seed(11)
    np.random.seed(11)
    _require_same(data.read(wanted, epoch=3, seed=5), first, "the first and the second read of")
    again = _opened(subject).split("train").read(wanted, epoch=3, seed=5)
    _require_same(again, first, "a read from the set opened anew and one before of")
    random = any(not same(first[name], other[name]) for name in first)
    return "samples change from epoch to epoch" if random else ""


@CHECKS.add("split", "the parts are the same each time, share nothing, leave nothing out, and hold every class")
def split(subject: Subject) -> str:
    """Nobody's seed moves a sample to the other part."""
    data = made(subject)
    train, heldout = (data.split(part) for part in _PARTS)
    sizes = f"{len(train)} samples to train on and {len(heldout)} held out"
    require(len(train) > 0, "there is nothing to train on")
    require(len(train) + len(heldout) == len(data), f"there are {sizes}, and {len(data)} in all")
    torch.manual_seed(12)
    np.random.seed(12)
    for part, before in zip(_PARTS, (train, heldout), strict=True):
        again = _opened(subject).split(part)
        require(len(again) == len(before), f"the {part} part has another size when the set is opened again")
        wanted = range(min(_BATCH, len(before)))
        first, second = (each.read(wanted, epoch=0, seed=0) for each in (before, again))
        _require_same(second, first, f"from one opening of the set to the next, the {part} samples'")
    if len(data) > _WHOLE:
        return f"{sizes}; too many to be compared one by one"
    _require_strata(train, heldout)
    if _is_random(data):
        return f"{sizes}; they change at random, so that they are not compared one by one"
    parts = _rows(train) + _rows(heldout)
    require(parts == _rows(data), "the parts together do not hold the samples of the whole, each as often as there")
    return sizes


def _opened(subject: Subject) -> Dataset:
    data: Dataset = subject.build()
    return data


def _dtype(field: Field) -> torch.dtype:
    return torch.uint8 if field.kind in PIXEL_KINDS else torch.int64 if field.kind == "class" else torch.float32


def _require_field(values: object, name: str, field: Field, count: int) -> None:
    tensor = require_tensor(values, f"'{name}' of {count} samples", (count, *field.shape), _dtype(field))
    if field.kind == "class" and count:
        low, high = int(tensor.min()), int(tensor.max())
        inside = low >= 0 and high < len(field.classes)
        require(inside, f"'{name}' has classes from {low} to {high}, and {len(field.classes)} names")
    if field.kind == "multilabel":
        require(((tensor == 0) | (tensor == 1)).all(), f"the labels '{name}' are 0 or 1, and here are others")


def _require_same(first: Batch, second: Batch, what: str) -> None:
    for name in second:
        require(same(first[name], second[name]), f"{what} '{name}' differ")


def _copied(batch: Batch) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in batch.items()}


def _is_random(data: Dataset) -> bool:
    wanted = range(min(_BATCH, len(data)))
    first, second = data.read(wanted, epoch=0, seed=0), data.read(wanted, epoch=1, seed=1)
    return any(not same(first[name], second[name]) for name in first)


def _rows(data: Dataset) -> Counter[bytes]:
    """How often each sample occurs."""
    return Counter(
        b"".join(batch[name][row].numpy().tobytes() for name in sorted(batch))
        for batch in _batches(data)
        for row in range(len(next(iter(batch.values()))))
    )


def _batches(data: Dataset) -> Sequence[Batch]:
    starts = range(0, len(data), 256)
    return [data.read(range(s, min(s + 256, len(data))), epoch=0, seed=0) for s in starts]


def _require_strata(train: Dataset, heldout: Dataset) -> None:
    """Each class that has some samples is held out about as often as the others."""
    names = [name for name, field in train.fields.items() if field.kind == "class"]
    share = len(heldout) / (len(train) + len(heldout))
    for name in names if len(heldout) else ():
        field = train.fields[name]
        counts = [
            torch.cat([batch[name] for batch in _batches(part)]).bincount(minlength=field.width)
            for part in (train, heldout)
        ]
        for index, label in enumerate(field.classes):
            inside, outside = (int(count[index]) for count in counts)
            if inside + outside >= _FEW:
                off = abs(outside / (inside + outside) - share)
                said = f"of class '{label}' of '{name}', {outside} of {inside + outside} samples are held out"
                require(off <= _UNEVEN, f"{said}, and of all {share:.0%}: divide each class alike")
