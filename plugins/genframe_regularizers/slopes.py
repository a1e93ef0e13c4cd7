"""Penalties on the gradient of the critic with respect to its input.

A sample's score is the mean of its logits at each scale, summed over the scales; the gradient is of that score. What is
made of the gradient is float32 at least, and differentiable once more for the critic's weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.interfaces import Condition, Critic
from genframe_regularizers import InterpolationSettings, SlopeSettings

#: Keeps the derivative of a norm finite where the gradient is zero.
_TINY = 1e-12


class R1:
    """``gamma / 2 * E |grad D(x)|^2`` at real samples: Mescheder, Geiger and Nowozin, 2018, equation 9."""

    def __init__(self, settings: SlopeSettings) -> None:
        self._weight = settings.weight

    def __call__(
        self, critic: Critic, real: Tensor, fake: Tensor, condition: Condition, rng: torch.Generator
    ) -> Tensor:
        """A scalar."""
        return self._weight / 2 * squared_slopes(critic, real, condition).mean()


class R2:
    """``gamma / 2 * E |grad D(x)|^2`` at generated samples: Mescheder, Geiger and Nowozin, 2018, equation 10."""

    def __init__(self, settings: SlopeSettings) -> None:
        self._weight = settings.weight

    def __call__(
        self, critic: Critic, real: Tensor, fake: Tensor, condition: Condition, rng: torch.Generator
    ) -> Tensor:
        """A scalar."""
        return self._weight / 2 * squared_slopes(critic, fake, condition).mean()


class GradientPenalty:
    """``lambda * E (|grad D(x)| - target)^2`` on segments between real and generated samples.

    Gulrajani et al., "Improved training of Wasserstein GANs", 2017, equation 3. Each x is uniform on its segment.
    """

    def __init__(self, settings: InterpolationSettings) -> None:
        self._weight, self._target = settings.weight, settings.target

    def __call__(
        self, critic: Critic, real: Tensor, fake: Tensor, condition: Condition, rng: torch.Generator
    ) -> Tensor:
        """A scalar."""
        way = torch.rand(len(real), *(1,) * (real.dim() - 1), generator=rng, device=real.device)
        slopes = (squared_slopes(critic, torch.lerp(fake, real, way.to(real.dtype)), condition) + _TINY).sqrt()
        return self._weight * (slopes - self._target).square().mean()


def squared_slopes(critic: Critic, samples: Tensor, condition: Condition) -> Tensor:
    """``|grad D(x)|^2`` of each sample, ``(B,)``."""
    samples = samples.detach().requires_grad_()
    with torch.enable_grad():
        score = torch.stack([_summed(logits) for logits in critic(samples, condition).logits]).sum()
    (gradient,) = torch.autograd.grad(score, samples, create_graph=True)
    gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    return gradient.square().flatten(1).sum(1)


def _summed(logits: Tensor) -> Tensor:
    """The sum over samples of the mean over a sample's patches."""
    return logits.reshape(len(logits), -1).mean(1).sum()
