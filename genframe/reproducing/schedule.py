"""How long each training is: its full schedule, or what a budget leaves of it.

Trainings are timed for a few steps each. Time is dealt out evenly: every training gets the same number of seconds, and
what a short one leaves over goes to the others. The rest of the budget is for measuring.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from genframe.assembly import assemble
from genframe.config import RunConfig
from genframe.experiments import Training
from genframe.registry import Registry
from genframe.training.batches import batches

#: The part of a budget that training takes.
TRAINING_SHARE = 0.75

_ROUNDS, _STEPS = 3, 3


def step_seconds(configs: Mapping[str, RunConfig], registry: Registry) -> dict[str, float]:
    """The median time of a training step of each configuration, timed in turn; a first round warms up."""
    runs = {}
    for name, config in configs.items():
        assembly = assemble(config, registry)
        runs[name] = (assembly.trainer, batches(assembly.train, batch_size=assembly.batch_size, seed=config.seed))
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(_ROUNDS + 1):
        for name, (trainer, stream) in runs.items():
            began = time.perf_counter()
            for step in range(_STEPS):
                trainer.step(number * _STEPS + step, next(stream))
            taken[name].append((time.perf_counter() - began) / _STEPS)
    return {name: statistics.median(each[1:]) for name, each in taken.items()}


def affordable(
    trainings: Mapping[str, Training], seconds: Mapping[str, float], seeds: int, budget: float
) -> dict[str, int]:
    """How many steps of each training fit into a budget.

    A branch is paid for what it makes beyond its origin; its length in proportion to its origin's stays.

    Args:
        trainings: by name.
        seconds: a step of each takes.
        seeds: how often each is trained.
        budget: in seconds, of all cores together.
    """
    families: dict[str, list[str]] = {}
    for name, each in trainings.items():
        families.setdefault(each.origin or name, []).append(name)
    full = {
        family: sum(_own_steps(trainings, name) * seconds[name] * seeds for name in members)
        for family, members in families.items()
    }
    steps: dict[str, int] = {}
    left = budget * TRAINING_SHARE
    for number, family in enumerate(sorted(full, key=lambda family: full[family])):
        given = min(full[family], left / (len(full) - number))
        left -= given
        members = families[family]
        floor = max(trainings[name].least / trainings[name].steps for name in members[1:] or members)
        share = min(max(given / full[family], floor), 1.0)
        for name in members:
            begun = steps.get(trainings[name].origin, 0)
            whole = trainings[name].steps
            steps[name] = whole if share == 1.0 else max(_rounded(whole * share), begun + 1)
    return {name: min(steps[name], each.steps) for name, each in trainings.items()}


def _own_steps(trainings: Mapping[str, Training], name: str) -> int:
    """Those that are not its origin's."""
    origin = trainings[name].origin
    return trainings[name].steps - (trainings[origin].steps if origin else 0)


def _rounded(steps: float) -> int:
    """To three digits, for a reader."""
    digits = max(len(str(int(steps))) - 3, 0)
    unit = int("1" + "0" * digits)
    return max(int(steps) // unit * unit, 1)
