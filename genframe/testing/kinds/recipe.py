"""Recipes: every part is there, they fit each other, and a few steps can be made."""

from __future__ import annotations

import math
from typing import cast

from genframe.assembly import assemble
from genframe.build import build_part
from genframe.config import RunConfig, resolve
from genframe.errors import ConfigError, DataError
from genframe.registry import Registry
from genframe.specs import RecipeSpec
from genframe.testing.catalogue import Checks
from genframe.testing.results import SkippedError, require
from genframe.testing.runs import TRAINING, stream_of
from genframe.testing.subject import Subject

CHECKS = Checks()

_STEPS = 2
_BATCH = 4


@CHECKS.add("parts", "every part is offered, and takes the settings that it is given")
def parts(subject: Subject) -> str:
    """As ``genframe run`` resolves it."""
    config = resolve(_spec(subject), [], subject.registry.find_spec)
    for metric in config.metrics:
        subject.registry.find("metric", metric.name)
    return ", ".join(f"{key}: {choice.name}" for key, choice in config.parts.items())


@CHECKS.add("steps", "its networks are built, and two steps leave finite losses and changed weights")
def steps(subject: Subject) -> str:
    """With its own networks on its own data, in batches of 4."""
    config = _short(_spec(subject), subject.registry)
    try:
        assembly = assemble(config, subject.registry)
    except DataError as error:
        raise SkippedError(f"its data is not at hand: {error}") from None
    except ConfigError as error:
        if not _needs_settings(config, subject.registry):
            raise
        raise SkippedError(f"its data wants settings: {error}") from None
    trainer = assembly.trainer
    before = {name: tensor.clone() for name, tensor in trainer.network_tensors().items()}
    stream = stream_of(assembly)
    values = {}
    for number in range(_STEPS):
        values = {name: float(value) for name, value in trainer.step(number, next(stream)).items()}
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        require(not wrong, f"{', '.join(wrong)} of step {number + 1} is not finite")
    after = trainer.network_tensors()
    require(any(not after[name].equal(tensor) for name, tensor in before.items()), "two steps change no weight")
    return ", ".join(f"{role}: {count:,} parameters" for role, count in assembly.parameters().items())


def _spec(subject: Subject) -> RecipeSpec:
    return cast(RecipeSpec, subject.found.spec)


def _short(spec: RecipeSpec, registry: Registry) -> RunConfig:
    length = {**TRAINING, "steps": _STEPS, "batch_size": _BATCH}
    return resolve(spec, [{"training": length}], registry.find_spec)


def _needs_settings(config: RunConfig, registry: Registry) -> bool:
    """Whether it is the dataset that refuses."""
    try:
        build_part(registry, "dataset", config.parts["data"], "data")
    except ConfigError:
        return True
    return False
