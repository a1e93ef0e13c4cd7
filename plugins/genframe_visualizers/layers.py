"""A network of a run, and a layer in it, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from genframe.errors import ConfigError, nearest, quoted
from genframe.interfaces import RunView

_T = TypeVar("_T")


def network_of(view: RunView, role: str) -> nn.Module:
    """The network of that role.

    Raises:
        ConfigError: there is none.
    """
    networks = view.trained.networks
    if role not in networks:
        raise ConfigError(f"this run has no network '{role}'; it has {quoted(networks)}.{nearest(role, networks)}")
    return networks[role]


def chosen(layers: Mapping[str, _T], name: str, role: str, default: int) -> tuple[str, _T]:
    """The layer of that name, or the one at the place `default` for an empty name.

    Raises:
        ConfigError: there is none; the sentence lists those that there are.
    """
    if not layers:
        raise ConfigError(f"the network '{role}' has no layer that can be shown this way")
    if not name:
        name = list(layers)[default]
    if name not in layers:
        raise ConfigError(f"the network '{role}' has no such layer '{name}' to show; it has {quoted(layers)}")
    return name, layers[name]
