"""A law for one trained run: Gaussians fitted to the z of the samples that its critic rates best.

That a mixture of Gaussians can be fitted to latents and drawn from is pythae's idea (Chadebec, Vincent and
Allassonnière, "Pythae: unifying generative autoencoders in Python", 2022), which fits the codes of an autoencoder. A
GAN has no codes; its critic says which z are worth fitting.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import cast

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from genframe.analysis.placing import device_of, placed
from genframe.errors import ConfigError, quoted
from genframe.interfaces import Condition, Critic, NoiseSampler, RunView, Samples
from genframe.randomness import normal
from genframe_noise import FittedSettings
from genframe_noise.laws import component_numbers

#: Samples are rated as many at a time as they are drawn.
_CHUNK = 64

#: Added to each variance, so that a Gaussian of few samples has one in every direction.
_RIDGE = 1e-4


class FittedMixture:
    """``(N, *shape)`` float32 of the run's own shape, from the fitted Gaussians, within the support of the training.

    The fit is a function of the run, of the settings and of the device. It is made on one thread, so that it does not
    depend on their number.
    """

    def __init__(self, settings: FittedSettings) -> None:
        self._settings = settings
        self._fit: _Gaussians | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the run's noise."""
        return self._fitted.training.shape

    def fit(self, view: RunView) -> None:
        """Draws samples by the law of the training, and fits the Gaussians to the z of those that the critic likes.

        Raises:
            ConfigError: the run has no critic or no noise, or leaves fewer samples than there are components.
        """
        settings, training = self._settings, _training_law(view)
        with threadpool_limits(limits=1):
            kept_NZ = _best(view, settings.samples, settings.keep).flatten(1)
            if len(kept_NZ) < max(settings.components, 2):
                raise ConfigError(
                    f"noise 'fitted' kept {len(kept_NZ)} of {settings.samples} samples, too few for "
                    f"{settings.components} components: raise noise.samples or noise.keep, or lower noise.components"
                )
            self._fit = _Gaussians(_mixture(kept_NZ, settings), training)

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        return self._fitted.draw(indices, key)

    def project(self, noise: Tensor) -> Tensor:
        """The nearest point of the support of the training's law."""
        return self._fitted.training.project(noise)

    @property
    def _fitted(self) -> _Gaussians:
        if self._fit is None:
            raise ConfigError("noise 'fitted' is fitted to a trained run: genframe sample RUN --noise fitted")
        return self._fit


class _Gaussians:
    """What was fitted, ready to draw from.

    Args:
        mixture: fitted.
        training: the law whose shape and support its samples have.
    """

    def __init__(self, mixture: GaussianMixture, training: NoiseSampler) -> None:
        self.training = training
        self._bounds_K = torch.from_numpy(mixture.weights_.cumsum()).float()
        self._means_KZ = torch.from_numpy(mixture.means_).float()
        self._factors = _factors(mixture).float()

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        device, size = indices.device, math.prod(self.training.shape)
        chosen_N = torch.searchsorted(self._bounds_K.to(device), component_numbers(indices, key), right=True)
        chosen_N = chosen_N.clamp(max=len(self._bounds_K) - 1)  # the last bound may fall short of 1 by rounding
        noise_NZ, factors = self._means_KZ.to(device)[chosen_N], self._factors.to(device)
        normal_NZ = normal(indices, (size,), key)
        if factors.dim() == 2:
            noise_NZ = noise_NZ + factors[chosen_N] * normal_NZ
        else:
            for place in range(size):  # no matrix product, in which a sample's last bit depends on how many there are
                noise_NZ = noise_NZ + factors[chosen_N, :, place] * normal_NZ[:, place : place + 1]
        return self.training.project(noise_NZ.reshape(-1, *self.training.shape))


def _training_law(view: RunView) -> NoiseSampler:
    trained = view.trained
    if trained.noise is None:
        raise ConfigError("noise 'fitted' is fitted to z, and this run generates without: leave --noise out")
    if "critic" not in trained.networks:
        raise ConfigError(
            "noise 'fitted' asks the run's critic which samples are good, and this run has the networks "
            f"{quoted(trained.networks)}: take a run with a critic, or another --noise"
        )
    return trained.noise


def _best(view: RunView, count: int, share: float) -> Tensor:
    """The z of the best samples, ``(N, *shape)``: of each condition this share, but one at least."""
    noise, ratings, conditions = [], [], []
    for samples in _chunks(view, count):
        assert samples.noise is not None, "the run has a law of z"
        noise.append(samples.noise)
        ratings.append(_ratings(view, samples))
        conditions.append(samples.condition)
    ratings_N = torch.cat(ratings)
    if not ratings_N.isfinite().all():
        raise ConfigError(
            "noise 'fitted' goes by the critic's ratings, and this run's are not finite: take an earlier checkpoint"
        )
    groups_N = _groups({name: torch.cat([each[name] for each in conditions]) for name in conditions[0]}, count)
    return torch.cat(noise)[_chosen(ratings_N, groups_N, share)]


def _chunks(view: RunView, count: int) -> Iterator[Samples]:
    return (view.samples(min(_CHUNK, count - first), first=first) for first in range(0, count, _CHUNK))


def _ratings(view: RunView, samples: Samples) -> Tensor:
    """``float64 (N,)`` on the CPU: the mean of the critic's logits of each sample, every scale of equal weight."""
    networks = view.trained.networks
    device, critic = device_of(networks), cast(Critic, networks["critic"])
    with torch.inference_mode():
        critique = critic(samples.output.to(device), placed(samples.condition, device, view.trained.problem))
        scales = [logits.double().reshape(len(logits), -1).mean(1) for logits in critique.logits]
        return torch.stack(scales).mean(0).cpu()


def _groups(condition: Condition, count: int) -> Tensor:
    """``int64 (count,)``: equal for samples of equal conditions, from 0 on."""
    groups_N = torch.zeros(count, dtype=torch.int64)
    for values in condition.values():
        numbers_N = _numbered(values.reshape(count, -1))
        groups_N = _numbered(torch.stack((groups_N, numbers_N), 1))
    return groups_N


def _numbered(rows: Tensor) -> Tensor:
    """``int64 (N,)``: the number of each row among the different ones."""
    numbers_N: Tensor = torch.unique(rows, dim=0, return_inverse=True)[1]
    return numbers_N


def _chosen(ratings_N: Tensor, groups_N: Tensor, share: float) -> Tensor:
    """``bool (N,)``: the best of each group; the earlier one among equals."""
    order = ratings_N.argsort(descending=True, stable=True)
    chosen_N = torch.zeros(len(ratings_N), dtype=torch.bool)
    for group, size in enumerate(torch.bincount(groups_N).tolist()):
        chosen_N[order[groups_N[order] == group][: math.ceil(share * size)]] = True
    return chosen_N


def _mixture(noise_NZ: Tensor, settings: FittedSettings) -> GaussianMixture:
    mixture = GaussianMixture(
        settings.components, covariance_type=settings.covariance, reg_covar=_RIDGE, random_state=settings.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that could still gain a little is a fit
        return mixture.fit(noise_NZ.double().numpy())


def _factors(mixture: GaussianMixture) -> Tensor:
    """``float64``: of matrices, their Cholesky factors ``(K, Z, Z)``; of variances, the deviations ``(K, Z)``."""
    values: Tensor = torch.from_numpy(mixture.covariances_)
    components, size = mixture.means_.shape
    if mixture.covariance_type in ("full", "tied"):
        factors: Tensor = torch.linalg.cholesky(values)
        return factors.expand(components, size, size)
    return values.sqrt().reshape(components, -1).expand(components, size)
