"""Digests of everything that trains, so that two runs can be compared step by step without keeping their tensors."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
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
        self._places = torch.empty(0, dtype=torch.int64, device=next(iter(tensors.values())).device)
        self._products = torch.empty_like(self._places)
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
            parameter, _, key = name.rpartition(".")
            memories[parameter] += self._sum(tensor) * (2 * zlib.crc32(key.encode()) + 1)
        sums += memories.values()
        numbers = torch.stack(sums).tolist()  # one transfer for all of them
        return "".join(f"{number >> 32 & 0xFFFFFFFF:08x}" for number in numbers)

    def _sum(self, tensor: Tensor) -> Tensor:
        """``int64 ()``: the bits of each element times a random number of its place, added modulo 2**64.

        Whole numbers add up to the same sum in any order, so that every device finds the same one. Of this the upper
        half counts: two tensors that differ have the same one with a probability of 2**-32, whatever they differ in
        (multilinear hashing; Lemire and Kaser, "Strongly universal string hashing is fast", 2014).
        """
        values = tensor.detach().contiguous().flatten()
        bits = values.view(torch.int32) if values.element_size() >= 4 else values.view(torch.uint8)
        bits = bits.to(self._places.device)
        count = len(bits)
        if count > len(self._places):
            drawn = np.random.PCG64(0).random_raw(count).view(np.int64)
            self._places = torch.from_numpy(drawn).to(bits.device)
            self._products = torch.empty_like(self._places)  # kept: fresh memory costs more than the arithmetic
        return torch.mul(self._places[:count], bits, out=self._products[:count]).sum()


def together(digests: str) -> str:
    """One digest of 16 digits for all of them."""
    return hashlib.sha256(digests.encode()).hexdigest()[:16]
