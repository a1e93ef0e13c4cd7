"""Conditions as networks take them: on their device, pixels in [-1, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from genframe.interfaces import Condition
from genframe.shapes import PIXEL_KINDS, Problem


def device_of(networks: Mapping[str, nn.Module]) -> torch.device:
    """Where the networks are; the CPU where none has a parameter or a buffer."""
    tensors = (each for network in networks.values() for each in chain(network.parameters(), network.buffers()))
    return next((each.device for each in tensors), torch.device("cpu"))


def placed(condition: Condition, device: torch.device, problem: Problem) -> Condition:
    """The condition on the device, pixels as float32 in [-1, 1] instead of ``uint8``.

    Args:
        condition: as `genframe.interfaces.Samples` has it.
        device: of the networks; see `device_of`.
        problem: whose condition it is.
    """

    def one(name: str, values: Tensor) -> Tensor:
        values = values.to(device)
        is_pixels = problem.condition[name].kind in PIXEL_KINDS
        return values.float() / 127.5 - 1.0 if is_pixels else values

    return {name: one(name, values) for name, values in condition.items()}
