"""A network of a run, and a layer in it, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from genframe.errors import ConfigError, nearest, quoted
from genframe.interfaces import RunView

_T = TypeVar("_T")
_R = TypeVar("_R")


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


def watched(network: nn.Module, run: Callable[[], _R]) -> tuple[dict[str, Tensor], _R]:
    """The output of every layer in `run`, by the layer's name in the order of the calls; and what `run` returns."""
    outputs: dict[str, Tensor] = {}

    def keeping(name: str) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
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
