"""Random numbers by key: every number is a pure function of (key, index, position).

There is no state to save, to share or to advance by accident: sample i is the same alone or among thousands, on one
process or many, on any device. The bits come from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011), written in int64 tensor operations, so that the very same code runs on a CPU and on a GPU.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def derive_key(seed: int, purpose: str, *path: int) -> int:
    """A 63-bit key for a stream, from a seed, what it is for, and where it is used (step, rank, epoch ...)."""
    text = ":".join([str(seed), purpose, *map(str, path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def seeded_generator(key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on `device` that starts from `key`."""
    return torch.Generator(device=device).manual_seed(key)


def random_words(indices: Tensor, count: int, key: int) -> Tensor:
    """``int64 (len(indices), count)`` with independent uniform values in [0, 2**32).

    Args:
        indices: ``int64 (N,)``, each in [0, 2**63).
        count: how many words for each index, at most 2**34.
        key: the stream.
    """
    blocks = torch.arange(-(-count // 4), device=indices.device, dtype=torch.int64)
    shape = (len(indices), len(blocks))
    c0 = blocks.expand(shape)
    c1 = torch.zeros(shape, device=indices.device, dtype=torch.int64)
    c2 = (indices & _MASK)[:, None].expand(shape)
    c3 = (indices >> 32)[:, None].expand(shape)
    k0, k1 = key & _MASK, (key >> 32) & _MASK
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = ((p1 >> 32) & _MASK) ^ c1 ^ k0, p1 & _MASK, ((p0 >> 32) & _MASK) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return torch.stack((c0, c1, c2, c3), dim=-1).flatten(1)[:, :count]


def uniform(indices: Tensor, shape: tuple[int, ...], key: int) -> Tensor:
    """``float32 (len(indices), *shape)``, uniform on [0, 1), on a grid of 2**-24."""
    words = random_words(indices, math.prod(shape), key)
    return ((words >> 8).float() * 2.0**-24).reshape(len(indices), *shape)


def normal(indices: Tensor, shape: tuple[int, ...], key: int) -> Tensor:
    """``float32 (len(indices), *shape)``, standard normal, by Box and Muller's transform."""
    count = math.prod(shape)
    pairs = -(-count // 2)
    words = random_words(indices, 2 * pairs, key).float()
    radius = (-2.0 * torch.log((words[:, :pairs] + 1.0) * 2.0**-32)).sqrt()
    angle = words[:, pairs:] * (2.0 * math.pi * 2.0**-32)
    values = torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)
    return values[:, :count].reshape(len(indices), *shape)
