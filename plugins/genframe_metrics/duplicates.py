"""How many samples are copies of training pictures, by the measure of pictures that are none.

Held-out pictures are new by construction, and some of them lie near a training picture all the same. A sample counts as
a duplicate that lies as near to the training part as the nearest few of the held-out pictures do.
"""

from __future__ import annotations

import torch

from genframe.analysis.fields import in_batches
from genframe.analysis.intervals import wilson
from genframe.analysis.labelled import check_positive, pixels
from genframe.analysis.neighbours import nearest_neighbours
from genframe.errors import ConfigError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.raw import real_part, some_pixels
from genframe_metrics.settings import DuplicateSettings


class Duplicates:
    """A fraction of the samples; `share` is what new pictures have."""

    def __init__(self, settings: DuplicateSettings) -> None:
        check_positive("duplicates", count=settings.count, reference=settings.reference)
        if not 0 < settings.share < 1:
            raise ConfigError(f"the metric 'duplicates' got share = {settings.share}; it lies between 0 and 1")
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure; the training part streams by.

        Raises:
            ConfigError: the run makes no pictures.
            DataError: the run's data is not there, or a sample is not finite.
        """
        train, image = real_part(view, "duplicates", "train")
        heldout = some_pixels(view, "duplicates", "heldout", self._settings.reference)
        samples = torch.cat([pixels(piece) for piece in view.stream(self._settings.count)])
        known = (batch[image].flatten(1) for batch in in_batches(train, len(train)))
        distances, _ = nearest_neighbours(torch.cat([heldout, samples]), known)
        own, found = torch.split(distances.double(), [len(heldout), len(samples)])
        threshold = torch.quantile(own, self._settings.share)
        copies = int((found <= threshold).sum())  # equal ones too: where parts share pictures, the threshold is 0
        return Measurement(
            value=copies / len(found),
            interval=wilson(copies, len(found)),
            protocol={
                "samples": len(found),
                "training": len(train),
                "heldout": len(heldout),
                "threshold": float(threshold),
                "exact_copies": int((found == 0).sum()),
                "of_new_pictures": float((own <= threshold).double().mean()),
                "interval": "Wilson 95% of the samples",
                "distance": "Euclidean, raw pixels 0 to 255",
                "seed": view.seed,
            },
        )
