"""How far apart real and generated pictures are, as two normal laws in the features of a classifier.

The formula is that of the Fréchet inception distance (Heusel et al., "GANs trained by a two time-scale update rule
converge to a local Nash equilibrium", 2017; Dowson and Landau, 1982), the features are others: figures compare with
each other on the same data and counts, and with no published FID.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.analysis.intervals import Interval
from genframe.interfaces import Measurement, RunView
from genframe.randomness import derive_key, seeded_generator
from genframe_metrics.features import check_counts, compared, spread
from genframe_metrics.settings import ComparisonSettings

#: A covariance needs two samples.
_FEWEST = 2

#: The deviation of so many is known to a tenth.
_RESAMPLES = 50


class FrechetDistance:
    """Of features of generated pictures and of real held-out ones; at least 0, and larger the fewer there are."""

    def __init__(self, settings: ComparisonSettings) -> None:
        check_counts("fd-classifier", _FEWEST, count=settings.count, reference=settings.reference)
        self._counts = {"count": settings.count, "reference": settings.reference}

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run makes no pictures, or its data has no labels.
            DataError: see `genframe_metrics.features.compared`.
        """
        sides = compared(view, "fd-classifier", _FEWEST, **self._counts)
        value = frechet_distance(sides.real, sides.generated)
        return Measurement(
            value=value,
            interval=_interval(value, sides.real, sides.generated),
            protocol={
                **sides.protocol,
                "interval": f"95%, 1.96 deviations of {_RESAMPLES} bootstrap resamples; the bias of few samples stays",
            },
        )


def frechet_distance(real_NF: Tensor, generated_MF: Tensor) -> float:
    """``|m - n|**2 + tr(C + D - 2 (C D)**0.5)`` of means m, n and covariances C, D of two samples, each of two or more.

    The trace of the root is the sum of the roots of the eigenvalues of ``C**0.5 D C**0.5``, which is symmetric and has
    none below zero: unlike a matrix's root, this is exact where features are dead or fewer samples than features.
    """
    cov_FF, other_cov_FF = _covariance(real_NF), _covariance(generated_MF)
    values_F, vectors_FF = torch.linalg.eigh(cov_FF)
    root_FF = (vectors_FF * values_F.clamp(min=0.0).sqrt()) @ vectors_FF.T
    shared_F = torch.linalg.eigvalsh(root_FF @ other_cov_FF @ root_FF).clamp(min=0.0).sqrt()
    between = (real_NF.mean(0) - generated_MF.mean(0)).square().sum()
    return max(float(between + cov_FF.trace() + other_cov_FF.trace() - 2.0 * shared_F.sum()), 0.0)


def _covariance(samples_NF: Tensor) -> Tensor:
    centred_NF = samples_NF - samples_NF.mean(0)
    return centred_NF.T @ centred_NF / (len(samples_NF) - 1)


def _interval(value: float, real_NF: Tensor, generated_MF: Tensor) -> Interval:
    rng = seeded_generator(derive_key(0, "bootstrap fd-classifier"))

    def resample(samples_NF: Tensor) -> Tensor:
        return samples_NF[torch.randint(len(samples_NF), (len(samples_NF),), generator=rng)]

    values = [frechet_distance(resample(real_NF), resample(generated_MF)) for _ in range(_RESAMPLES)]
    low, high = spread(value, torch.tensor(values, dtype=torch.float64))
    return max(low, 0.0), high
