"""Adversarial objectives."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ObjectiveSpec


@dataclass(frozen=True, kw_only=True)
class SmoothingSettings:
    """How sure the critic may become of real samples.

    Attributes:
        smoothing: the target of real samples is 1 - smoothing.

    Raises:
        ConfigError: it is not in [0, 0.5).
    """

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 0.5:
            raise ConfigError(f"objective.smoothing is in [0, 0.5); got {self.smoothing}; 0 is none, 0.1 is common")


@dataclass(frozen=True, kw_only=True)
class LeastSquaresSettings:
    """What the scores are to be; Mao et al. (2017) call them b, a and c and take these in equation 9.

    Attributes:
        real, fake: of real and of generated samples, for the critic.
        wanted: of generated samples, for the generator.

    Raises:
        ConfigError: one is not finite, or the critic's two are one.
    """

    real: float = 1.0
    fake: float = 0.0
    wanted: float = 1.0

    def __post_init__(self) -> None:
        targets = (self.real, self.fake, self.wanted)
        if not all(map(math.isfinite, targets)) or self.real == self.fake:
            raise ConfigError(
                f"objective 'least-squares' got real = {self.real}, fake = {self.fake} and wanted = {self.wanted}; "
                "they are finite, and real differs from fake: the defaults are 1, 0 and 1"
            )


@genframe.hookimpl
def genframe_objectives() -> Iterable[ObjectiveSpec]:
    """The losses of DCGAN's time and those that came after."""
    yield ObjectiveSpec(
        name="non-saturating",
        summary="Binary cross-entropy; the generator maximises the log-probability of being taken for real",
        factory="genframe_objectives.cross_entropy:NonSaturating",
        settings=SmoothingSettings,
    )
    yield ObjectiveSpec(
        name="minimax",
        summary="Binary cross-entropy; the generator maximises what the critic minimises, and saturates",
        factory="genframe_objectives.cross_entropy:Minimax",
        settings=SmoothingSettings,
    )
    yield ObjectiveSpec(
        name="least-squares",
        summary="Squared distances of the scores to targets (Mao et al. 2017)",
        factory="genframe_objectives.distances:LeastSquares",
        settings=LeastSquaresSettings,
    )
    yield ObjectiveSpec(
        name="hinge",
        summary="The critic keeps a margin of one, the generator raises its score (Lim and Ye 2017)",
        factory="genframe_objectives.distances:Hinge",
    )
    yield ObjectiveSpec(
        name="wasserstein",
        summary="Difference of the mean scores; wants a regularizer such as gradient-penalty (Arjovsky et al. 2017)",
        factory="genframe_objectives.distances:Wasserstein",
    )
    yield ObjectiveSpec(
        name="relativistic",
        summary="Which of a real and a generated sample is real; wants r1 and r2 (Jolicoeur-Martineau 2019)",
        factory="genframe_objectives.distances:Relativistic",
    )
