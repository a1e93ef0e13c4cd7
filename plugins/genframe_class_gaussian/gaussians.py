"""The Gaussians, as functions of the sums that they are fitted by; everything is float64 but the samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal

from genframe.errors import ConfigError
from genframe.interfaces import Condition, Conditioning
from genframe.memory import refuse_too_large
from genframe.shapes import PIXEL_KINDS, Problem
from genframe_class_gaussian import GaussianSettings

#: Sums of products of samples b, weighted for class k, by the kind of covariance.
_PRODUCTS = {"full": "kb,bd,be->kde", "shared": "kb,bd,be->de", "diagonal": "kb,bd,bd->kd"}
_CHUNK = 256


class Architecture:
    """Builds the density."""

    def __init__(self, settings: GaussianSettings) -> None:
        self._settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"density": noise_BZ, condition -> output}``.

        Raises:
            ConfigError: there is no noise; the sums would not fit in memory.
        """
        if problem.noise_shape is None:
            raise ConfigError("architecture 'class-gaussian' got no noise to draw from; take --noise gaussian")
        return {"density": Gaussians(self._settings, problem)}


class Gaussians(nn.Module):
    """N(mean_k, covariance_k + ridge) for each of K classes, over D numbers a sample; K is 1 without classes.

    Attributes:
        counts: samples added, ``float64 (K,)``.
        sums: of samples, ``float64 (K, D)``.
        products: sums of outer products, ``float64 (K, D, D)``; shared ``(D, D)``; of squares ``(K, D)`` if diagonal.
        rank: how many numbers of z a sample takes. Below D, these are the directions of largest variance: the best
            approximation of that rank to the covariance, and samples vary less than the density says.
    """

    counts: Tensor
    sums: Tensor
    products: Tensor

    def __init__(self, settings: GaussianSettings, problem: Problem) -> None:
        super().__init__()
        self.settings, self._output = settings, problem.output
        self.label, field = next(iter(problem.condition.items()), ("", None))
        classes, size = field.width if field else 1, math.prod(problem.output.shape)
        shape = {"full": (classes, size, size), "shared": (size, size), "diagonal": (classes, size)}
        self.rank = min(math.prod(problem.noise_shape or ()), size)
        what = f"four copies of the sums of products of {classes} classes and {size:,} numbers"
        advice = "take smaller pictures or --set architecture.covariance=diagonal"
        refuse_too_large(32 * math.prod(shape[settings.covariance]), what, advice)
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.float64))
        self.register_buffer("sums", torch.zeros(classes, size, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(shape[settings.covariance], dtype=torch.float64))
        self._known: tuple[Tensor, int, tuple[Tensor, Tensor]] | None = None

    def __getstate__(self) -> dict[str, object]:
        """A copy keeps nothing but the sums."""
        return self.__dict__ | {"_known": None}

    def extra_repr(self) -> str:
        """What ``--dry-run`` shows."""
        classes, size = self.sums.shape
        return f"{classes} x {size}, covariance={self.settings.covariance}, samples of rank {self.rank}"

    @torch.no_grad()
    def add(self, output: Tensor, condition: Condition) -> None:
        """Adds samples ``(B, ...)`` with their classes."""
        rows_BD = output.flatten(1).double()
        classes_K = torch.arange(len(self.counts), device=rows_BD.device)
        one_hot_KB = (classes_K[:, None] == self._labels(rows_BD, condition)).double()
        self.counts.add_(one_hot_KB.sum(1))
        self.sums.add_(one_hot_KB @ rows_BD)
        self.products.add_(self._multiplied(one_hot_KB, rows_BD))

    def moments(self) -> tuple[Tensor, Tensor]:
        """The means ``(K, D)``, and the covariances in the shape of `products`, with the ridge.

        The maximum likelihood estimates; Bishop, "Pattern recognition and machine learning", 2006, (2.121), (2.122);
        shared, (4.78). A class without samples has the mean 0 and the covariance 0.
        """
        means_KD = self.sums / self.counts.clamp(min=1.0)[:, None]
        scatter = self.products - self._multiplied(self.counts.diag(), means_KD)
        counts = self.counts.sum() if self.settings.covariance == "shared" else self.counts
        covariances = scatter / counts.clamp(min=1.0).view(-1, *(1,) * (scatter.dim() - 1))
        if self.settings.covariance == "diagonal":
            return means_KD, covariances.clamp(min=0.0) + self.settings.ridge
        return means_KD, covariances + self.settings.ridge * torch.eye(scatter.shape[-1]).to(scatter)

    def log_likelihood(self, output: Tensor) -> Tensor:
        """The log-density in nats of samples ``(B, ...)`` in each class, ``float64 (B, K)``."""
        means, covariances = self.moments()
        densities: Any
        if self.settings.covariance == "diagonal":
            densities = Independent(Normal(means, covariances.sqrt()), 1)
        else:
            densities = MultivariateNormal(means, covariances)
        rows_B1D = output.flatten(1).double()[:, None]
        return torch.cat([densities.log_prob(rows) for rows in torch.split(rows_B1D, _CHUNK)])

    def posterior(self, output: Tensor) -> Tensor:
        """The probability of each class given samples ``(B, ...)``, ``float64 (B, K)``.

        By Bayes' rule, with the class frequencies of training as the prior.
        """
        return (self.log_likelihood(output) + (self.counts / self.counts.sum()).log()).softmax(1)

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        """``mean_k + A_k z`` with ``A_k A_k' = covariance_k``, float32 ``(B, *shape)``; pixels are cut to [-1, 1]."""
        means_KD, factors_KDR = self._factors()
        spread_BKD = torch.einsum("br,kdr->bkd", noise.flatten(1)[:, : self.rank], factors_KDR)
        labels_B = self._labels(noise, condition)
        samples_BD = (means_KD + spread_BKD)[torch.arange(len(noise), device=noise.device), labels_B]
        samples = samples_BD.view(-1, *self._output.shape)
        return samples.clamp(-1.0, 1.0) if self._output.kind in PIXEL_KINDS else samples

    def _labels(self, rows: Tensor, condition: Condition) -> Tensor:
        return condition[self.label] if self.label else torch.zeros(len(rows), dtype=torch.int64, device=rows.device)

    def _multiplied(self, weights_KB: Tensor, rows_BD: Tensor) -> Tensor:
        return torch.einsum(_PRODUCTS[self.settings.covariance], weights_KB, rows_BD, rows_BD)

    def _factors(self) -> tuple[Tensor, Tensor]:
        """The means and ``A``, float32; found anew when the sums have changed, of which a tensor's version tells."""
        counts = self.counts
        if self._known is None or self._known[0] is not counts or self._known[1] != counts._version:
            with torch.inference_mode(False):
                means, covariances = self.moments()
                self._known = counts, counts._version, (means.float(), self._factored(covariances).float())
        return self._known[2]

    def _factored(self, covariances: Tensor) -> Tensor:
        """``A``, ``(K or 1, D, rank)``."""
        if self.settings.covariance == "diagonal":
            variances, places = covariances.topk(self.rank, dim=1)
            empty = covariances.new_zeros(*covariances.shape, self.rank)
            return empty.scatter_(1, places[:, None], variances.sqrt()[:, None])
        covariances = covariances.view(-1, *covariances.shape[-2:])
        if self.rank == covariances.shape[-1]:
            exact: Tensor = torch.linalg.cholesky(covariances)
            return exact
        values, vectors = torch.linalg.eigh(covariances)
        largest: Tensor = vectors[..., -self.rank :] * values[:, None, -self.rank :].sqrt()
        return largest
