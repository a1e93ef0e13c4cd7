"""A dataset of pictures that lives in memory, with a fixed division into two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genframe.interfaces import Batch, Part
from genframe.randomness import derive_key, uniform
from genframe.shapes import Field


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryDataset:
    """Pictures, and the class of each where it is known.

    Attributes:
        images: ``uint8 (N, C, H, W)``.
        labels: ``int64 (N,)``, or None.
        classes: the classes' names; empty where there are no labels.
        heldout: ``bool (N,)``, which samples are held out.
        members: ``int64 (M,)``, the samples of this part; each is known by this number, whatever part it is read from.
        mirror: flip half of the pictures left to right, by (seed, epoch, sample).
    """

    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    heldout: Tensor
    members: Tensor
    mirror: bool = False

    @property
    def fields(self) -> Mapping[str, Field]:
        """``image``, and ``label`` where the classes are known."""
        fields = {"image": Field(kind="image", shape=tuple(self.images.shape[1:]))}
        if self.labels is not None:
            fields["label"] = Field(kind="class", classes=self.classes)
        return fields

    def __len__(self) -> int:
        return len(self.members)

    def split(self, part: Part) -> MemoryDataset:
        """One part. Held-out pictures are measured against, so they are never mirrored."""
        inside = self.heldout[self.members] == (part == "heldout")
        return replace(self, members=self.members[inside], mirror=self.mirror and part == "train")

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        """``image`` uint8 ``(B, C, H, W)``, and ``label`` int64 ``(B,)`` where the classes are known."""
        members = self.members[torch.tensor(indices, dtype=torch.int64)]
        batch = {"image": self.images[members]}
        if self.mirror:
            flip = uniform(members, (1,), derive_key(seed, "mirror", epoch))[:, 0] < 0.5
            batch["image"][flip] = batch["image"][flip].flip(-1)
        if self.labels is not None:
            batch["label"] = self.labels[members]
        return batch
