"""Whether a law of z is near that of the training: a generator knows what to make of the z that it was trained on.

Compared are the single numbers of z, all coordinates together, and the length of z, which is what all of them add up
to: by their 1-Wasserstein distances (the mean difference of sorted samples), in units of the deviation of the
training's numbers. Both are about each z for itself; how alike several z are is not looked at.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import chi
from torch import Tensor

from genframe.interfaces import NoiseSampler
from genframe.randomness import derive_key

#: Laws are near whose numbers differ by at most a tenth of a deviation, and whose lengths by at most one: a normal z's
#: own length varies by 0.7 of them.
NUMBERS_LIMIT, LENGTH_LIMIT = 0.1, 1.0

#: Of a standard normal law, lengths differ by less than this from the chi law's, however few z are compared.
NORMAL_LENGTH_LIMIT = 0.2

#: So many z of each law are compared, and fewer where they have more than 256 numbers.
_COUNT, _MOST_NUMBERS = 4096, 2**20

#: Mean lengths that differ by less than this, in deviations, are called the same.
_SAME_LENGTH = 0.25


def difference(law: NoiseSampler, training: NoiseSampler, device: torch.device) -> str:
    """How samples of `law` differ from those of the training's law of the same shape, and what to expect of it.

    Returns:
        The end of a sentence that begins with the law's name; empty where the laws are near.
    """
    new_NZ, old_NZ = _drawn(law, device), _drawn(training, device)
    new_length_N, old_length_N = new_NZ.norm(dim=1), old_NZ.norm(dim=1)
    deviation = max(float(old_NZ.std(correction=0)), 1e-12)
    numbers = wasserstein(new_NZ.flatten(), old_NZ.flatten()) / deviation
    length = wasserstein(new_length_N, old_length_N) / deviation
    if numbers <= NUMBERS_LIMIT and length <= LENGTH_LIMIT:
        return ""
    new, old = float(new_length_N.mean()), float(old_length_N.mean())
    lengths = f"(|z| is {new:.3g} in the mean instead of {old:.3g})"
    if new < old - _SAME_LENGTH * deviation:
        return f"lies nearer to the origin than the training's {lengths}: samples are more alike, and more typical"
    if new > old + _SAME_LENGTH * deviation:
        return (
            f"lies farther from the origin than the training's {lengths}: the generator was hardly trained on such "
            "z, and samples may be broken"
        )
    return (
        f"has z as long as the training's and of other numbers (by {numbers:.2g} of their deviation): the generator "
        "was hardly trained on such z, and samples may be worse"
    )


def is_standard_normal(law: NoiseSampler) -> bool:
    """Whether the numbers of z, all coordinates together, and the length of z are distributed as N(0, 1) has them.

    By Kolmogorov and Smirnov's distance of 65,536 numbers, which chance leaves below 0.01, and by `difference`'s limit
    for lengths.
    """
    size = math.prod(law.shape)
    noise_NZ = law.draw(torch.arange(math.ceil(65_536 / size)), derive_key(0, "closeness")).flatten(1).double()
    values = noise_NZ.flatten().sort().values
    expected = (torch.arange(len(values)) + 0.5) / len(values)
    lengths = chi.ppf((np.arange(len(noise_NZ)) + 0.5) / len(noise_NZ), size)
    length = wasserstein(noise_NZ.norm(dim=1), torch.from_numpy(lengths))
    return bool((torch.special.ndtr(values) - expected).abs().max() <= 0.01) and length <= NORMAL_LENGTH_LIMIT


def wasserstein(values_N: Tensor, others_N: Tensor) -> float:
    """The 1-Wasserstein distance of two samples of equal size: the mean difference of their sorted values."""
    return float((values_N.sort().values - others_N.sort().values).abs().mean())


def _drawn(law: NoiseSampler, device: torch.device) -> Tensor:
    """``float64 (N, Z)``, on the CPU."""
    count = min(_COUNT, math.ceil(_MOST_NUMBERS / math.prod(law.shape)))
    noise = law.draw(torch.arange(count, device=device), derive_key(0, "closeness"))
    return noise.flatten(1).double().cpu()
