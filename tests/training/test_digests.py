"""Digests tell tensors apart that differ in anything, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genframe.training.digests import Digests, together

W = torch.randn(8, 4, 4, 4, generator=torch.Generator().manual_seed(0))


class Holder:
    """What has tensors to be digested."""

    def __init__(self, tensors: dict[str, Tensor], memory: dict[str, Tensor] | None = None) -> None:
        self._tensors, self._memory = tensors, memory or {}
        parameters = [torch.nn.Parameter(value) for value in tensors.values() if value.is_floating_point()]
        self.optimizers: dict[str, Any] = {"role": torch.optim.SGD(parameters, lr=0.1)} if memory else {}

    def network_tensors(self) -> dict[str, Tensor]:
        return self._tensors

    def training_tensors(self) -> dict[str, Tensor]:
        return self._memory


def digest(tensor: Tensor) -> str:
    return Digests(Holder({"a": tensor})).now()


@pytest.mark.parametrize(
    "other",
    [
        2 * W,
        -W,
        W / 4,
        W.flip(0),
        W + 0.0 * W.sum() + 1e-6,
        torch.where(torch.arange(W.numel()).view_as(W) < 2, -W, W),
        W.roll(1),
        torch.zeros_like(W),
        torch.ones_like(W),
        2 * torch.ones_like(W),
    ],
)
def test_whatever_is_done_to_a_tensor_changes_its_digest(other: Tensor) -> None:
    assert digest(other) != digest(W)


def test_each_single_bit_counts_and_no_two_of_them_are_alike() -> None:
    found = {digest(W)}
    for place in range(0, W.numel(), 7):
        for bit in range(32):
            changed = W.clone()
            changed.view(-1).view(torch.int32)[place] ^= -(2**31) if bit == 31 else 1 << bit
            found.add(digest(changed))
    assert len(found) == 1 + 32 * len(range(0, W.numel(), 7))


def test_equal_numbers_in_another_layout_have_the_same_digest() -> None:
    assert digest(W.to(memory_format=torch.channels_last)) == digest(W)
    assert digest(W.clone()) == digest(W)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_every_type_is_digested(dtype: torch.dtype) -> None:
    values = torch.arange(20).to(dtype)
    assert digest(values) == digest(values.clone())
    assert digest(values) != digest(values.flip(0))
    assert len(digest(torch.tensor(3).to(dtype))) == 8


def test_memories_that_change_places_are_told_apart() -> None:
    first, second = W.clone(), 3 * W
    ours = Digests(Holder({"a": W}, {"role.0.exp_avg": first, "role.0.exp_avg_sq": second}))
    theirs = Digests(Holder({"a": W}, {"role.0.exp_avg": second, "role.0.exp_avg_sq": first}))
    assert ours.names == theirs.names == ["a", "optimizer.role.0"]
    assert ours.now()[:8] == theirs.now()[:8]
    assert ours.now()[8:] != theirs.now()[8:]
    assert together(ours.now()) != together(theirs.now())
