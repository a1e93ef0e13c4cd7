"""Spectral normalisation of a whole network: each weight divided by an estimate of its largest singular value.

Miyato et al., "Spectral normalization for generative adversarial networks", 2018, section 2.1 and algorithm 1.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrum(network: nn.Module) -> None:
    """Normalises the weight of every linear layer and every (transposed) convolution, biases and norms aside.

    Each use of a weight in training improves the estimate by one power iteration: a network's forward is to run
    within `one_power_iteration`.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spectral_norm(module)


def one_power_iteration() -> AbstractContextManager[None]:
    """Within, a normalised weight is computed once, however often it is read; others are as always."""
    return cast(AbstractContextManager[None], parametrize.cached())


def unnormalised(layer: nn.Linear) -> Tensor:
    """The weight itself, which a normalisation divides; for initial values."""
    if parametrize.is_parametrized(layer, "weight"):
        return cast(Tensor, layer.parametrizations["weight"].original)  # type: ignore[index,union-attr]
    return layer.weight
