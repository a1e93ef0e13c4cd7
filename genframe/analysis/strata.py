"""A fixed choice of samples that keeps the proportions of the classes.

Which samples are held out must never change: not with ``--seed``, not with the version of a library. So the choice
rests on `genframe.randomness` alone, whose numbers are a function of the sample's index.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.randomness import derive_key, random_bits


def stratified(labels: Tensor, count: int, purpose: str) -> Tensor:
    """A mask that chooses `count` samples at random, from each class in proportion to its size.

    Shares are rounded by largest remainder, so that the mask has exactly `count` true entries.

    Args:
        labels: ``int64 (N,)``, the class of each sample, from 0 on.
        count: how many to choose, 0 to N.
        purpose: names the choice; choices of different names are independent.

    Returns:
        ``bool (N,)``.
    """
    order = random_bits(torch.arange(len(labels)), 1, derive_key(0, purpose))[:, 0].argsort(stable=True)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label, share in enumerate(_shares(torch.bincount(labels).tolist(), count)):
        chosen[order[labels[order] == label][:share]] = True
    return chosen


def _shares(sizes: list[int], count: int) -> list[int]:
    """How many to take from each class; the last one of a class is taken only where nothing else is left."""
    total = max(sum(sizes), 1)
    shares = [size * count // total for size in sizes]

    def claim(label: int) -> tuple[bool, int]:
        left = sizes[label] - shares[label]
        return left > 1, sizes[label] * count % total

    for label in sorted(range(len(sizes)), key=claim, reverse=True)[: count - sum(shares)]:
        shares[label] += 1
    return shares
