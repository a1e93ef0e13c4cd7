"""The evidence lower bound, and the training that raises it.

Kingma and Welling, "Auto-encoding variational Bayes", 2014: log p(x) >= E log p(x|z) - KL(q(z|x) || p(z)) with z from
q (eq. 3), N(0, I) as the prior p, and a normal q with independent coordinates, from which is drawn by mean +
deviation * noise (section 2.4). With labels c, they are q(z|x, c) and p(x|z, c) (Sohn, Lee and Yan, "Learning
structured output representation using deep conditional generative models", 2015, eq. 4), and the prior stays N(0, I).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from genframe.analysis.closeness import is_standard_normal
from genframe.errors import ConfigError
from genframe.interfaces import Batch, Condition, NoiseSampler, Step
from genframe.randomness import normal
from genframe.shapes import LABEL_KINDS, PIXEL_KINDS, Field, Problem
from genframe_vae import BoundSettings


class Autoencoder:
    """Both networks and the law of a pixel; called as a generator, it gives the mean picture.

    Args:
        networks: ``encoder``: images in [-1, 1] and condition -> mean and log-variance of q, ``(B, 2Z)``; ``decoder``:
            ``(B, Z)`` and condition -> a number x for each pixel, whose mean is tanh(x / 2) on [-1, 1], so that x is
            the logit of a Bernoulli pixel.
        settings: of the bound.
    """

    def __init__(self, networks: Mapping[str, nn.Module], settings: BoundSettings) -> None:
        self.settings = settings
        self._encoder, self._decoder = networks["encoder"], networks["decoder"]

    def __call__(self, noise: Tensor | None, condition: Condition) -> Tensor:
        """Mean pictures in [-1, 1]."""
        return torch.tanh(self._decoder(noise, condition).float() / 2.0)

    def posterior(self, images: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """The mean and the log-variance of q, float32 ``(B, Z)`` each."""
        mean_BZ, log_variance_BZ = self._encoder(images, condition).float().chunk(2, dim=1)
        return mean_BZ, log_variance_BZ

    def bound(self, images: Tensor, condition: Condition, noise_BZ: Tensor) -> tuple[Tensor, Tensor]:
        """The bound's two terms, log p(x|z) at one z from q and KL(q || p), in nats a picture; float32 ``(B,)`` each.

        Args:
            images: in [-1, 1].
            condition: their labels.
            noise_BZ: standard normal.
        """
        mean_BZ, log_variance_BZ = self.posterior(images, condition)
        code_BZ = mean_BZ + (0.5 * log_variance_BZ).exp() * noise_BZ
        pixels = self._decoder(code_BZ, condition).float()
        return self._log_likelihood(pixels, images).flatten(1).sum(1), divergence(mean_BZ, log_variance_BZ)

    def _log_likelihood(self, pixels: Tensor, images: Tensor) -> Tensor:
        if self.settings.likelihood == "bernoulli":
            return pixels * (images + 1.0) / 2.0 - softplus(pixels)
        deviation = self.settings.deviation
        error = (images - torch.tanh(pixels / 2.0)) / deviation
        return -0.5 * error.square() - math.log(deviation * math.sqrt(2.0 * math.pi))


def divergence(mean_BZ: Tensor, log_variance_BZ: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) in nats, ``(B,)``; Kingma and Welling, appendix B."""
    return 0.5 * (mean_BZ.square() + log_variance_BZ.exp() - 1.0 - log_variance_BZ).sum(1)


class VariationalBayes:
    """The training algorithm."""

    def __init__(self, settings: BoundSettings, parts: Mapping[str, Any]) -> None:
        self._settings = settings
        self._noise: NoiseSampler = parts["noise"]

    def problem(self, fields: Mapping[str, Field]) -> Problem:
        """The picture from normal noise, given all labels.

        Raises:
            ConfigError: there is more or less than one picture a sample; the noise is not standard normal.
        """
        condition = {name: field for name, field in fields.items() if field.kind in LABEL_KINDS}
        outputs = [name for name in fields if name not in condition]
        if len(outputs) != 1 or fields[outputs[0]].kind not in PIXEL_KINDS:
            given = ", ".join(f"{name} ({field.kind})" for name, field in fields.items())
            raise ConfigError(f"algorithm 'vae' learns one picture a sample, with labels or not, and got {given}")
        if not is_standard_normal(self._noise):
            raise ConfigError(
                "algorithm 'vae' has the standard normal law as its prior, and the noise is of another: "
                "take --noise gaussian"
            )
        self._output = outputs[0]
        return Problem(output=fields[outputs[0]], condition=condition, noise_shape=self._noise.shape)

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        """Adam for each."""
        rate = self._settings.learning_rate
        return {role: torch.optim.Adam(network.parameters(), rate, fused=True) for role, network in networks.items()}

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """One update of both; nats a picture, the mean of the batch."""
        noise_BZ = normal(step.indices, (math.prod(self._noise.shape),), step.key("posterior"))
        reconstruction_B, divergence_B = Autoencoder(networks, self._settings).bound(
            batch[self._output], batch, noise_BZ
        )
        reconstruction, regularity = reconstruction_B.mean(), divergence_B.mean()
        loss = self._settings.beta * regularity - reconstruction
        step.minimise(loss, "encoder", "decoder")
        elbo = reconstruction - regularity
        values = {"loss": loss, "reconstruction_loss": -reconstruction, "divergence": regularity, "elbo": elbo}
        return {name: value.detach() for name, value in values.items()}

    def generator(self, networks: Mapping[str, nn.Module]) -> Autoencoder:
        """The decoder's mean pictures."""
        return Autoencoder(networks, self._settings)
