"""Spectral normalisation of a whole network: each weight divided by an estimate of its largest singular value.

Miyato et al., "Spectral normalization for generative adversarial networks", 2018, section 2.1 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrum(network: nn.Module) -> None:
    """Normalises the weight of every linear layer and every (transposed) convolution; biases and norms stay.

    Each use of a weight in training improves the estimate by one power iteration: a network's forward is to run
    within `one_power_iteration`. The estimates are buffers, of which a running average would be none.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spectral_norm(module)


def one_power_iteration() -> AbstractContextManager[None]:
    """Within, a normalised weight is computed once, however often it is read; others are as always."""
    return cast(AbstractContextManager[None], parametrize.cached())


def initialise_weight(layer: nn.Linear, initialise: Callable[[Tensor], object]) -> None:
    """Gives a layer's weight other initial values; one that is normalised is estimated anew."""
    normalised = parametrize.is_parametrized(layer, "weight")
    if normalised:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    initialise(layer.weight)
    if normalised:
        spectral_norm(layer)
