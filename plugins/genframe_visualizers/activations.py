"""What a layer makes of a picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genframe.errors import DataError
from genframe.interfaces import Condition, Picture, RunView
from genframe.pictures import Row, mosaic, sheet
from genframe.shapes import PIXEL_KINDS
from genframe_visualizers import ActivationsSettings
from genframe_visualizers.grids import check_pixels, check_positive, first_class, tiles
from genframe_visualizers.layers import chosen, network_of

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
        role = self._settings.network
        network = network_of(view, role)
        with torch.inference_mode():
            if network is view.trained.generator:
                kind = "generated"
                outputs, (images, condition) = _watched(network, lambda: self._generated(view))
            else:
                kind = self._settings.images
                images, condition = self._pictures(view)
                device = next((p.device for p in network.parameters()), images.device)
                placed = {name: values.to(device) for name, values in condition.items()}
                outputs, _ = _watched(network, lambda: network(images.to(device), placed))
        picture_channels = images.shape[-3]
        maps = {n: values for n, values in outputs.items() if values.ndim == 4 and values.shape[1] > picture_channels}
        name, values_BCHW = chosen(maps, self._settings.layer, role, default=-1)
        heading = f"{view.title}: {role}.{name} on {kind} pictures"
        return self._sheet(heading, _labels(view, condition, len(images)), images, values_BCHW[: len(images)])

    def _sheet(self, heading: str, labels: list[str], images: Tensor, values_BCHW: Tensor) -> Picture:
        shown = values_BCHW[:, : self._settings.channels].float().cpu()
        mosaics = torch.stack([mosaic(_scaled(channels_CHW)[:, None], side=_SIDE) for channels_CHW in shown])
        pictures = tiles(images).float().cpu()
        side = max(*mosaics.shape[2:], *pictures.shape[2:])
        rows = [
            Row(label=label, images=torch.stack([_square(each, side, len(picture)) for each in (picture, channel_map)]))
            for label, picture, channel_map in zip(labels, pictures, mosaics, strict=True)
        ]
        total, (height, width) = values_BCHW.shape[1], values_BCHW.shape[2:]
        title = (
            f"{heading}, {shown.shape[1]} of {total} channels of {height}x{width}, "
            "each row from its lowest value (black) to its highest (white)"
        )
        return sheet(rows, title=title)

    def _pictures(self, view: RunView) -> tuple[Tensor, Condition]:
        return self._real(view) if self._settings.images == "real" else self._generated(view)

    def _generated(self, view: RunView) -> tuple[Tensor, Condition]:
        samples = view.samples(self._settings.count)
        return samples.output, samples.condition

    def _real(self, view: RunView) -> tuple[Tensor, Condition]:
        problem, dataset = view.trained.problem, view.dataset().split("heldout")
        names = [n for n, field in dataset.fields.items() if field == problem.output and n not in problem.condition]
        if not names or len(dataset) == 0 or not problem.condition.keys() <= dataset.fields.keys():
            raise DataError(
                "the visualizer 'activations' shows real held-out pictures, and the run's data has none that fit: "
                "take --set images=generated"
            )
        batch = dataset.read(range(min(self._settings.count, len(dataset))), epoch=0, seed=0)
        condition = {name: _signed(batch[name], field.kind) for name, field in problem.condition.items()}
        return _signed(batch[names[0]], problem.output.kind), condition


def _watched(network: nn.Module, run: Any) -> tuple[dict[str, Tensor], Any]:
    """The output of every layer in `run`, by the layer's name in the order of the calls; and what `run` returns."""
    outputs: dict[str, Tensor] = {}

    def keeping(name: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and name not in outputs:
                outputs[name] = output

        return keep

    handles = [module.register_forward_hook(keeping(name)) for name, module in network.named_modules() if name]
    try:
        returned = run()
    finally:
        for handle in handles:
            handle.remove()
    return outputs, returned


def _signed(values: Tensor, kind: str) -> Tensor:
    return values.float() / 127.5 - 1.0 if kind in PIXEL_KINDS else values


def _square(image: Tensor, side: int, channels: int) -> Tensor:
    """The picture ``(C, H, W)`` enlarged by whole pixels, with white at the right and below up to a square."""
    factor = max(side // max(image.shape[1:]), 1)
    enlarged = image.expand(channels, -1, -1).repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return nn.functional.pad(enlarged, (0, side - enlarged.shape[2], 0, side - enlarged.shape[1]), value=1.0)


def _scaled(values: Tensor) -> Tensor:
    """To [-1, 1], the lowest and the highest."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low).clamp(min=1e-12) * 2.0 - 1.0


def _labels(view: RunView, condition: Condition, count: int) -> list[str]:
    field = first_class(view.trained.problem)
    if field is None:
        return [""] * count
    (name, *_) = condition
    return [field.classes[int(label)] for label in condition[name]]
