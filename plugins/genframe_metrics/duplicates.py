"""How many samples are copies of training pictures, by the measure of pictures that are none.

Held-out pictures are new by construction, and some of them lie near a training picture all the same. A sample counts as
a duplicate that lies nearer to the training part than all but a small share of the held-out pictures do.
"""

from __future__ import annotations

import torch

from genframe.analysis.intervals import wilson
from genframe.analysis.labelled import check_positive, pixels
from genframe.analysis.neighbours import nearest_neighbours
from genframe.errors import ConfigError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.raw import real_pixels
from genframe_metrics.settings import DuplicateSettings


class Duplicates:
    """A fraction of the samples; `share` is what new pictures have."""

    def __init__(self, settings: DuplicateSettings) -> None:
        check_positive("duplicates", count=settings.count)
        if not 0 < settings.share < 1:
            raise ConfigError(f"the metric 'duplicates' got share = {settings.share}; it lies between 0 and 1")
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run makes no pictures.
            DataError: the run's data is not there, or a sample is not finite.
        """
        known = real_pixels(view, "duplicates", "train")
        heldout = real_pixels(view, "duplicates", "heldout")
        samples = torch.cat([pixels(piece) for piece in view.stream(self._settings.count)])
        own, _ = nearest_neighbours(heldout, known)
        found, _ = nearest_neighbours(samples, known)
        threshold = torch.quantile(own.double(), self._settings.share)
        copies = int((found.double() < threshold).sum())
        return Measurement(
            value=copies / len(found),
            interval=wilson(copies, len(found)),
            protocol={
                "samples": len(found),
                "training": len(known),
                "heldout": len(heldout),
                "threshold": float(threshold),
                "exact_copies": int((found == 0).sum()),
                "of_new_pictures": self._settings.share,
                "interval": "Wilson 95% of the samples",
                "distance": "Euclidean, raw pixels 0 to 255",
                "seed": view.seed,
            },
        )
