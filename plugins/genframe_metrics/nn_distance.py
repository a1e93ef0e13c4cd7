"""How far real pictures are from the nearest generated one: "nnd" in the published code of the DCGAN paper.

Small where samples are sharp and cover the data's variety, whatever their labels say.
"""

from __future__ import annotations

from genframe.analysis.intervals import bootstrap_mean
from genframe.analysis.labelled import check_positive, pixels
from genframe.analysis.neighbours import nearest_neighbours
from genframe.interfaces import Measurement, RunView
from genframe_metrics.raw import real_pixels
from genframe_metrics.settings import NeighbourSettings


class NeighbourDistance:
    """The mean over held-out pictures of the Euclidean distance of raw pixels 0 to 255."""

    def __init__(self, settings: NeighbourSettings) -> None:
        check_positive("nn-distance", count=settings.count)
        self._count = settings.count

    def measure(self, view: RunView) -> Measurement:
        """The figure; samples stream by.

        Raises:
            ConfigError: the run makes no pictures.
            DataError: the run's data is not there, or a sample is not finite.
        """
        queries = real_pixels(view, "nn-distance", "heldout")
        distances, _ = nearest_neighbours(queries, (pixels(piece) for piece in view.stream(self._count)))
        return Measurement(
            value=float(distances.double().mean()),
            interval=bootstrap_mean(distances, "nn-distance"),
            protocol={
                "samples": self._count,
                "queries": len(queries),
                "interval": "bootstrap 95% of the queries, 1,000 resamples",
                "distance": "Euclidean, raw pixels 0 to 255",
                "seed": view.seed,
                "batch_norm": "running",
            },
        )
