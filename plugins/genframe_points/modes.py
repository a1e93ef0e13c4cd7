"""Which modes of the data are covered, and how many samples are near one.

As Srivastava et al., "VEEGAN" (2017), count them: a sample is of high quality within three deviations of the nearest
mode, and a mode is covered that is the nearest one of such a sample. A mode's centre and deviation are those of the
held-out points of its class, so that any labelled points will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.analysis.fields import first_of, label_name
from genframe.analysis.intervals import wilson
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Measurement, RunView
from genframe_points import ModeSettings
from genframe_points.plane import check_points, generated_points, heldout_points


class Modes:
    """The share of modes that are covered."""

    def __init__(self, settings: ModeSettings) -> None:
        _check("modes", settings)
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run makes no points, or its data names no modes.
            DataError: the run's data is not there, or a point is not finite.
        """
        counted = _counted(view, "modes", self._settings)
        covered = int((counted.hits > 0).sum())
        return Measurement(
            value=covered / len(counted.hits),
            protocol={
                "modes": len(counted.hits),
                "covered": covered,
                "high_quality": int(counted.hits.sum()) / self._settings.count,
                **_protocol(view, self._settings),
            },
        )


class HighQuality:
    """The share of points that are near a mode."""

    def __init__(self, settings: ModeSettings) -> None:
        _check("high-quality", settings)
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure; its protocol says what the held-out points themselves reach.

        Raises:
            ConfigError: the run makes no points, or its data names no modes.
            DataError: the run's data is not there, or a point is not finite.
        """
        counted = _counted(view, "high-quality", self._settings)
        near = int(counted.hits.sum())
        return Measurement(
            value=near / self._settings.count,
            interval=wilson(near, self._settings.count),
            protocol={
                "heldout_high_quality": counted.heldout_share,
                "interval": "Wilson 95% of the points",
                **_protocol(view, self._settings),
            },
        )


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """What was found.

    Attributes:
        hits: of high quality at each mode, ``int64 (K,)``.
        heldout_share: of the held-out points, those of high quality.
    """

    hits: Tensor
    heldout_share: float


def _check(metric: str, settings: ModeSettings) -> None:
    if settings.count < 1 or not 0 < settings.deviations < float("inf"):
        raise ConfigError(
            f"the metric '{metric}' got count = {settings.count} and deviations = {settings.deviations}; at least one "
            "point is needed, and a number of deviations above 0"
        )


def _protocol(view: RunView, settings: ModeSettings) -> dict[str, int | float]:
    return {"samples": settings.count, "deviations": settings.deviations, "seed": view.seed}


def _counted(view: RunView, metric: str, settings: ModeSettings) -> _Counted:
    check_points(view, f"the metric '{metric}'")
    data = view.dataset().split("heldout")
    label = label_name(data, {"class"})
    if not label:
        raise ConfigError(
            f"the metric '{metric}' counts modes, and this run's data has no class that names them: leave it out"
        )
    real, classes = heldout_points(view), first_of(data, label, len(data))
    modes = _Located.of(real, classes, data.fields[label].width, metric)
    return _Counted(
        hits=modes.hits(generated_points(view, settings.count), settings.deviations),
        heldout_share=int(modes.hits(real, settings.deviations).sum()) / len(real),
    )


@dataclass(frozen=True, kw_only=True)
class _Located:
    """Where modes are.

    Attributes:
        centres: ``float64 (K, D)``.
        deviations: of each coordinate about them, ``float64 (K,)``.
    """

    centres: Tensor
    deviations: Tensor

    @classmethod
    def of(cls, points: Tensor, classes: Tensor, count: int, metric: str) -> _Located:
        """From points ``(N, D)`` of these classes ``int64 (N,)``, of which there are `count`."""
        groups = [points[classes == number].double() for number in range(count)]
        if any(len(group.unique(dim=0)) < 2 for group in groups):  # type: ignore[no-untyped-call]
            raise DataError(
                f"the metric '{metric}' takes a mode's deviation from its held-out points, and a mode has not two: "
                "add some"
            )
        return cls(
            centres=torch.stack([group.mean(0) for group in groups]),
            deviations=torch.stack([group.var(0).mean().sqrt() for group in groups]),
        )

    def hits(self, points: Tensor, deviations: float) -> Tensor:
        """How many points of high quality are nearest to each mode, in its deviations: ``int64 (K,)``."""
        distances_NK = torch.cdist(points.double(), self.centres) / self.deviations
        distances_N, nearest_N = distances_NK.min(1)
        return torch.bincount(nearest_N[distances_N <= deviations], minlength=len(self.centres))
