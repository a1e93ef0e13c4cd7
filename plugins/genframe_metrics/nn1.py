"""The error of a 1-nearest-neighbour classifier that has seen generated samples only.

It is small only where samples are sharp, belong to their class and cover its variety. Trained on real samples, the same
classifier gives the floor.
"""

from __future__ import annotations

from genframe.analysis.intervals import wilson
from genframe.analysis.labelled import check_positive, label_name, wrong_by_nearest
from genframe.interfaces import Measurement, RunView
from genframe_metrics.settings import NeighbourSettings


class NeighbourError:
    """A fraction of the held-out samples; raw pixels 0 to 255, Euclidean."""

    def __init__(self, settings: NeighbourSettings) -> None:
        check_positive("nn1", count=settings.count)
        self._count = settings.count

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run does not generate pictures from one class.
            DataError: the run's data is not there.
        """
        label = label_name(view.trained.problem, "nn1")
        wrong = wrong_by_nearest(view, self._count, label)
        return Measurement(
            value=float(wrong.double().mean()),
            interval=wilson(int(wrong.sum()), len(wrong)),
            protocol={
                "samples": self._count,
                "queries": len(wrong),
                "interval": "Wilson 95% of the queries",
                "reference": "generated",
                "pixels": "uint8",
                "seed": view.seed,
                "batch_norm": "running",
            },
        )
