"""Class-conditional Gaussians by maximum likelihood: a density that can be written down, and the baseline of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice, MetricSpec, RecipeSpec, Slot

_ROLES = frozenset({"density"})


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """The shape of the Gaussians.

    Attributes:
        covariance: ``full``, a matrix for each class; ``shared``, one for all; ``diagonal``, a variance for each class
            and pixel.
        ridge: added to each variance, since a pixel that never changes has none and would have an infinite density.
            Likelihoods depend on it and are compared at the same one. The default is a deviation of 0.1 on [-1, 1], 13
            of 255 levels of grey, which samples show too. The Bayes classifier of the digits gets no better by a
            smaller one, and that of MNIST is best at 0.2.

    Raises:
        ConfigError: a ridge below 1e-9, where float64 ends, or an infinite one.
    """

    covariance: Literal["full", "shared", "diagonal"] = "full"
    ridge: float = 1e-2

    def __post_init__(self) -> None:
        if not 1e-9 <= self.ridge < float("inf"):
            raise ConfigError(f"architecture 'class-gaussian' got ridge = {self.ridge}; take 1e-9 or more, say 0.01")


@genframe.hookimpl
def genframe_algorithms() -> Iterable[AlgorithmSpec]:
    """The fit."""
    yield AlgorithmSpec(
        name="class-gaussian",
        summary="A Gaussian for each class by maximum likelihood, exact after one pass over the data",
        factory="genframe_class_gaussian.fit:ClassGaussian",
        slots={"noise": Slot(kind="noise")},
        roles=_ROLES,
        generates=_ROLES,
    )


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The density."""
    yield ArchitectureSpec(
        name="class-gaussian",
        summary="Counts, sums and sums of products, and the Gaussians that they make",
        factory="genframe_class_gaussian.gaussians:Architecture",
        settings=GaussianSettings,
        roles=_ROLES,
    )


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """What a density can be asked."""
    yield MetricSpec(
        name="log-likelihood",
        summary="Mean log-likelihood of held-out samples under the Gaussian of their class, in nats",
        factory="genframe_class_gaussian.metrics:LogLikelihood",
        better="higher",
    )
    yield MetricSpec(
        name="bayes-error",
        summary="Error on held-out data of the Bayes classifier that the Gaussians make",
        factory="genframe_class_gaussian.metrics:BayesError",
        better="lower",
        percent=True,
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """One pass; batches of 500 leave nothing out of the digits and of MNIST, and z has a number for each pixel.

    The network reads the class itself: the conditioning scheme only has to carry labels, any that does will do.
    """
    yield RecipeSpec(
        name="class-gaussian",
        summary="A Gaussian for each class: the baseline",
        algorithm=Choice(name="class-gaussian"),
        architecture=Choice(name="class-gaussian"),
        conditioning=Choice(name="concat"),
        data=Choice(name="digits"),
        slots={"noise": Choice(name="gaussian", settings={"dim": 784})},
        training={"epochs": 1, "batch_size": 500},
        metrics=tuple(Choice(name=name) for name in ("nn1", "label-accuracy", "bayes-error", "log-likelihood")),
    )
