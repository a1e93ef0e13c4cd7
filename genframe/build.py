"""From names to live objects: the one place where factories are called.

Everything that can be refused without training is refused here, in one sentence.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from genframe.config import RunConfig
from genframe.errors import ConfigError, GenframeError, PluginError, quoted
from genframe.interfaces import (
    Algorithm,
    Architecture,
    Completing,
    Conditioning,
    Dataset,
    Metric,
    Observer,
    Stateful,
    Visualizer,
)
from genframe.registry import Registered, Registry
from genframe.registry.blame import plugin_at_work
from genframe.settings import validated
from genframe.shapes import LABEL_KINDS, Field, Problem
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice, ConditioningSpec, PartSpec

if TYPE_CHECKING:
    from torch.nn import Module

_SpecT = TypeVar("_SpecT", bound=PartSpec)


#: What a part of each kind has; `genframe.interfaces` says what for.
_METHODS: Mapping[str, tuple[str, ...]] = {
    "algorithm": ("problem", "optimizers", "step", "generator"),
    "architecture": ("build",),
    "conditioning": ("encoder", "block", "head"),
    "noise": ("draw", "project"),
    "objective": ("pairs", "critic", "generator"),
    "regularizer": ("__call__",),
    "augmentation": ("__call__",),
    "term": ("__call__",),
    "dataset": ("fields", "__len__", "split", "read"),
    "metric": ("measure",),
    "visualizer": ("draw",),
    "observer": ("started", "logged", "sampled", "finished"),
    "experiment": ("trainings", "conclude"),
}


class Builder:
    """Builds the parts of one configuration."""

    def __init__(self, config: RunConfig, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self._plugins: dict[str, str] = {}

    @property
    def plugins(self) -> Mapping[str, str]:
        """The versions of the distributions whose parts were built so far."""
        return dict(sorted(self._plugins.items()))

    def dataset(self) -> Dataset:
        """The dataset, both parts."""
        return cast(Dataset, self._part("dataset", self._config.parts["data"], "data"))

    def algorithm(self, *, training: bool = True) -> tuple[Algorithm, Mapping[str, Any]]:
        """The algorithm with its slots filled, and what fills each slot.

        Args:
            training: whether it will train. For sampling, nothing but the noise is needed, and other slots stay empty.
        """
        slots = self._spec(AlgorithmSpec, "algorithm").slots
        empty = {name: () if slot.many else None for name, slot in slots.items()}
        parts = empty | {
            name: self._filled(slot.kind, self._config.slots[name], name)
            for name, slot in slots.items()
            if training or slot.kind == "noise"
        }
        algorithm = self._part("algorithm", self._config.parts["algorithm"], "algorithm", parts)
        return cast(Algorithm, algorithm), parts

    @staticmethod
    def stateful(algorithm: Algorithm, parts: Mapping[str, Any]) -> Mapping[str, Stateful]:
        """Those that have numbers of their own, by a name for each: ``algorithm``, ``noise``, ``augmentations.0``."""
        named: dict[str, Any] = {"algorithm": algorithm}
        for slot, filled in parts.items():
            places = {f"{slot}.{place}": part for place, part in enumerate(filled)} if isinstance(filled, tuple) else {}
            named |= places or {slot: filled}
        return {name: part for name, part in named.items() if isinstance(part, Stateful)}

    def fields(self, fields: Mapping[str, Field]) -> Mapping[str, Field]:
        """The dataset's fields that take part in training: labels only where the conditioning scheme carries them.

        Raises:
            ConfigError: the scheme cannot carry the labels, or there are none.
        """
        scheme = self._spec(ConditioningSpec, "conditioning")
        labels = {name: field for name, field in fields.items() if field.kind in LABEL_KINDS}
        if not scheme.carries:
            return {name: field for name, field in fields.items() if name not in labels}
        _check_labels(scheme, labels)
        return fields

    def networks(self, problem: Problem) -> Mapping[str, Module]:
        """The networks by role, initialised from torch's global generator."""
        self._check_roles()
        conditioning = self._part("conditioning", self._config.parts["conditioning"], "conditioning", problem)
        architecture = cast(
            Architecture, self._part("architecture", self._config.parts["architecture"], "architecture")
        )
        with _failures_named(self._registry.find("architecture", self._config.parts["architecture"].name)):
            networks = architecture.build(problem, cast(Conditioning, conditioning))
        if isinstance(conditioning, Completing):
            with _failures_named(self._registry.find("conditioning", self._config.parts["conditioning"].name)):
                conditioning.complete(networks)
        return networks

    def metrics(self) -> Mapping[str, Metric]:
        """The metrics, by name."""
        names = [choice.name for choice in self._config.metrics]
        if len(set(names)) < len(names):
            raise ConfigError(f"each metric is measured once; got {quoted(names)}")
        return {
            choice.name: cast(Metric, self._part("metric", choice, f"metrics.{place}"))
            for place, choice in enumerate(self._config.metrics)
        }

    def observers(self) -> list[Observer]:
        """The observers."""
        return [
            cast(Observer, self._part("observer", choice, f"observers.{place}"))
            for place, choice in enumerate(self._config.observers)
        ]

    def preview(self) -> Visualizer:
        """The visualizer of ``samples/``."""
        return cast(Visualizer, self._part("visualizer", self._config.parts["preview"], "preview"))

    def _filled(self, kind: str, choice: Choice | tuple[Choice, ...] | None, path: str) -> Any:
        if isinstance(choice, tuple):
            return tuple(self._part(kind, each, f"{path}.{place}") for place, each in enumerate(choice))
        return None if choice is None else self._part(kind, choice, path)

    def _part(self, kind: str, choice: Choice, path: str, *arguments: Any) -> Any:
        plugin = self._registry.find(kind, choice.name).plugin
        self._plugins[plugin.distribution] = plugin.version
        return build_part(self._registry, kind, choice, path, *arguments)

    def _spec(self, spec_class: type[_SpecT], key: str) -> _SpecT:
        spec = self._registry.find(spec_class.kind, self._config.parts[key].name).spec
        return cast(_SpecT, spec)

    def _check_roles(self) -> None:
        wanted = self._spec(AlgorithmSpec, "algorithm").roles
        built = self._spec(ArchitectureSpec, "architecture").roles
        if missing := wanted - built:
            names = (self._config.parts[key].name for key in ("algorithm", "architecture"))
            raise ConfigError(
                "algorithm '{}' needs the networks {wanted}, and architecture '{}' builds {built} (no {missing}): "
                "choose another --architecture or --algorithm".format(
                    *names,
                    wanted=quoted(sorted(wanted)),
                    built=quoted(sorted(built)),
                    missing=quoted(sorted(missing)),
                )
            )


