"""Whether generated pictures lie among real ones, and real ones among generated ones.

A set of samples stands for the union of balls around its members, each of which reaches to the member's k-th nearest
neighbour. Precision and recall: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
models", 2019. Density and coverage: Naeem et al., "Reliable fidelity and diversity metrics for generative models",
2020. Balls are closed, as in the former, so that a copy of a sample lies in its ball even where that has no size. Both
sides have equally many samples, as in both papers: balls are the smaller the more there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.analysis.intervals import bootstrap_mean, wilson
from genframe.analysis.labelled import check_positive
from genframe.interfaces import Measurement, RunView
from genframe_metrics.features import Compared, check_counts, compared
from genframe_metrics.settings import CoverageSettings, ManifoldSettings

#: So many rows of distances are in memory at once.
_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class Manifold:
    """The balls around reference samples, and queries that lie in them.

    Attributes:
        balls: how many balls each query lies in, ``int64 (Q,)``.
        reached: whether the ball of each reference holds any query, ``bool (N,)``.
    """

    balls: Tensor
    reached: Tensor

    @classmethod
    def of(cls, reference_NF: Tensor, queries_QF: Tensor, k: int) -> Manifold:
        """Looked up in both directions at once.

        Args:
            reference_NF: ``float64``, more than `k`.
            queries_QF: ``float64``.
            k: which neighbour a ball reaches to, not counting the member itself.
        """
        balls_Q, reached_N = torch.zeros(len(queries_QF), dtype=torch.int64), []
        for members_nF in torch.split(reference_NF, _ROWS):
            radius_n = _distances(members_nF, reference_NF).kthvalue(k + 1, dim=1).values  # the nearest is itself
            inside_nQ = _distances(members_nF, queries_QF) <= radius_n[:, None]
            balls_Q += inside_nQ.sum(0)
            reached_N.append(inside_nQ.any(1))
        return cls(balls=balls_Q, reached=torch.cat(reached_N))


def _distances(left_NF: Tensor, right_MF: Tensor) -> Tensor:
    """``(N, M)``, Euclidean; by differences, because those of products are not 0 between equal samples."""
    return torch.cdist(left_NF, right_MF, compute_mode="donot_use_mm_for_euclid_dist")


class _Neighbourhoods:
    """What the four figures share."""

    def __init__(self, settings: ManifoldSettings | CoverageSettings, name: str) -> None:
        check_positive(name, k=settings.k)
        check_counts(name, settings.k + 1, count=settings.count)
        self._name, self._count, self._k = name, settings.count, settings.k

    def _compared(self, view: RunView) -> Compared:
        return compared(view, self._name, self._k + 1, count=self._count)

    def _share(self, inside: Tensor, sides: Compared, of: str) -> Measurement:
        return Measurement(
            value=float(inside.double().mean()),
            interval=wilson(int(inside.sum()), len(inside)),
            protocol={**sides.protocol, "k": self._k, "interval": f"Wilson 95% of the {of} pictures"},
        )


class Precision(_Neighbourhoods):
    """The share of generated pictures that lie in a ball around a real one."""

    def __init__(self, settings: ManifoldSettings) -> None:
        super().__init__(settings, "precision")

    def measure(self, view: RunView) -> Measurement:
        """The figure; raises what `genframe_metrics.features.compared` does."""
        sides = self._compared(view)
        return self._share(Manifold.of(sides.real, sides.generated, self._k).balls > 0, sides, "generated")


class Recall(_Neighbourhoods):
    """The share of real pictures that lie in a ball around a generated one."""

    def __init__(self, settings: ManifoldSettings) -> None:
        super().__init__(settings, "recall")

    def measure(self, view: RunView) -> Measurement:
        """The figure; raises what `genframe_metrics.features.compared` does."""
        sides = self._compared(view)
        return self._share(Manifold.of(sides.generated, sides.real, self._k).balls > 0, sides, "real")


class Density(_Neighbourhoods):
    """In how many balls around real pictures a generated one lies, in parts of k; about 1 for samples of one law."""

    def __init__(self, settings: CoverageSettings) -> None:
        super().__init__(settings, "density")

    def measure(self, view: RunView) -> Measurement:
        """The figure; raises what `genframe_metrics.features.compared` does."""
        sides = self._compared(view)
        parts = Manifold.of(sides.real, sides.generated, self._k).balls.double() / self._k
        return Measurement(
            value=float(parts.mean()),
            interval=bootstrap_mean(parts, "density"),
            protocol={
                **sides.protocol,
                "k": self._k,
                "interval": "bootstrap 95%, 1,000 resamples of the generated pictures",
            },
        )


class Coverage(_Neighbourhoods):
    """The share of real pictures whose ball holds a generated one."""

    def __init__(self, settings: CoverageSettings) -> None:
        super().__init__(settings, "coverage")

    def measure(self, view: RunView) -> Measurement:
        """The figure; raises what `genframe_metrics.features.compared` does."""
        sides = self._compared(view)
        return self._share(Manifold.of(sides.real, sides.generated, self._k).reached, sides, "real")
