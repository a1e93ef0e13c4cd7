"""The variational autoencoder of Kingma and Welling (2014), conditional (Sohn, Lee and Yan, 2015) or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice, MetricSpec, RecipeSpec, Slot, VisualizerSpec

_ROLES = frozenset({"encoder", "decoder"})


@dataclass(frozen=True, kw_only=True)
class BoundSettings:
    """The evidence lower bound (ELBO), and how it is raised.

    Attributes:
        likelihood: of a pixel: ``bernoulli`` on [0, 1], where grey is a probability, as the paper has it for MNIST;
            the bound is then of no density. ``gaussian`` on [-1, 1].
        deviation: of the Gaussian.
        beta: the weight of the divergence in the loss; the bound has 1 (Higgins et al., "beta-VAE", 2017).
        learning_rate: Adam's.

    Raises:
        ConfigError: a number out of its range.
    """

    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    deviation: float = 0.3
    beta: float = 1.0
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if not (1e-3 <= self.deviation <= 10 and 0 <= self.beta <= 1e6 and 0 < self.learning_rate < 1):
            raise ConfigError(
                f"algorithm 'vae' got deviation = {self.deviation}, beta = {self.beta} and learning_rate = "
                f"{self.learning_rate}; they lie in [0.001, 10], [0, 1e6] and (0, 1): the defaults are 0.3, 1 and 0.001"
            )


@dataclass(frozen=True, kw_only=True)
class ConvolutionSettings:
    """The size of the networks.

    Attributes:
        width: channels of the largest hidden pictures; each halving of the picture doubles them.
        hidden: units of the dense layer beside the code in each network, where code and labels mix.

    Raises:
        ConfigError: a number below 1.
    """

    width: int = 32
    hidden: int = 256

    def __post_init__(self) -> None:
        if self.width < 1 or self.hidden < 1:
            raise ConfigError(
                f"architecture 'vae' got width = {self.width} and hidden = {self.hidden} and needs at least 1 of each; "
                "the defaults are 32 and 256"
            )


@dataclass(frozen=True, kw_only=True)
class CountSettings:
    """How many.

    Attributes:
        count: draws from the posterior of each picture for ``elbo``; pictures for ``reconstructions``.

    Raises:
        ConfigError: fewer than one.
    """

    count: int = 10

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"count = {self.count}, and at least 1 is needed; the default is 10")


@genframe.hookimpl
def genframe_algorithms() -> Iterable[AlgorithmSpec]:
    """The bound is taken of running averages of both networks, so that both are kept."""
    yield AlgorithmSpec(
        name="vae",
        summary="An encoder and a decoder that raise the evidence lower bound (Kingma and Welling 2014)",
        factory="genframe_vae.bound:VariationalBayes",
        settings=BoundSettings,
        slots={"noise": Slot(kind="noise")},
        roles=_ROLES,
        generates=_ROLES,
        replayable=True,
    )


@genframe.hookimpl
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """The networks."""
    yield ArchitectureSpec(
        name="vae",
        summary="A convolutional encoder and its mirror image, for pictures of any size from 8x8",
        factory="genframe_vae.networks:Convolutions",
        settings=ConvolutionSettings,
        roles=_ROLES,
    )


@genframe.hookimpl
def genframe_metrics() -> Iterable[MetricSpec]:
    """The bound on data that training never saw."""
    yield MetricSpec(
        name="elbo",
        summary="Mean evidence lower bound of held-out pictures, in nats",
        factory="genframe_vae.looks:HeldoutBound",
        settings=CountSettings,
        better="higher",
    )


@genframe.hookimpl
def genframe_visualizers() -> Iterable[VisualizerSpec]:
    """What passes through the code."""
    yield VisualizerSpec(
        name="reconstructions",
        summary="Held-out pictures above what encoder and decoder make of them",
        factory="genframe_vae.looks:Reconstructions",
        settings=CountSettings,
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """Pictures from noise, and pictures of a chosen class."""
    figures: dict[str, tuple[str, ...]] = {"vae": ("elbo",), "cvae": ("nn1", "label-accuracy", "elbo")}
    for name, metrics in figures.items():
        yield RecipeSpec(
            name=name,
            summary="Variational autoencoder" if name == "vae" else "Conditional variational autoencoder",
            algorithm=Choice(name="vae"),
            architecture=Choice(name="vae"),
            conditioning=Choice(name="none" if name == "vae" else "concat"),
            data=Choice(name="digits"),
            slots={"noise": Choice(name="gaussian", settings={"dim": 16})},
            training={"steps": 2000, "sample_every": 1000, "checkpoint_every": 1000},
            metrics=tuple(Choice(name=metric) for metric in metrics),
        )
