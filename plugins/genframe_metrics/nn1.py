"""The error of a 1-nearest-neighbour classifier that has seen generated samples only.

It is small only where samples are sharp, belong to their class and cover its variety. Trained on real samples, the same
classifier gives the floor.
"""

from __future__ import annotations

from genframe.analysis.neighbours import nearest_neighbours
from genframe.interfaces import Measurement, RunView
from genframe_metrics import NeighbourSettings
from genframe_metrics.labelled import check_positive, generated, label_name, real


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
        queries, truth = real(view.dataset().split("heldout"), view, label)
        reference, labels = generated(view, self._count, label)
        _, nearest = nearest_neighbours(queries, reference)
        return Measurement(
            value=float((labels[nearest] != truth).double().mean()),
            protocol={
                "samples": self._count,
                "queries": len(queries),
                "reference": "generated",
                "pixels": "uint8",
                "seed": view.seed,
                "batch_norm": "running",
            },
        )
