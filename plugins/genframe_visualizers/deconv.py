"""What excites a map of a layer: Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014).

In a network that halves by strides there are no switches: what is projected back then depends on the picture by the
size of the answer alone, and all projections of a map look alike. Guided backpropagation was made for such networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.interfaces import Picture, RunView
from genframe.pictures import Row, sheet
from genframe_visualizers import DeconvSettings
from genframe_visualizers.grids import check_pixels, check_positive
from genframe_visualizers.layers import network_of
from genframe_visualizers.responses import Layer, windows
from genframe_visualizers.shown import shown


class Deconv:
    """Two rows a map: the patches of the pictures that excite it most, and what of them does."""

    def __init__(self, settings: DeconvSettings) -> None:
        check_positive("deconv", count=settings.count, examples=settings.examples, searched=settings.searched)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet. Each projection has a scale of its own, with zero in mid-grey.

        Raises:
            ConfigError: the network reads no pictures, or there is no such layer or map.
            DataError: real pictures are wanted and the run's data is not there.
        """
        settings = self._settings
        layer = looked_at(view, "deconv", settings.network, settings.layer, settings.images, settings.searched)
        rows: list[Row] = []
        for number in layer.maps(settings.maps, settings.count):
            places = layer.top(number, settings.examples)
            corners = windows(layer.projected(number, places, "gradient"))
            rows += [
                Row(label=f"map {number}", images=cut(layer.pictures(places), corners)),
                Row(label="projected", images=cut(centred(layer.projected(number, places, "deconvnet")), corners)),
            ]
        total = layer.strongest.shape[1]
        title = (
            f"{view.title}: {settings.network}.{layer.name}, {len(rows) // 2} of {total} maps; above the parts of "
            f"{settings.images} pictures that excite each most, of {len(layer.images)}; below, projected back "
            "through the network (deconvnet)"
        )
        return sheet(rows, title=title)


def looked_at(view: RunView, visualizer: str, role: str, layer: str, kind: str, count: int) -> Layer:
    """The layer of that network, which has seen `count` pictures.

    Raises:
        ConfigError: the network reads no pictures, or there is no such layer.
        DataError: real pictures are wanted and the run's data is not there.
    """
    check_pixels(view.trained.problem, visualizer)
    network = network_of(view, role)
    if network is view.trained.generator or role == "decoder":
        raise ConfigError(
            f"the visualizer '{visualizer}' looks into a network that reads pictures, and '{role}' makes them: choose "
            f"another --network"
        )
    images, condition = shown(view, kind, count, visualizer)
    return Layer.look(network, role, layer, images, condition)


def centred(signals_NCHW: Tensor) -> Tensor:
    """To [-1, 1], each by its largest absolute number, zero in the middle."""
    return signals_NCHW / signals_NCHW.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)


def cut(pictures: Tensor, corners: list[tuple[slice, slice]]) -> Tensor:
    """The part of each picture ``(N, C, H, W)`` at these rows and columns."""
    return torch.stack([each[:, rows, columns] for each, (rows, columns) in zip(pictures, corners, strict=True)])
