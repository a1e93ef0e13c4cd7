"""Running averages of weights: samples come from a moving average of the generator that trains."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from itertools import chain

import torch
from torch import Tensor, nn


class Averages:
    """Exponential moving averages of some networks, buffers such as BatchNorm's statistics included.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n, so that the first weights are soon
    forgotten. With a decay of 0 they are copies of the networks after their latest update.
    """

    def __init__(self, networks: Mapping[str, nn.Module], roles: Iterable[str], decay: float) -> None:
        self._decay = decay
        self.networks = {role: copy.deepcopy(networks[role]).eval().requires_grad_(False) for role in sorted(roles)}
        self.updates = dict.fromkeys(self.networks, 0)
        self._pairs = {role: _pairs(average, networks[role]) for role, average in self.networks.items()}

    @torch.no_grad()
    def update(self, role: str, weight: float | Tensor) -> None:
        """Moves the average of `role`, if there is one, towards the network as it is now by `weight`, 1 being there."""
        if role not in self.networks:
            return
        averages, currents = self._pairs[role]
        if isinstance(weight, Tensor):
            ways = torch._foreach_sub(currents, averages)
            torch._foreach_mul_(ways, weight)
            torch._foreach_add_(averages, ways)
        else:
            torch._foreach_lerp_(averages, currents, weight)

    def next_weight(self, role: str) -> float:
        """The weight of the next update of `role`, which counts as made."""
        updates = self.updates.get(role, 0)
        if role in self.updates:
            self.updates[role] = updates + 1
        return 1.0 - min(self._decay, (1 + updates) / (10 + updates))

    @torch.no_grad()
    def copy(self, role: str) -> None:
        """Makes the average of `role` equal to the network: there is nothing to average where nothing is minimised."""
        averages, currents = self._pairs[role]
        torch._foreach_copy_(averages, currents)


def _pairs(average: nn.Module, current: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The floating-point tensors of both, in the same order; counters are left alone."""

    def tensors(network: nn.Module) -> list[Tensor]:
        return [each for each in chain(network.parameters(), network.buffers()) if each.is_floating_point()]

    return tensors(average), [each.detach() for each in tensors(current)]
