"""Digests of everything that trains, so that two runs can be compared step by step without keeping their tensors."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from genframe.training.trainer import Trainer


class Digests:
    """Digests of a trainer's tensors: networks, running averages, and what the optimizers remember.

    Args:
        trainer: whose.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        tensors = trainer.network_tensors()
        self._networks = list(tensors)
        self._places = torch.empty(0, dtype=torch.int32, device=next(iter(tensors.values())).device)
        self._memories = [
            f"{role}.{index}"
            for role, optimizer in trainer.optimizers.items()
            for index in range(sum(len(group["params"]) for group in optimizer.param_groups))
        ]

    @property
    def names(self) -> list[str]:
        """``ROLE.KEY`` and ``ema.ROLE.KEY``; ``optimizer.ROLE.INDEX`` is all that is remembered of one parameter."""
        return [*self._networks, *(f"optimizer.{name}" for name in self._memories)]

    def now(self) -> str:
        """8 hexadecimal digits for each of the names, in their order."""
        networks = self._trainer.network_tensors()
        sums = [self._sum(networks[name]) for name in self._networks]
        memories = {name: torch.zeros_like(sums[0]) for name in self._memories}
        for name, tensor in self._trainer.training_tensors().items():
            memories[name.rpartition(".")[0]] += self._sum(tensor)
        sums += memories.values()
        numbers = torch.stack(sums).tolist()  # one transfer for all of them
        return "".join(f"{number & 0xFFFFFFFF:08x}" for number in numbers)

    def _sum(self, tensor: Tensor) -> Tensor:
        """``int32 ()``: the bits of each element, as a whole number, times an odd number of its place, modulo 2**32.

        Whole numbers add up to the same sum in any order, so that every device finds the same one.
        """
        values = tensor.detach().contiguous().flatten()
        bits = values.view(torch.int32) if values.element_size() >= 4 else values.view(torch.uint8).to(torch.int32)
        bits = bits.to(self._places.device)
        if len(bits) > len(self._places):
            self._places = torch.arange(1, 2 * len(bits), 2, dtype=torch.int32, device=bits.device)
        return (bits * self._places[: len(bits)]).sum(dtype=torch.int32)


def together(digests: str) -> str:
    """One digest of 16 digits for all of them."""
    return hashlib.sha256(digests.encode()).hexdigest()[:16]