def build_part(registry: Registry, kind: str, choice: Choice, path: str, *arguments: Any) -> Any:
    """The part that `choice` names, built from its checked settings.

    Args:
        registry: where the name is looked up.
        kind: the kind of part.
        choice: its name and settings.
        path: the key in the configuration, for messages.
        arguments: what a factory of this kind takes after the settings.
    """
    found = registry.find(kind, choice.name)
    settings = validated(cast(PartSpec, found.spec).settings, choice.settings, path)
    factory = _factory(found)
    with _failures_named(found):
        part = factory(settings, *arguments)
    missing = [name for name in _METHODS[kind] if not hasattr(part, name)]
    if missing:
        raise GenframeError(
            f"{kind} '{found.spec.name}' of plugin {found.plugin} has no {' and no '.join(missing)}: what its factory "
            f"makes is {type(part).__name__}"
        )
    return part


@contextmanager
def _failures_named(found: Registered) -> Iterator[None]:
    """Whatever a stranger's code raises, the message names the part and whose code it was: a part may call others."""
    try:
        yield
    except GenframeError:
        raise
    except (Exception, SystemExit) as error:
        what, reason = f"{found.spec.kind} '{found.spec.name}'", f"{type(error).__name__}: {error}"
        culprit = plugin_at_work(error) or found.plugin
        if culprit == found.plugin:
            raise GenframeError(f"{what} of plugin {culprit} failed when it was built: {reason}") from error
        raise GenframeError(f"plugin {culprit} failed when {what} was built: {reason}") from error


def _factory(found: Registered) -> Any:
    spec = cast(PartSpec, found.spec)
    if not isinstance(spec.factory, str):
        return spec.factory
    module, _, attribute = spec.factory.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # whatever a stranger's module does at import, the message names it
        raise PluginError(
            f"{spec.kind} '{spec.name}' of plugin {found.plugin} cannot be imported from '{spec.factory}': "
            f"{type(error).__name__}: {error}"
        ) from error


def _check_labels(scheme: ConditioningSpec, labels: Mapping[str, Field]) -> None:
    if not labels:
        raise ConfigError(
            f"conditioning '{scheme.name}' needs labels and this data has none: "
            "give labelled data, or take --conditioning none"
        )
    for name, field in labels.items():
        if field.kind not in scheme.carries:
            raise ConfigError(
                f"conditioning '{scheme.name}' carries labels of the kind {quoted(sorted(scheme.carries))}, and the "
                f"data's '{name}' is of the kind '{field.kind}': choose another --conditioning"
            )
        if field.kind == "class" and len(field.classes) < 2:
            raise ConfigError(
                f"conditioning '{scheme.name}' needs at least two classes and the data's '{name}' has only "
                f"{quoted(field.classes)}: give data with more classes, or take --conditioning none"
            )
