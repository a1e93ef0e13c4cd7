"""Three digits of MNIST as the three colours of a picture: a thousand modes that a classifier of digits can tell.

As in Metz et al., "Unrolled generative adversarial networks", 2017; here all combinations take turns, so that they are
equally many in each part, and a picture is put together from its index alone, when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.randomness import derive_key, random_bits
from genframe.shapes import Field
from genframe_datasets import NamedSettings, StackedSettings
from genframe_datasets.augment import Augment
from genframe_datasets.named import open_mnist
from genframe_datasets.parted import PartedDataset, every_tenth, in_turn

FEWEST, MOST = 1000, 10_000_000

#: ``000`` to ``999``: the digit in red, in green and in blue.
CLASSES = tuple(f"{number:03d}" for number in range(1000))


def open_stacked_mnist(settings: StackedSettings) -> PartedDataset:
    """``image`` uint8 ``(3, 28, 28)`` and ``label``; every tenth picture is held out and made of MNIST's test digits.

    Raises:
        ConfigError: a count out of range, or a size that makes no sense.
        DataError: a file of MNIST is missing and cannot be downloaded, is damaged, or is another than its name says.
    """
    if not FEWEST <= settings.count <= MOST:
        raise ConfigError(f"data.count is how many pictures are put together, {FEWEST} to {MOST}; got {settings.count}")
    mnist = open_mnist(NamedSettings(data_dir=settings.data_dir, image_size=settings.image_size))
    store = Stacked(count=settings.count, train=Digits.of(mnist.split("train")), test=Digits.of(mnist.split("heldout")))
    return PartedDataset.of(store, every_tenth(torch.arange(settings.count)), Augment())


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """Pictures of digits, sorted.

    Attributes:
        images: ``uint8 (N, H, W)``, all zeros first, then all ones ...
        counts: how many there are of each digit, ``int64 (10,)``.
    """

    images: Tensor
    counts: Tensor

    @classmethod
    def of(cls, dataset: PartedDataset) -> Digits:
        """Of a part of MNIST."""
        batch = dataset.read(range(len(dataset)), epoch=0, seed=0)
        order = batch["label"].argsort(stable=True)
        return cls(images=batch["image"][order, 0], counts=torch.bincount(batch["label"], minlength=10))

    def chosen(self, digits: Tensor, choices: Tensor) -> Tensor:
        """Pictures ``uint8 (..., H, W)`` of these digits ``int64 (...)``; `choices`, any numbers, say which ones."""
        firsts = self.counts.cumsum(0) - self.counts
        return self.images[firsts[digits] + choices % self.counts[digits]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stacked:
    """Pictures that are put together when they are read.

    Attributes:
        count: how many.
        train, test: the digits that they are made of.
    """

    count: int
    train: Digits
    test: Digits

    @property
    def fields(self) -> Mapping[str, Field]:
        """What a sample is made of."""
        shape = (3, *self.train.images.shape[1:])
        return {"image": Field(kind="image", shape=shape), "label": Field(kind="class", classes=CLASSES)}

    def __len__(self) -> int:
        return self.count

    def load(self, members: Tensor) -> dict[str, Tensor]:
        """See `genframe_datasets.parted.Store.load`."""
        labels = in_turn(members, len(CLASSES))
        digits_B3 = labels[:, None] // torch.tensor([100, 10, 1]) % 10
        choices_B3 = random_bits(members, 3, derive_key(0, "stacked digits"))
        images = self.train.chosen(digits_B3, choices_B3)
        heldout = every_tenth(members)
        images[heldout] = self.test.chosen(digits_B3[heldout], choices_B3[heldout])
        return {"image": images, "label": labels}
