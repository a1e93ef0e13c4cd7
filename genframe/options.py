"""The flags of ``genframe run``, which are the keyword arguments of `genframe.train` too, and where each one goes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genframe.config import PART_KINDS, RunConfig, Tree, leaves, read_toml, resolve, tree_of
from genframe.errors import ConfigError, DataError, nearest, quoted
from genframe.registry import Registered, Registry
from genframe.specs import AlgorithmSpec, DatasetSpec, RecipeSpec

_LENGTHS = frozenset({"training.steps", "training.epochs", "training.minutes"})

#: Option -> the key of the configuration that it sets.
KEYS: Mapping[str, str] = {
    "seed": "seed",
    "steps": "training.steps",
    "epochs": "training.epochs",
    "minutes": "training.minutes",
    "init_from": "training.init_from",
    "evaluate_every": "training.evaluate_every",
    "keep_best": "training.keep_best",
    "batch_size": "training.batch_size",
    "device": "training.device",
    "precision": "training.precision",
    "backend": "training.backend",
    "workers": "training.workers",
    "log_every": "training.log_every",
    "sample_every": "training.sample_every",
    "checkpoint_every": "training.checkpoint_every",
    "keep_last": "training.keep_last",
    "image_size": "data.image_size",
    "mirror": "data.mirror",
    "data_dir": "data.data_dir",
    "data_memory": "data.memory",
    "skip_bad_images": "data.skip_bad_images",
    "lr": "algorithm.learning_rate",
    "algorithm": "algorithm.name",
    "architecture": "architecture.name",
    "conditioning": "conditioning.name",
    "noise": "noise.name",
    "noise_dim": "noise.dim",
    "objective": "objective.name",
    "regularizer": "regularizers",
    "augmentation": "augmentations",
    "metric": "metrics",
    "observer": "observers",
    "stop_on_collapse": "observers",
}

#: Options that change the observers which everything else has led to, instead of setting a key.
_WATCHING = frozenset({"observer", "stop_on_collapse"})

#: The observer that ``stop_on_collapse`` is a setting of.
_MONITOR = "health"


def configure(
    registry: Registry,
    *,
    recipe: str | None,
    config_file: Path | None = None,
    options: Mapping[str, Any],
    settings: Sequence[Tree] = (),
) -> RunConfig:
    """The configuration of a run: the recipe, then the file, then the options, then single settings.

    Raises:
        ConfigError: no recipe is named, or something does not fit; the sentence says what.
        PluginError: a part that no plugin offers.
    """
    tree = dict(read_toml(config_file)) if config_file else {}
    name = _named(recipe, tree.pop("recipe", None), f"--config {config_file}", registry)
    return _configured(registry, {**tree, "recipe": name}, options, settings)


def _named(recipe: str | None, written: Any, where: str, registry: Registry) -> str:
    """The recipe's name, from the flag or from what is written."""
    if recipe and written and recipe != written:
        raise ConfigError(f"--plugin {recipe} and {where} (of recipe '{written}') contradict each other")
    name = recipe or written
    if not isinstance(name, str):
        known = quoted(found.spec.name for found in registry.all("recipe"))
        raise ConfigError(f"name a recipe: --plugin RECIPE, or --config FILE with recipe = ...; known are {known}")
    return name


def _configured(registry: Registry, tree: Tree, options: Mapping[str, Any], settings: Sequence[Tree]) -> RunConfig:
    """The recipe that `tree` names, then the rest of it, then the options, then single settings."""
    rest = dict(tree)
    spec = _with_own_parts(registry, registry.find("recipe", rest.pop("recipe")))
    others = {key: value for key, value in options.items() if key not in _WATCHING}
    single = _together(settings)
    watching = {"observers": single.pop("observers")} if "observers" in single else {}
    changes = [rest, *trees(others, registry), single]
    if options.get("observer"):
        changes.append(_watched(resolve(spec, changes, registry.find_spec), options["observer"]))
    changes.append(watching)
    config = resolve(spec, changes, registry.find_spec)
    if not options.get("stop_on_collapse"):
        return config
    return resolve(spec, [*changes, _stopping(config)], registry.find_spec)


def _with_own_parts(registry: Registry, found: Registered) -> RecipeSpec:
    """A recipe whose parts are those of its own distribution where others offer parts of these names, too."""
    spec = found.spec
    assert isinstance(spec, RecipeSpec)
    preferring = registry.preferring(found.plugin.distribution)
    algorithm = preferring.find("algorithm", spec.algorithm.name).spec
    assert isinstance(algorithm, AlgorithmSpec)

    def own(kind: str, choices: Any) -> Any:
        if isinstance(choices, tuple):
            return tuple(own(kind, each) for each in choices)
        rivals = [each for each in registry.all(kind) if each.spec.name == choices.name]
        return replace(choices, name=preferring.find(kind, choices.name).qualified_name) if len(rivals) > 1 else choices

    slots = {
        name: own(algorithm.slots[name].kind, choices) if name in algorithm.slots else choices
        for name, choices in spec.slots.items()
    }
    parts = {key: own(kind, getattr(spec, key)) for key, kind in PART_KINDS.items()}
    return replace(spec, slots=slots, **parts)


