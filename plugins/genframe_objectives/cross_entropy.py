"""The two losses of the first GAN paper (Goodfellow et al., 2014, section 3), in logits.

With D = sigmoid(logit), ``-log D = softplus(-logit)`` and ``-log(1 - D) = softplus(logit)``, without overflow.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from genframe.interfaces import Critique
from genframe_objectives import SmoothingSettings
from genframe_objectives.logits import mean


class CrossEntropy:
    """The critic minimises ``-log D(real) - log(1 - D(fake))``.

    With smoothing s, the target of real samples is 1 - s: ``-(1 - s) log D(real) - s log(1 - D(real))``, one-sided as
    in Salimans et al., "Improved techniques for training GANs", 2016, section 3.4.
    """

    pairs = False

    def __init__(self, settings: SmoothingSettings) -> None:
        self._smoothing = settings.smoothing

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar: 2 log 2 = 1.386 where the critic cannot tell real from fake."""
        return mean(self._cost_of_real, real) + mean(softplus, fake)

    def _cost_of_real(self, logits: Tensor) -> Tensor:
        # softplus(x) = x + softplus(-x)
        return softplus(-logits) + self._smoothing * logits if self._smoothing else softplus(-logits)


class NonSaturating(CrossEntropy):
    """The generator minimises ``-log D(fake)``."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar: log 2 = 0.693 where the critic cannot tell real from fake."""
        return mean(lambda logits: softplus(-logits), fake)


class Minimax(CrossEntropy):
    """The generator minimises ``log(1 - D(fake))``: the game's own value, which saturates where the critic is sure."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar: -log 2 = -0.693 where the critic cannot tell real from fake."""
        return -mean(softplus, fake)
