"""How far apart real and generated pictures are by a kernel in the features of a classifier.

The squared maximum mean discrepancy with the cubic kernel ``(x.y / F + 1)**3``, as the kernel inception distance has it
(Bińkowski et al., "Demystifying MMD GANs", 2018), in other features. The estimate is unbiased, so that it is about 0
for samples of one law however few there are, and now and then below. All samples are taken at once and not the mean of
subsets, which is the same in expectation and varies more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.interfaces import Measurement, RunView
from genframe.randomness import derive_key, seeded_generator
from genframe_metrics.features import check_counts, compared, spread
from genframe_metrics.settings import ComparisonSettings

#: The mean over pairs needs one.
_FEWEST = 2

_RESAMPLES = 100

#: So many rows of a kernel matrix are in memory at once.
_ROWS = 1024


class KernelDistance:
    """Of features of generated pictures and of real held-out ones."""

    def __init__(self, settings: ComparisonSettings) -> None:
        check_counts("mmd-classifier", _FEWEST, count=settings.count, reference=settings.reference)
        self._counts = {"count": settings.count, "reference": settings.reference}

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run makes no pictures, or its data has no labels.
            DataError: see `genframe_metrics.features.compared`.
        """
        sides = compared(view, "mmd-classifier", _FEWEST, **self._counts)
        rng = seeded_generator(derive_key(0, "bootstrap mmd-classifier"))
        real_RN, generated_RM = (_resamples(len(side), rng) for side in (sides.real, sides.generated))
        values_R = squared_mmd(sides.real, sides.generated, real_RN, generated_RM)
        value = float(values_R[0])
        return Measurement(
            value=value,
            interval=spread(value, values_R[1:]),
            protocol={
                **sides.protocol,
                "kernel": "(x.y / F + 1)**3, unbiased, all samples at once",
                "interval": f"95%, 1.96 deviations of {_RESAMPLES} bootstrap resamples",
            },
        )


def squared_mmd(real_NF: Tensor, generated_MF: Tensor, real_RN: Tensor, generated_RM: Tensor) -> Tensor:
    """The unbiased estimate of Gretton et al. ("A kernel two-sample test", 2012, lemma 6), for R weightings.

    Args:
        real_NF: ``float64``, two samples or more.
        generated_MF: likewise.
        real_RN: how often each real sample counts; a row of ones is the estimate itself. Rows sum to N.
        generated_RM: how often each generated one does; rows sum to M.

    Returns:
        ``float64 (R,)``.
    """
    count, other_count = len(real_NF), len(generated_MF)
    within = _pairs(real_NF, real_NF, real_RN, real_RN, itself=False) / (count * (count - 1))
    others = _pairs(generated_MF, generated_MF, generated_RM, generated_RM, itself=False)
    between = _pairs(real_NF, generated_MF, real_RN, generated_RM) / (count * other_count)
    return within + others / (other_count * (other_count - 1)) - 2.0 * between


def _pairs(left_NF: Tensor, right_MF: Tensor, left_RN: Tensor, right_RM: Tensor, *, itself: bool = True) -> Tensor:
    """``(R,)``: the weighted sum of the kernel of all pairs, without those of a sample and itself unless wanted."""
    total_R = left_RN.new_zeros(len(left_RN))
    for first in range(0, len(left_NF), _ROWS):
        rows = slice(first, first + _ROWS)
        kernel_nM = (left_NF[rows] @ right_MF.T / left_NF.shape[1] + 1.0) ** 3
        if not itself:
            kernel_nM.diagonal(offset=first).zero_()
        total_R += ((left_RN[:, rows] @ kernel_nM) * right_RM).sum(1)
    return total_R


def _resamples(count: int, rng: torch.Generator) -> Tensor:
    """``float64 (1 + resamples, count)``: all ones, then how often a resample has each sample."""
    drawn_RN = torch.randint(count, (_RESAMPLES, count), generator=rng)
    counts_RN = torch.zeros(_RESAMPLES, count, dtype=torch.float64)
    counts_RN.scatter_add_(1, drawn_RN, torch.ones_like(counts_RN))
    return torch.cat([torch.ones(1, count, dtype=torch.float64), counts_RN])