def _watched(config: RunConfig, names: Sequence[str]) -> Tree:
    """The observers of a configuration, and behind them those with these names that are not among them yet."""
    if isinstance(names, str):
        raise ConfigError(f"observer takes names, such as [{names!r}]; got {names!r}")
    observers: list[Tree] = config.tree()["observers"]
    for name in names:
        if name.rpartition("/")[2] not in [each["name"].rpartition("/")[2] for each in observers]:
            observers.append({"name": name})
    return {"observers": observers}


def _stopping(config: RunConfig) -> Tree:
    """The observers of a configuration, and the monitor among them told to end the run where samples collapse."""
    observers: list[Tree] = config.tree()["observers"]
    monitors = [each for each in observers if each["name"].rpartition("/")[2] == _MONITOR]
    if not monitors:
        return {"observers": [*observers, {"name": _MONITOR, "stop": True}]}
    return {"observers": [each | {"stop": True} if each in monitors else each for each in observers]}


def configure_resumed(
    registry: Registry,
    stored: Tree,
    *,
    recipe: str | None,
    options: Mapping[str, Any],
    settings: Sequence[Tree] = (),
) -> tuple[RunConfig, str]:
    """The stored configuration of a run that goes on, which wins over the options, except that a run may grow.

    Returns:
        The configuration, and a sentence on what was asked for and does not count; empty if nothing.

    Raises:
        ConfigError: the recipe is another one, or an option does not exist.
    """
    stored = {**stored, "recipe": _named(recipe, stored.get("recipe"), "the run's config.toml", registry)}
    before = _configured(registry, stored, {}, ())
    asked = _configured(registry, stored, options, settings)
    old, new = leaves(before.tree()), leaves(asked.tree())
    kept = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key) and key not in _LENGTHS]
    length = {key: options.get(key) for key in ("steps", "epochs", "minutes")}
    grown = _configured(registry, stored, length, ())
    if before.training.steps and grown.training.steps and grown.training.steps < before.training.steps:
        kept, grown = [*kept, "training.steps"], before
    if not kept:
        return grown, ""
    said = ", ".join(f"{key} stays {old.get(key)!r}" for key in kept)
    return grown, f"--resume goes by the run's own configuration, and a run may only grow: {said}"


def configure_branch(
    registry: Registry,
    origin: RunConfig,
    *,
    recipe: str | None,
    options: Mapping[str, Any],
    settings: Sequence[Tree] = (),
) -> RunConfig:
    """The configuration of a run that begins with the state of another: that one's, with the options over it.

    Raises:
        ConfigError: the recipe is another one, or something does not fit.
    """
    if recipe and recipe != origin.recipe:
        raise ConfigError(f"--plugin {recipe} and --branch-from a run of '{origin.recipe}' contradict each other")
    return _configured(registry, origin.tree(), options, settings)


def _together(settings: Sequence[Tree]) -> Tree:
    """Single settings as one tree, so that a part's name and its settings may be given in any order."""
    together: Tree = {}
    for tree in settings:
        together = _overlaid(together, tree)
    return together


def _overlaid(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: _overlaid(old.get(key), value) for key, value in new.items()}


def trees(options: Mapping[str, Any], registry: Registry) -> list[Tree]:
    """One tree an option that was given, in an order in which each lands on the part that the others chose.

    Raises:
        ConfigError: options that contradict each other, or one that does not exist.
        DataError: ``data`` is a path at which nothing readable lies.
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    lengths = [f"--{name}" for name in ("steps", "epochs", "minutes") if name in given]
    if len(lengths) > 1:
        raise ConfigError(f"{' and '.join(lengths)} contradict each other: give one of them")
    data = [{"data": data_table(str(given.pop("data")), registry)}] if "data" in given else []
    for option in given:
        if option not in KEYS:
            raise ConfigError(f"'{option}' is not an option; known are {quoted(KEYS)}.{nearest(option, KEYS)}")
    for option in given.keys() & {"data_dir", "init_from"}:
        given[option] = str(Path(os.path.expanduser(given[option])).resolve())
    choices_first = sorted(given, key=lambda option: not KEYS[option].endswith(".name"))
    return data + [tree_of(KEYS[option], _listed(given[option])) for option in choices_first]


def data_table(text: str, registry: Registry) -> Tree:
    """The part ``data`` for a dataset's name or a path."""
    if not text.strip():
        raise ConfigError("--data is empty: give a dataset's name or a path")
    names = [found.spec.name for found in registry.all("dataset")]
    path = Path(os.path.expanduser(text))
    if text in names or text in [found.qualified_name for found in registry.all("dataset")]:
        return {"name": text}
    for found in registry.all("dataset"):
        spec = found.spec
        if isinstance(spec, DatasetSpec) and spec.opens is not None and spec.opens(path):
            return {"name": spec.name, "path": str(path.resolve())}
    if path.exists():
        raise DataError(f"--data {text}: no dataset plugin reads it; datasets known by name are {quoted(names)}")
    if "/" in text or path.suffix:
        raise DataError(f"--data {text}: there is no such file or folder")
    registry.find("dataset", text)
    raise AssertionError("the registry finds no dataset of a name that it does not list")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
