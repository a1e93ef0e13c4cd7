"""The health monitor: an observer that says when a generator makes but a few things, or its critic stops helping it.

It warns and changes nothing in what is trained; with ``stop`` it ends the run instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import genframe
from genframe.errors import ConfigError
from genframe.specs import ObserverSpec

#: Fewer samples than this say nothing about diversity; more than this cost more than they tell.
FEWEST, MOST = 32, 10_000


@dataclass(frozen=True, kw_only=True)
class HealthSettings:
    """When the monitor looks, and what it takes for trouble.

    Attributes:
        every: steps from one look to the next, at least 1; a look waits for the next logged step.
        samples: how many are drawn a look, 32 to 10,000.
        diversity: samples less diverse than this share of the data, in (0, 1), have collapsed; see
            `genframe_health.diversity`.
        class_diversity: the same of the least diverse class, in [0, 1).
        gap: between the mean logits of real and generated samples, above 0; a critic beyond it whose loss is next to
            nothing is saturated.
        imbalance: how many times the one side's loss is the other's, above 1, before the game counts as lost.
        patience: it speaks after so many bad looks in a row, at least 1; where no look has been good yet, after twice
            as many.
        stop: end the run where samples have collapsed, with exit code 6.

    Raises:
        ConfigError: a number out of its range.
    """

    every: int = 100
    samples: int = 192
    diversity: float = 0.1
    class_diversity: float = 0.03
    gap: float = 12.0
    imbalance: float = 1000.0
    patience: int = 3
    stop: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "every": (self.every >= 1, "at least 1"),
            "samples": (FEWEST <= self.samples <= MOST, f"from {FEWEST} to {MOST:,}"),
            "diversity": (0 < self.diversity < 1, "above 0 and below 1"),
            "class_diversity": (0 <= self.class_diversity < 1, "in [0, 1)"),
            "gap": (0 < self.gap < float("inf"), "a finite number above 0"),
            "imbalance": (1 < self.imbalance < float("inf"), "a finite number above 1"),
            "patience": (self.patience >= 1, "at least 1"),
        }
        for name, (fits, said) in ranges.items():
            if not fits:
                raise ConfigError(f"observer 'health' got {name} = {getattr(self, name)}, which is {said}")


@genframe.hookimpl
def genframe_observers() -> Iterable[ObserverSpec]:
    """The monitor."""
    yield ObserverSpec(
        name="health",
        summary="Warns of mode collapse, a saturated critic and a lost balance of the losses",
        factory="genframe_health.monitor:Health",
        settings=HealthSettings,
    )
