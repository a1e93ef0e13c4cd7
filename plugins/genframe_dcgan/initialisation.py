"""How weights begin."""

from __future__ import annotations

import math

from torch import nn

from genframe_dcgan import DCGANSettings

_STANDARD_DEVIATION = 0.02  # of every weight, in the DCGAN paper


def initialise(network: nn.Module, settings: DCGANSettings) -> None:
    """Weights as `settings` say, BatchNorm's gains around one, biases and shifts zero; in the order of the layers."""
    linear = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if settings.initialisation == "normal":
                nn.init.normal_(module.weight, 0.0, _STANDARD_DEVIATION)
            elif module is linear[-1]:
                nn.init.xavier_uniform_(module.weight)
            else:
                _he(module)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, settings.gain_deviation)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _he(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
    """He et al. (2015), variance 2 / fan in, as TensorFlow's ``variance_scaling_initializer`` draws it.

    A normal law cut at two deviations, whose deviation is enlarged by the square root of 1.3 to make up for the cut.
    Both libraries count a transposed convolution's fan in by its output channels.
    """
    fan_in = module.weight[0].numel()
    deviation = math.sqrt(1.3 * 2.0 / fan_in)
    nn.init.trunc_normal_(module.weight, 0.0, deviation, -2.0 * deviation, 2.0 * deviation)
