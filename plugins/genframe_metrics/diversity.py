"""How different two samples are, in proportion to two real pictures: 1 is as diverse, 0 is the same again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from genframe.analysis.fields import first_of
from genframe.analysis.intervals import bootstrap
from genframe.analysis.labelled import check_positive, pixels
from genframe.errors import DataError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.raw import real_pixels
from genframe_metrics.settings import DiversitySettings


class Diversity:
    """The mean distance of pairs of samples over that of pairs of held-out pictures; of one class where there are any.

    Each picture is in one pair: the first of its class with the second, the third with the fourth, and so on.
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
        pieces = [(pixels(piece), [piece.condition[name] for name in names]) for piece in view.stream(self._count)]
        labels = [torch.cat([given[place] for _, given in pieces]) for place in range(len(names))]
        generated = _pair_distances(torch.cat([each for each, _ in pieces]), labels)
        real = _pair_distances(heldout, [first_of(data, name, len(data)) for name in names])
        if not len(generated) or not len(real):
            raise DataError(
                "the metric 'diversity' compares two pictures of a class, and no class has two: ask for more"
            )

        def ratio(places: Tensor) -> float:
            """Both sides are resampled, by the same random numbers."""
            return float(generated[places % len(generated)].mean() / real[places % len(real)].mean())

        return Measurement(
            value=float(generated.mean() / real.mean()),
            interval=bootstrap(ratio, max(len(generated), len(real)), "diversity"),
            protocol={
                "samples": self._count,
                "pairs": len(generated),
                "real_pairs": len(real),
                "of": "one class" if names else "all",
                "distance": "Euclidean, raw pixels 0 to 255",
                "interval": "bootstrap 95% of the pairs, 1,000 resamples",
                "seed": view.seed,
            },
        )


def _pair_distances(pixels_ND: Tensor, labels: Sequence[Tensor]) -> Tensor:
    """The distance of each pair, ``float64 (P,)``."""
    distances = []
    for members in _groups(len(pixels_ND), labels):
        group = pixels_ND[members].double()
        even = len(group) // 2 * 2
        distances.append((group[0:even:2] - group[1:even:2]).norm(dim=1))
    return torch.cat(distances) if distances else torch.empty(0, dtype=torch.float64)


def _groups(count: int, labels: Sequence[Tensor]) -> Iterable[Tensor]:
    """The places of the pictures that have all labels in common."""
    if not labels:
        return [torch.arange(count)]
    group = torch.zeros(count, dtype=torch.int64)
    for label in labels:
        group = group * (int(label.max()) + 1) + label
    return [(group == number).nonzero()[:, 0] for number in sorted(set(group.tolist()))]
