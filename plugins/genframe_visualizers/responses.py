"""What a layer's maps answer to most, and what of the pictures they answer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genframe.analysis.placing import device_of
from genframe.analysis.rectifiers import Rule, response_gradient
from genframe.errors import ConfigError
from genframe.interfaces import Condition
from genframe_visualizers.layers import chosen, watched

_CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of a network that has looked at pictures.

    Attributes:
        network: that reads pictures.
        name: of the layer.
        images: float ``(B, C, H, W)`` in [-1, 1], on the network's device.
        condition: theirs.
        strongest: the largest number of each of the layer's K maps on each picture, ``(B, K)``.
    """

    network: nn.Module
    name: str
    images: Tensor
    condition: Condition
    strongest: Tensor

    @classmethod
    def look(cls, network: nn.Module, role: str, layer: str, images: Tensor, condition: Condition) -> Layer:
        """Shows all pictures to the network.

        Args:
            network: called with pictures and condition.
            role: its name.
            layer: whose output is maps; empty is the last such layer.
            images: ``(B, C, H, W)`` in [-1, 1].
            condition: theirs.

        Raises:
            ConfigError: there is no such layer; the sentence lists those that there are.
        """
        device = device_of({role: network})
        images, condition = images.to(device), {name: values.to(device) for name, values in condition.items()}
        answers: list[Tensor] = []
        for first in range(0, len(images), _CHUNK):
            part = slice(first, first + _CHUNK)
            chunk = {name: values[part] for name, values in condition.items()}
            with torch.inference_mode():
                outputs, _ = watched(network, lambda part=part, chunk=chunk: network(images[part], chunk))  # type: ignore[misc]
            maps = {name: each for name, each in outputs.items() if each.ndim == 4 and each.shape[1] > images.shape[1]}
            layer, values = chosen(maps, layer, role, default=-1)
            answers.append(values.amax((2, 3)).float().cpu())
        return cls(network=network, name=layer, images=images, condition=condition, strongest=torch.cat(answers))

    def maps(self, wanted: Sequence[int], count: int) -> list[int]:
        """The wanted maps, or the `count` whose strongest answers are largest.

        Raises:
            ConfigError: there is no such map.
        """
        total = self.strongest.shape[1]
        wrong = [each for each in wanted if not 0 <= each < total]
        if wrong:
            raise ConfigError(f"the layer '{self.name}' has the maps 0 to {total - 1}; got {wrong[0]}")
        if wanted:
            return list(wanted)
        order: list[int] = self.strongest.amax(0).argsort(descending=True, stable=True)[:count].tolist()
        return order

    def top(self, map_number: int, count: int) -> Tensor:
        """The pictures to which a map answers most, strongest first: their places, ``int64 (count,)`` at most."""
        return self.strongest[:, map_number].argsort(descending=True, stable=True)[:count]

    def pictures(self, places: Tensor) -> Tensor:
        """The pictures at these places, on the CPU."""
        return self.images[places.to(self.images.device)].cpu()

    def projected(self, map_number: int, places: Tensor, rule: Rule) -> Tensor:
        """What the map's strongest number on each of these pictures is at the pixels, float ``(N, C, H, W)``.

        All other numbers of the layer are put to zero before the way down.
        """
        on_device = places.to(self.images.device)

        def only_strongest(output: Tensor) -> Tensor:
            answers = output[:, map_number].flatten(1)
            kept = torch.zeros_like(answers).scatter(1, answers.argmax(1, keepdim=True), answers.amax(1, keepdim=True))
            signal = torch.zeros_like(output)
            signal[:, map_number] = kept.view_as(output[:, map_number])
            return signal

        return response_gradient(
            self.network,
            self.network.get_submodule(self.name),
            self.images[on_device],
            {name: values[on_device] for name, values in self.condition.items()},
            only_strongest,
            rule,
        ).cpu()


def windows(footprints_NCHW: Tensor) -> list[tuple[slice, slice]]:
    """The part of each picture that its answer depends on: one size for all, as large as the largest needs.

    Args:
        footprints_NCHW: zero where a pixel does not matter.
    """
    matters_NHW = (footprints_NCHW != 0).any(1)
    spans = [_span(matters_NHW.any(2)), _span(matters_NHW.any(1))]
    corners = []
    for (starts, size), side in zip(spans, matters_NHW.shape[1:], strict=True):
        corners.append([slice(start, start + size) for start in (min(each, side - size) for each in starts)])
    return list(zip(*corners, strict=True))


def _span(matters_NL: Tensor) -> tuple[list[int], int]:
    """Where each row's true entries begin, and the longest stretch of them."""
    length = matters_NL.shape[1]
    numbers = torch.arange(length)
    first = torch.where(matters_NL, numbers, length).amin(1)
    last = torch.where(matters_NL, numbers, -1).amax(1)
    sizes = (last - first + 1).clamp(min=0)
    size = max(int(sizes.max()), 1)
    return torch.where(sizes > 0, first, 0).tolist(), size
