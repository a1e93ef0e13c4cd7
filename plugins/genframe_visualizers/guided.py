"""The filters of a trained critic beside an untrained one's, by guided backpropagation, as the DCGAN paper shows them.

Radford et al. (2016, figure 5); Springenberg et al., "Striving for simplicity" (2015).
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from genframe.interfaces import Picture, RunView
from genframe.pictures import Row, sheet
from genframe.randomness import derive_key
from genframe_visualizers import GuidedSettings
from genframe_visualizers.deconv import centred, cut, looked_at
from genframe_visualizers.grids import check_positive
from genframe_visualizers.responses import Layer, windows


class Guided:
    """Rows of the trained network's maps, then of the same network with weights that were never trained."""

    def __init__(self, settings: GuidedSettings) -> None:
        check_positive("guided", count=settings.count, examples=settings.examples, searched=settings.searched)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet. Each gradient has a scale of its own, with zero in mid-grey.

        Raises:
            ConfigError: the network reads no pictures, or there is no such layer or map.
            DataError: real pictures are wanted and the run's data is not there.
        """
        settings = self._settings
        trained = looked_at(view, "guided", settings.network, settings.layer, settings.images, settings.searched)
        other = untrained(trained.network, derive_key(view.seed, "untrained"))
        untrained_layer = Layer.look(other, settings.network, trained.name, trained.images.cpu(), trained.condition)
        rows = self._rows(trained, "trained") + self._rows(untrained_layer, "untrained")
        title = (
            f"{view.title}: {settings.network}.{trained.name}, the maps that answer most; above the parts of "
            f"{settings.images} pictures that excite each most, of {len(trained.images)}; below, what of them does "
            "(guided backpropagation)"
        )
        return sheet(rows, title=title)

    def _rows(self, layer: Layer, which: str) -> list[Row]:
        rows = []
        for number in layer.maps(self._settings.maps, self._settings.count):
            places = layer.top(number, self._settings.examples)
            corners = windows(layer.projected(number, places, "gradient"))
            rows += [
                Row(label=f"{which}, map {number}", images=cut(layer.pictures(places), corners)),
                Row(label="guided", images=cut(centred(layer.projected(number, places, "guided")), corners)),
            ]
        return rows


def untrained(network: nn.Module, seed: int) -> nn.Module:
    """A copy with weights by He et al. (2015), biases of 0, gains of 1 and norms that have seen nothing."""
    fresh = copy.deepcopy(network)
    rng = torch.Generator().manual_seed(seed)
    for module in fresh.modules():
        for name, parameter in module.named_parameters(recurse=False):
            values = torch.empty(parameter.shape)
            if values.dim() > 1:
                nn.init.kaiming_normal_(values, generator=rng)
            else:
                nn.init.constant_(values, 1.0 if name == "weight" else 0.0)
            parameter.data.copy_(values)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
    return fresh
