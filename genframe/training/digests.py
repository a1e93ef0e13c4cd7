"""Digests of everything that trains, so that two runs can be compared step by step without keeping their tensors."""

from __future__ import annotations

import hashlib
import zlib

import torch
from torch import Tensor

from genframe.training.trainer import Trainer

#: Odd numbers with about as many ones as zeros, as int32.
_MIX, _PLACE = 0x85EBCA6B - 2**32, 0x9E3779B1 - 2**32


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
            parameter, _, key = name.rpartition(".")
            memories[parameter] += self._sum(tensor, zlib.crc32(key.encode()))
        sums += memories.values()
        numbers = torch.stack(sums).tolist()  # one transfer for all of them
        return "".join(f"{number & 0xFFFFFFFF:08x}" for number in numbers)

    def _sum(self, tensor: Tensor, salt: int = 0) -> Tensor:
        """``int32 ()``: the mixed bits of each element with its place, added modulo 2**32.

        Whole numbers add up to the same sum in any order, so that every device finds the same one. The mixing is that
        of MurmurHash3's last step (Appleby 2011), shortened: without it, twice a tensor had the sum of the tensor.
        """
        values = tensor.detach().contiguous().flatten()
        bits = values.view(torch.int32) if values.element_size() >= 4 else values.view(torch.uint8).to(torch.int32)
        bits = bits.to(self._places.device)
        if len(bits) > len(self._places):
            self._places = torch.arange(1, 2 * len(bits), 2, dtype=torch.int32, device=bits.device)
        mixed = (bits * _MIX).add_(self._places[: len(bits)]).mul_(_PLACE).add_(salt & 0x7FFFFFFF)
        mixed.bitwise_xor_(mixed >> 15).mul_(_MIX)
        return mixed.bitwise_xor_(mixed >> 13).sum(dtype=torch.int32)


def together(digests: str) -> str:
    """One digest of 16 digits for all of them."""
    return hashlib.sha256(digests.encode()).hexdigest()[:16]
