"""Samples somewhere, divided once and for all into a part to train on and a part that is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from genframe.analysis.strata import stratified
from genframe.interfaces import Batch, Part
from genframe.shapes import Field
from genframe_datasets.augment import Augment


class Store(Protocol):
    """Where samples lie: in memory, or on disk."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """What a sample is made of."""

    def __len__(self) -> int: ...

    def load(self, members: Tensor) -> dict[str, Tensor]:
        """The samples with these numbers, ``int64 (B,)``; fresh tensors, pixels as uint8."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """Samples in memory.

    Attributes:
        fields: what a sample is made of.
        tensors: each field of all samples.
    """

    fields: Mapping[str, Field]
    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def load(self, members: Tensor) -> dict[str, Tensor]:
        """See `Store.load`."""
        return {name: values[members] for name, values in self.tensors.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class PartedDataset:
    """A dataset over a store.

    Attributes:
        store: where the samples lie.
        heldout: ``bool (N,)``, which of the store's samples are held out.
        members: ``int64 (M,)``, the samples of this part; each is known by this number, whatever part it is read from.
        augment: random changes to training samples. Held-out samples are measured against and never changed.
    """

    store: Store
    heldout: Tensor
    members: Tensor
    augment: Augment = field(default_factory=Augment)

    @classmethod
    def of(cls, store: Store, heldout: Tensor, augment: Augment) -> PartedDataset:
        """All samples of the store."""
        return cls(store=store, heldout=heldout, members=torch.arange(len(store)), augment=augment)

    @property
    def fields(self) -> Mapping[str, Field]:
        """What a sample is made of."""
        return self.store.fields

    def __len__(self) -> int:
        return len(self.members)

    def split(self, part: Part) -> PartedDataset:
        """One part."""
        inside = self.heldout[self.members] == (part == "heldout")
        return replace(self, members=self.members[inside], augment=self.augment if part == "train" else Augment())

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        """A batch; random changes are a function of (seed, epoch, sample)."""
        members = self.members[torch.tensor(indices, dtype=torch.int64)]
        return self.augment(self.store.load(members), self.fields, members, epoch=epoch, seed=seed)


def every_tenth(indices: Tensor) -> Tensor:
    """Which of the samples with these indices, ``int64 (N,)``, are held out where samples are made by index."""
    return indices % 10 == 9


def in_turn(indices: Tensor, count: int) -> Tensor:
    """A class of `count` for each index, ``int64 (N,)``: all take turns, among the samples of `every_tenth` as well.

    Samples whose indices end in the same digit advance by 11 classes, which no class escapes unless 11 divides `count`.
    """
    return (indices // 10 + indices) % count


def tenth(labels: Tensor | None, count: int, purpose: str) -> Tensor:
    """The mask of a fixed tenth to hold out, at least one sample, stratified where there are classes.

    Args:
        labels: ``int64 (count,)``, or None.
        count: how many samples there are.
        purpose: names the choice; see `genframe.analysis.strata.stratified`.
    """
    strata = torch.zeros(count, dtype=torch.int64) if labels is None else labels
    return stratified(strata, max(1, count // 10), purpose)
