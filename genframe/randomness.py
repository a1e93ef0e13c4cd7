"""Random numbers by key: every number is a pure function of (key, index, position).

There is no state to save, to share or to advance by accident: sample i is the same alone or among thousands, on one
process or many, on any device. The bits are SplitMix64's (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014): the key is the seed of a stream, its i-th output the seed of sample i's own stream. It is
written in int64 tensor operations, a dozen of them, so that the very same code runs on a CPU and on a GPU and a
training step hardly notices it.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # as int64 has it; products and sums wrap around, as they should
_MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


def derive_key(seed: int, purpose: str, *path: int) -> int:
    """A 63-bit key for a stream, from a seed, what it is for, and where it is used (step, rank, epoch ...)."""
    text = repr((seed, purpose, *path))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def seeded_generator(key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on `device` that starts from `key`."""
    return torch.Generator(device=device).manual_seed(key)


def random_bits(indices: Tensor, count: int, key: int | Tensor) -> Tensor:
    """``int64 (len(indices), count)`` of independent uniform bits.

    Args:
        indices: ``int64 (N,)``.
        count: how many for each index.
        key: the stream, in [0, 2**63); a number, or ``int64 ()`` on the device of `indices`.
    """
    positions = torch.arange(1, count + 1, device=indices.device)
    seeds_N = _mixed((indices + 1) * _GOLDEN + key)
    return _mixed(seeds_N[:, None] + positions * _GOLDEN)


def uniform(indices: Tensor, shape: tuple[int, ...], key: int | Tensor) -> Tensor:
    """``float32 (len(indices), *shape)``, uniform on [0, 1), on a grid of 2**-24."""
    bits = _upper(random_bits(indices, math.prod(shape), key), 24)
    return bits.float().mul_(2.0**-24).view(len(indices), *shape)


def normal(indices: Tensor, shape: tuple[int, ...], key: int | Tensor) -> Tensor:
    """``float32 (len(indices), *shape)``, standard normal, by Box and Muller's transform."""
    count = math.prod(shape)
    pairs = -(-count // 2)
    bits = _upper(random_bits(indices, 2 * pairs, key), 32).float()
    radius = (-2.0 * torch.log((bits[:, :pairs] + 1.0) * 2.0**-32)).sqrt()
    angle = bits[:, pairs:] * (2.0 * math.pi * 2.0**-32)
    values = torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)
    return values[:, :count].reshape(len(indices), *shape)


def _mixed(z: Tensor) -> Tensor:
    """SplitMix64's output function."""
    z = _upper(z, 34).bitwise_xor_(z).mul_(_MULTIPLIERS[0])
    z = _upper(z, 37).bitwise_xor_(z).mul_(_MULTIPLIERS[1])
    return _upper(z, 33).bitwise_xor_(z)


def _upper(z: Tensor, bits: int) -> Tensor:
    """The uppermost bits as a number; int64 shifts drag the sign along, which the mask cuts off."""
    return (z >> (64 - bits)).bitwise_and_((1 << bits) - 1)
