"""The kernels of a convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe.interfaces import Picture, RunView
from genframe.pictures import Row, mosaic, sheet
from genframe_visualizers import WeightsSettings
from genframe_visualizers.grids import check_positive
from genframe_visualizers.layers import chosen, network_of

_COLUMNS = 4
_SIDE = 20  # pixels of a kernel


class Weights:
    """One mosaic an input channel, which holds that channel's kernel to each output channel; zero is mid-grey."""

    def __init__(self, settings: WeightsSettings) -> None:
        check_positive("weights", channels=settings.channels)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet. All kernels have one scale, from minus to plus the largest absolute weight.

        Raises:
            ConfigError: there is no such network or layer.
        """
        role = self._settings.network
        layers = {name: m for name, m in network_of(view, role).named_modules() if _is_convolution(m)}
        name, layer = chosen(layers, self._settings.layer, role, default=0)
        kernels_IOhw = _by_input(layer)
        largest = float(kernels_IOhw.abs().max()) or 1.0
        shown = kernels_IOhw[: self._settings.channels]
        mosaics = torch.stack([mosaic(kernels_Ohw[:, None] / largest, side=_SIDE) for kernels_Ohw in shown])
        rows = [
            Row(label=_label(number * _COLUMNS, len(part)), images=part)
            for number, part in enumerate(torch.split(mosaics, _COLUMNS))
        ]
        outputs, (height, width) = kernels_IOhw.shape[1], kernels_IOhw.shape[2:]
        title = (
            f"{view.title}: {role}.{name}, {len(shown)} of {len(kernels_IOhw)} input channels, "
            f"{outputs} kernels of {height}x{width} each, black -{largest:.2g}, white {largest:.2g}"
        )
        return sheet(rows, title=title)


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.ConvTranspose2d)


def _by_input(layer: nn.Module) -> Tensor:
    """``(inputs, outputs, kh, kw)`` float32."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    weight = layer.weight.detach().float().cpu()
    return weight.transpose(0, 1) if isinstance(layer, nn.Conv2d) else weight


def _label(first: int, count: int) -> str:
    return f"input {first}" if count == 1 else f"inputs {first} to {first + count - 1}"
