"""Experiments: published tables, and the claims of the article that genframe grew from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ExperimentSpec


@dataclass(frozen=True, kw_only=True)
class ClaimSettings:
    """On what a claim is tried.

    Attributes:
        data: a dataset with one class a picture.
        steps: of each training, in the full schedule.
        samples: that are measured.

    Raises:
        ConfigError: a number below 1.
    """

    data: str = "mnist"
    steps: int = 4000
    samples: int = 10_000

    def __post_init__(self) -> None:
        if self.steps < 1 or self.samples < 1:
            raise ConfigError(f"an experiment has at least 1 step and 1 sample; got {self.steps} and {self.samples}")


@dataclass(frozen=True, kw_only=True)
class DimensionSettings(ClaimSettings):
    """On what it is tried.

    Attributes:
        dimensions: how many numbers a z has, at least two sizes.
    """

    dimensions: tuple[int, ...] = (2, 10, 100)


@dataclass(frozen=True, kw_only=True)
class LawSettings(ClaimSettings):
    """On what it is tried."""


@dataclass(frozen=True, kw_only=True)
class SizeSettings(ClaimSettings):
    """On what it is tried.

    Attributes:
        widths: channels of the largest hidden picture, at least three sizes.
    """

    widths: tuple[int, ...] = (4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class OrderSettings(ClaimSettings):
    """On what it is tried."""


@dataclass(frozen=True, kw_only=True)
class RatioSettings(ClaimSettings):
    """On what it is tried."""


@dataclass(frozen=True, kw_only=True)
class ConditionalSettings(ClaimSettings):
    """On what it is tried."""


@dataclass(frozen=True, kw_only=True)
class TricksSettings(ClaimSettings):
    """On what it is tried."""


@dataclass(frozen=True, kw_only=True)
class NearestSettings:
    """How the table is made.

    Attributes:
        samples: numbers of generated digits that the classifier knows. The paper has 50,000 and 10,000,000.
    """

    samples: tuple[int, ...] = (10_000, 50_000)


@dataclass(frozen=True, kw_only=True)
class ParzenSettings:
    """How the table is made.

    Attributes:
        samples: windows, all classes together; the paper has 1,000 a class.
    """

    samples: int = 10_000


@dataclass(frozen=True, kw_only=True)
class ArithmeticSettings:
    """How it is scored.

    Attributes:
        steps: of the full schedule.
        triples: how many are scored.
    """

    steps: int = 6000
    triples: int = 300


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """On what features are tried.

    Attributes:
        data: a dataset with one class a picture, or a path.
        labels: so many training pictures have labels; 0 is all.
        steps: of the full schedule.
        width: channels of the critic's largest hidden picture.
    """

    data: str = "mnist"
    labels: int = 1000
    steps: int = 6000
    width: int = 32


@dataclass(frozen=True, kw_only=True)
class ConvergenceSettings:
    """On what it is tried.

    Attributes:
        layout: of the Gaussians: ``ring`` of 8 or ``grid`` of 25.
        steps: of the full schedule.
    """

    layout: str = "ring"
    steps: int = 10_000


@genframe.hookimpl
def genframe_experiments() -> Iterable[ExperimentSpec]:
    """Tables first, then claims."""
    parts: dict[str, tuple[str, str, type]] = {
        "mnist-nn": ("MNIST by nearest generated neighbour: 2.98%, 1.48%", "mnist_nn:MnistNearest", NearestSettings),
        "parzen": ("Parzen-window log-likelihood on MNIST: 132 nats", "parzen:Parzen", ParzenSettings),
        "linear-probe": ("A linear classifier on the critic's features", "linear_probe:LinearProbe", ProbeSettings),
        "arithmetic": ("Arithmetic on z, scored on drawn faces", "arithmetic:Arithmetic", ArithmeticSettings),
        "noise-dimension": ("z of 2, 10 and 100 numbers", "noise_dimension:NoiseDimension", DimensionSettings),
        "noise-law": ("Trained with uniform z, sampled by other laws", "noise_law:NoiseLaw", LawSettings),
        "model-size": ("Samples as the networks grow", "model_size:ModelSize", SizeSettings),
        "update-order": ("Critic first or generator first", "update_order:UpdateOrder", OrderSettings),
        "update-ratio": ("Critic's to generator's updates", "update_ratio:UpdateRatio", RatioSettings),
        "conditional-vs-unconditional": (
            "Whether labels make samples more real",
            "conditional:ConditionalOrNot",
            ConditionalSettings,
        ),
        "convergence-2d": ("Both densities on Gaussians in the plane", "convergence:Convergence", ConvergenceSettings),
        "dcgan-tricks": ("Each of the DCGAN paper's rules switched off", "tricks:Tricks", TricksSettings),
    }
    for name, (summary, factory, settings) in parts.items():
        yield ExperimentSpec(name=name, summary=summary, factory=f"genframe_experiments.{factory}", settings=settings)
