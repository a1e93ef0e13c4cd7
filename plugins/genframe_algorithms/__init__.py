"""Training algorithms: ``adversarial``, the game of a generator and a critic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.specs import AlgorithmSpec, Slot


@dataclass(frozen=True, kw_only=True)
class AdversarialSettings:
    """Settings of the game.

    Attributes:
        output: the dataset's field that is generated; every other field is a condition.
        optimizer: of both networks: ``adam``, or ``sgd`` with momentum.
        learning_rate: of both networks' optimizers.
        critic_learning_rate: of the critic's, where it differs.
        beta1, beta2: of Adam.
        momentum: of SGD.
        l2: times each weight is added to its gradient, before the optimizer sees it.
        updates: which network is updated, in order: ``critic`` and ``generator``, each any number of times.
        one_update_per_batch: each batch serves the next of `updates` alone, instead of all of them.
        same_noise: all updates of a step see the same noise, instead of each its own.
    """

    output: str = "image"
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 2e-4
    critic_learning_rate: float | None = None
    beta1: float = 0.5
    beta2: float = 0.999
    momentum: float = 0.5
    l2: float = 0.0
    updates: tuple[str, ...] = ("critic", "generator")
    one_update_per_batch: bool = False
    same_noise: bool = False


@genframe.hookimpl
def genframe_algorithms() -> Iterable[AlgorithmSpec]:
    """The algorithm ``adversarial``."""
    yield AlgorithmSpec(
        name="adversarial",
        summary="A generator and a critic trained against each other (Goodfellow et al. 2014)",
        factory="genframe_algorithms.adversarial:Adversarial",
        settings=AdversarialSettings,
        slots={
            "noise": Slot(kind="noise", required=False),
            "objective": Slot(kind="objective"),
            "regularizers": Slot(kind="regularizer", many=True),
            "augmentations": Slot(kind="augmentation", many=True),
            "terms": Slot(kind="term", many=True),
        },
        roles=frozenset({"generator", "critic"}),
        generates=frozenset({"generator"}),
        replayable=True,
    )
