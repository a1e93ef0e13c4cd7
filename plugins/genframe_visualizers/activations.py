"""What a layer makes of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe.analysis.placing import device_of
from genframe.interfaces import Picture, RunView
from genframe.pictures import Row, mosaic, sheet
from genframe_visualizers import ActivationsSettings
from genframe_visualizers.grids import check_pixels, check_positive, tiles
from genframe_visualizers.layers import chosen, network_of, watched
from genframe_visualizers.shown import class_names, shown

_SIDE = 20  # pixels of a channel, at least


class Activations:
    """A row a picture: the picture, and a mosaic of the layer's channels."""

    def __init__(self, settings: ActivationsSettings) -> None:
        check_positive("activations", count=settings.count, channels=settings.channels)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet. All channels of a row have one scale, from the lowest to the highest value in it.

        Raises:
            ConfigError: there is no such network or layer, or the run makes no pictures.
            DataError: real pictures are wanted and the run's data is not there.
        """
        check_pixels(view.trained.problem, "activations")
        role, count = self._settings.network, self._settings.count
        network = network_of(view, role)
        with torch.inference_mode():
            if network is view.trained.generator:
                kind = "generated"
                outputs, (images, condition) = watched(network, lambda: shown(view, "generated", count, "activations"))
            else:
                kind = self._settings.images
                images, condition = shown(view, kind, count, "activations")
                device = device_of({role: network})
                placed = {name: values.to(device) for name, values in condition.items()}
                outputs, _ = watched(network, lambda: network(images.to(device), placed))
        picture_channels = images.shape[-3]
        maps = {n: values for n, values in outputs.items() if values.ndim == 4 and values.shape[1] > picture_channels}
        name, values_BCHW = chosen(maps, self._settings.layer, role, default=-1)
        heading = f"{view.title}: {role}.{name} on {kind} pictures"
        return self._sheet(heading, class_names(view, condition, len(images)), images, values_BCHW[: len(images)])

    def _sheet(self, heading: str, labels: list[str], images: Tensor, values_BCHW: Tensor) -> Picture:
        channels_BCHW = values_BCHW[:, : self._settings.channels].float().cpu()
        mosaics = torch.stack([mosaic(_scaled(each_CHW)[:, None], side=_SIDE) for each_CHW in channels_BCHW])
        pictures = tiles(images).float().cpu()
        side = max(*mosaics.shape[2:], *pictures.shape[2:])
        rows = [
            Row(label=label, images=torch.stack([_square(each, side, len(picture)) for each in (picture, channel_map)]))
            for label, picture, channel_map in zip(labels, pictures, mosaics, strict=True)
        ]
        total, (height, width) = values_BCHW.shape[1], values_BCHW.shape[2:]
        title = (
            f"{heading}, {channels_BCHW.shape[1]} of {total} channels of {height}x{width}, "
            "each row from its lowest value (black) to its highest (white)"
        )
        return sheet(rows, title=title)


def _square(image: Tensor, side: int, channels: int) -> Tensor:
    """The picture ``(C, H, W)`` enlarged by whole pixels, with white at the right and below up to a square."""
    factor = max(side // max(image.shape[1:]), 1)
    enlarged = image.expand(channels, -1, -1).repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return nn.functional.pad(enlarged, (0, side - enlarged.shape[2], 0, side - enlarged.shape[1]), value=1.0)


def _scaled(values: Tensor) -> Tensor:
    """To [-1, 1], the lowest and the highest."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low).clamp(min=1e-12) * 2.0 - 1.0
