"""How different two samples are, in proportion to two real pictures: 1 is as diverse, 0 is the same again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genframe.analysis.fields import first_of
from genframe.analysis.intervals import bootstrap
from genframe.analysis.labelled import check_positive, pixels
from genframe.errors import DataError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.raw import random_order, real_pixels
from genframe_metrics.settings import DiversitySettings


class Diversity:
    """The mean distance of pairs of samples over that of pairs of held-out pictures; of one class where there are any.

    Each picture is in one pair, and the pairs are independent. Each class has as many pairs of samples as of held-out
    pictures, so that real data is at 1 whatever the sizes of its classes.
    """

    def __init__(self, settings: DiversitySettings) -> None:
        check_positive("diversity", count=settings.count)
        self._count = settings.count

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run makes no pictures.
            DataError: the run's data is not there, there are no two pictures of a class, or a sample is not finite.
        """
        condition = view.trained.problem.condition
        names = [name for name, field in condition.items() if field.kind == "class"]
        heldout = real_pixels(view, "diversity", "heldout", fewest=2)
        data = view.dataset().split("heldout")
        order = random_order(len(heldout), "diversity")
        pieces = [(pixels(piece), [piece.condition[name] for name in names]) for piece in view.stream(self._count)]
        labels = [torch.cat([given[place] for _, given in pieces]) for place in range(len(names))]
        generated_P, real_P = _matched_distances(
            _by_class(torch.cat([each for each, _ in pieces]), labels),
            _by_class(heldout[order], [first_of(data, name, len(data))[order] for name in names]),
        )
        if not len(real_P):
            raise DataError(
                "the metric 'diversity' compares two pictures of a class, and no class has two samples and two "
                "held-out pictures: ask for more"
            )
        if not real_P.any():
            raise DataError("the metric 'diversity' got held-out pictures that are all the same: take other data")

        def ratio(places: Tensor) -> float:
            return float(generated_P[places].mean() / real_P[places].mean())

        every = torch.arange(len(real_P))
        return Measurement(
            value=ratio(every),
            interval=bootstrap(ratio, len(every), "diversity"),
            protocol={
                "samples": self._count,
                "pairs": f"{len(every)} of samples and as many of held-out pictures, each picture in one pair",
                "of": "one class" if names else "all",
                "distance": "Euclidean, raw pixels 0 to 255",
                "interval": "bootstrap 95% of the pairs, 1,000 resamples",
                "seed": view.seed,
            },
        )


def _by_class(pixels_ND: Tensor, labels: Sequence[Tensor]) -> dict[tuple[int, ...], Tensor]:
    """The pictures that have all labels in common, by these labels."""
    keys_NL = torch.stack(list(labels), 1) if labels else torch.zeros(len(pixels_ND), 1, dtype=torch.int64)
    classes, places = torch.unique(keys_NL, dim=0, return_inverse=True)
    return {tuple(key): pixels_ND[places == place] for place, key in enumerate(classes.tolist())}


def _matched_distances(
    generated: Mapping[tuple[int, ...], Tensor], real: Mapping[tuple[int, ...], Tensor]
) -> tuple[Tensor, Tensor]:
    """The distances in pairs of samples and in pairs of real pictures, ``float64 (P,)`` each, class by class."""
    distances = torch.empty(2, 0, dtype=torch.float64)
    for key in sorted(generated.keys() & real.keys()):
        even = min(len(generated[key]), len(real[key])) // 2 * 2
        sides_SND = torch.stack([generated[key][:even], real[key][:even]]).double()
        distances = torch.cat([distances, (sides_SND[:, 0::2] - sides_SND[:, 1::2]).norm(dim=2)], 1)
    return distances[0], distances[1]
