"""What ``visualize`` and ``evaluate`` share: a part from the command line, and a run opened for looking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from genframe.build import Builder
from genframe.config import assignment
from genframe.errors import ConfigError
from genframe.loading import LoadedGenerator, of_runs
from genframe.registry import Registry
from genframe.sampling import View
from genframe.specs import Choice


def choice(name: str, assignments: Iterable[str]) -> Choice:
    """The part `name` with the settings of ``--set KEY=VALUE``."""
    settings: dict[str, Any] = {}
    for text in assignments:
        settings |= assignment(text)
    return Choice(name=name, settings=settings)


def view_of(generator: LoadedGenerator, registry: Registry, seed: int) -> View:
    """The run as metrics and visualizers see it; its dataset is opened when one of them asks."""
    return generator.view(seed, Builder(generator.config, of_runs(registry)).dataset)


def metrics_of(generator: LoadedGenerator, names: Sequence[str], assignments: Sequence[str]) -> list[Choice]:
    """The metrics that were asked for, else those of the run.

    Raises:
        ConfigError: there are neither.
    """
    if names:
        return [choice(name, assignments) for name in names]
    extra = choice("", assignments).settings
    chosen = [Choice(name=each.name, settings={**each.settings, **extra}) for each in generator.config.metrics]
    if not chosen:
        raise ConfigError(f"recipe '{generator.config.recipe}' has no metrics of its own: name one with --metric")
    return chosen
