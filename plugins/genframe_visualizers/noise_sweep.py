"""What single numbers of z do: each row varies one and keeps the others."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genframe.analysis.latent import check_latent, rendered, repeated, samples_at
from genframe.analysis.placing import device_of
from genframe.errors import ConfigError
from genframe.interfaces import Condition, NoiseSampler, Picture, RunView
from genframe.pictures import Row, sheet
from genframe.randomness import derive_key
from genframe_visualizers.grids import check_positive
from genframe_visualizers.settings import NoiseSweepSettings

#: So many numbers of the law tell how far it reaches.
_NUMBERS = 2**17


class NoiseSweep:
    """A row a coordinate, from its lowest value at the left to its highest."""

    def __init__(self, settings: NoiseSweepSettings) -> None:
        check_positive("noise-sweep", rows=settings.rows)
        if settings.steps < 2 or settings.sample < 0:
            raise ConfigError(
                f"the visualizer 'noise-sweep' got steps = {settings.steps} and sample = {settings.sample}; it needs "
                "2 steps at least, and the index of a sample, from 0 on"
            )
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet; columns are labelled with the value, rows with the mean change of a pixel from end to end.

        Raises:
            ConfigError: the run generates without noise or no single pictures, or z has no such coordinate.
        """
        check_latent(view, "the visualizer 'noise-sweep'")
        law, settings = view.trained.noise, self._settings
        assert law is not None  # check_latent
        ends = reach(law, device_of(view.trained.networks))
        noise, condition = samples_at(view, [settings.sample])
        size = noise[0].numel()
        wrong = [place for place in settings.coordinates if not 0 <= place < size]
        if wrong:
            raise ConfigError(
                f"the visualizer 'noise-sweep' got coordinate {wrong[0]}; a z of this run has the coordinates 0 to "
                f"{size - 1}"
            )
        places = torch.tensor(settings.coordinates or range(size))
        changes = _changes(view, noise, condition, places, ends)
        if not settings.coordinates:
            order = changes.argsort(descending=True, stable=True)[: settings.rows]
            places, changes = places[order], changes[order]
        values = torch.linspace(*ends, settings.steps)
        every = rendered(view, _varied(noise, places, values), repeated(condition, len(places) * len(values)))
        strips = torch.split(every, len(values))
        rows = [
            Row(label=f"z[{place}]  {change:.1f}", images=strip)
            for place, change, strip in zip(places.tolist(), changes.tolist(), strips, strict=True)
        ]
        return sheet(
            rows,
            title=f"{view.title}: sample {settings.sample}, {self._which(len(places), size)}, varied one at a "
            "time; beside each how much a pixel changes in the mean from end to end, of 255",
            column_labels=[f"{value:.3g}" for value in values.tolist()],
            smooth=settings.smooth,
        )

    def _which(self, count: int, size: int) -> str:
        named = bool(self._settings.coordinates)
        return f"{count} of {size} numbers of z" if named else f"the {count} of {size} numbers of z that change it most"


def reach(law: NoiseSampler, device: torch.device) -> tuple[float, float]:
    """Between which values a number of z usually is: two deviations to either side of the mean, as far as it gets.

    For the uniform law on [-1, 1) that is -1 to 1 (two deviations would be 1.15), for a normal one -2 to 2.
    """
    count = math.ceil(_NUMBERS / math.prod(law.shape))
    values = law.draw(torch.arange(count, device=device), derive_key(0, "reach of a law")).double()
    middle, width = float(values.mean()), 2.0 * float(values.std(correction=0))
    low, high = max(middle - width, float(values.min())), min(middle + width, float(values.max()))
    return float(f"{low:.2g}"), float(f"{high:.2g}")  # -2 rather than -1.994: round numbers are read sooner


def _varied(noise: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """``(P * S, *Z)``: z ``(1, *Z)`` with each of the values at each of the places."""
    flat_PSZ = noise.flatten().repeat(len(places), len(values), 1)
    flat_PSZ[torch.arange(len(places)), :, places] = values
    return flat_PSZ.view(-1, *noise.shape[1:])


def _changes(view: RunView, noise: Tensor, condition: Condition, places: Tensor, ends: tuple[float, float]) -> Tensor:
    """How much a pixel changes in the mean from one end of each coordinate to the other, ``(P,)`` of 255."""
    both = rendered(view, _varied(noise, places, torch.tensor(ends)), repeated(condition, 2 * len(places)))
    low, high = both[0::2], both[1::2]
    return (high - low).abs().flatten(1).double().mean(1) * 127.5
