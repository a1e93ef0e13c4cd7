"""From a recipe, a TOML file and flags to one checked configuration.

A configuration is a tree. Its top-level keys are ``recipe``, ``seed``, ``training``, the parts (``algorithm``,
``architecture``, ``conditioning``, ``data``, ``preview``, ``metrics``, ``observers``) and the slots of the algorithm. A
part is a table with its ``name`` and its settings. Later sources win; where one chooses another part, the settings of
the part that it replaces go with it.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from genframe.errors import ConfigError, nearest, quoted
from genframe.settings import validated
from genframe.specs import AlgorithmSpec, Choice, PartSpec, RecipeSpec, Slot
from genframe.training_settings import TRAINING_KEYS, TrainingSettings, training_settings

Tree = dict[str, Any]

#: Looks a spec up by kind and name; the registry's `find` behind it.
Find = Callable[[str, str], PartSpec]

_SINGLE_PARTS: Mapping[str, str] = {
    "algorithm": "algorithm",
    "architecture": "architecture",
    "conditioning": "conditioning",
    "data": "dataset",
    "preview": "visualizer",
}
_MANY_PARTS: Mapping[str, str] = {"metrics": "metric", "observers": "observer"}
#: The kind of each part that is not in an algorithm's slot, by its key.
PART_KINDS: Mapping[str, str] = {**_SINGLE_PARTS, **_MANY_PARTS}

#: Slots that have a flag; not every algorithm has them.
_FLAGGED_SLOTS = ("noise", "objective", "regularizers", "augmentations", "terms")
_LENGTHS = ("steps", "epochs", "minutes")
_OTHER_KEYS = ("recipe", "seed", "training")

#: Tables within tables, beyond which nothing that a part understands is found.
_DEEPEST = 20

#: The size of a file, in bytes, beyond which it is not read: some that are hostile take time with the square of it.
_LARGEST = 50_000

#: Python prints whole numbers of up to 4,300 digits.
_MOST_BITS = 10_000

_EXCESS = f"more than {_DEEPEST} tables within each other, or a number of thousands of digits"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The whole configuration of a run, every setting filled in.

    Attributes:
        recipe: its name.
        seed: of every random stream.
        training: how to train.
        parts: the single parts, by key: algorithm, architecture, conditioning, data, preview.
        slots: what fills the algorithm's slots: a part, a tuple of parts, or None where an optional slot is empty.
        metrics, observers: any number each.
    """

    recipe: str
    seed: int
    training: TrainingSettings
    parts: Mapping[str, Choice]
    slots: Mapping[str, Choice | tuple[Choice, ...] | None]
    metrics: tuple[Choice, ...]
    observers: tuple[Choice, ...]

    @property
    def data_name(self) -> str:
        """What to call the data: the name of a set, or of a user's file or folder without its ending."""
        path = self.parts["data"].settings.get("path")
        return Path(str(path)).stem if path else self.parts["data"].name.rpartition("/")[2]

    def tree(self) -> Tree:
        """The configuration as TOML has it; `resolve` of this tree gives the same configuration."""
        filled = {name: choice for name, choice in self.slots.items() if choice}
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            "training": _plain(dataclasses.asdict(self.training)),
            **{key: _table(choice) for key, choice in {**self.parts, **filled}.items()},
            "metrics": _table(self.metrics),
            "observers": _table(self.observers),
        }


def resolve(recipe: RecipeSpec, overrides: Iterable[Tree], find: Find) -> RunConfig:
    """The recipe with `overrides` laid over it in order, checked part by part.

    Raises:
        ConfigError: an unknown key, a wrong type, an empty slot; the sentence begins with the key's path.
        PluginError: a part that no plugin offers.
    """
    tree = _recipe_tree(recipe)
    _check_keys(dict.fromkeys(recipe.slots), _slots(tree, [], find))
    changes = [_normal(override) for override in overrides]
    slots = _slots(tree, changes, find)
    tree = {key: value for key, value in tree.items() if key in _known_keys(slots)}
    for change in changes:
        _check_keys(change, slots)
        tree = _merged(tree, change)
    return RunConfig(
        recipe=recipe.name,
        seed=_seed(tree["seed"]),
        training=training_settings(tree["training"]),
        parts={key: _choice(find, kind, tree.get(key), key) for key, kind in _SINGLE_PARTS.items()},
        slots={name: _fill(find, slot, tree.get(name), name) for name, slot in slots.items()},
        metrics=_many(find, "metric", tree.get("metrics"), "metrics"),
        observers=_many(find, "observer", tree.get("observers"), "observers"),
    )


def stored(tree: Tree, find: Find) -> RunConfig:
    """The configuration of an earlier run, from its whole tree.

    It was checked when the run began. Parts are looked up when they are built, so that sampling works where, say, the
    run's metrics are not installed.
    """
    slots = _slots(tree, [], find)
    empty = {name: () if slot.many else None for name, slot in slots.items()}
    return RunConfig(
        recipe=tree["recipe"],
        seed=tree["seed"],
        training=training_settings({key: value for key, value in tree["training"].items() if key in TRAINING_KEYS}),
        parts={key: _stored_choice(tree[key]) for key in _SINGLE_PARTS},
        slots={name: _stored_choice(tree[name]) if name in tree else empty[name] for name in slots},
        metrics=_stored_choice(tree["metrics"]),
        observers=_stored_choice(tree["observers"]),
    )


def read_toml(path: Path) -> Tree:
    """The tree in a TOML file.

    Raises:
        ConfigError: it cannot be read or is not TOML.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"--config {path} has more than {_LARGEST:,} bytes, and no configuration has")
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # also of bytes that are no text, and of endless numbers
        raise ConfigError(f"--config {path} cannot be read as TOML: {error}") from None
    if _is_excessive(tree):
        raise ConfigError(f"--config {path} has {_EXCESS}, and no part takes that")
    return tree


def assignment(text: str) -> Tree:
    """The tree of one ``--set key.path=value``. The value is TOML; a bare word is a string."""
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise ConfigError(f"--set takes key.path=value, such as --set noise.dim=64; got {text!r}")
    if path.count(".") >= _DEEPEST:
        raise ConfigError(f"--set takes at most {_DEEPEST} keys within each other; got {text!r}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        parsed = value
    if _is_excessive(parsed):
        raise ConfigError(f"--set takes no value with {_EXCESS}; got {text!r}")
    return tree_of(path, parsed)


def tree_of(path: str, value: Any) -> Tree:
    """``{"a": {"b": value}}`` for the path ``a.b``."""
    key, dot, rest = path.partition(".")
    return {key: tree_of(rest, value) if dot else value}


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """The values of a tree by their paths: ``{"a.b": value}``."""
    if not isinstance(tree, Mapping):
        return {path: tree}
    return {key: v for name, each in tree.items() for key, v in leaves(each, f"{path}.{name}".lstrip(".")).items()}


def _is_excessive(value: Any) -> bool:
    """Whether tables and lists are within each other more than `_DEEPEST` times, or a number is too long to print."""
    level = [value]
    for _ in range(_DEEPEST):
        if any(isinstance(each, int) and each.bit_length() > _MOST_BITS for each in level):
            return True
        tables = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = list(chain.from_iterable(tables))
    return bool(level)


def _recipe_tree(recipe: RecipeSpec) -> Tree:
    parts = {key: getattr(recipe, key) for key in (*_SINGLE_PARTS, *_MANY_PARTS)}
    tables = {key: _table(choice) for key, choice in (parts | dict(recipe.slots)).items()}
    return {"recipe": recipe.name, "seed": 0, "training": dict(recipe.training), **tables}


def _stored_choice(table: Any) -> Any:
    if isinstance(table, list):
        return tuple(_stored_choice(each) for each in table)
    return Choice(name=table["name"], settings={key: value for key, value in table.items() if key != "name"})


def _table(choice: Choice | Sequence[Choice]) -> Any:
    if isinstance(choice, Choice):
        return {"name": choice.name, **_plain(choice.settings)}
    return [_table(each) for each in choice]


def _plain(settings: Mapping[str, Any]) -> Tree:
    """Only what TOML can say: no None, lists for tuples, text for paths."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _plain(value)
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, Path) else value

    return {key: plain(value) for key, value in settings.items() if value is not None}


def _normal(tree: Tree) -> Tree:
    """A part written as its bare name becomes a table; one way to say how long a run is puts the others aside."""

    def table(key: str, value: Any) -> Any:
        if key in _OTHER_KEYS:
            return value
        if isinstance(value, list):
            return [table(key, each) for each in value]
        return {"name": value} if isinstance(value, str) else value

    training = tree.get("training")
    if isinstance(training, dict) and any(key in training for key in _LENGTHS):
        tree = tree | {"training": dict.fromkeys(_LENGTHS) | training}
    return {key: table(key, value) for key, value in tree.items()}


def _slots(tree: Tree, changes: Sequence[Tree], find: Find) -> Mapping[str, Slot]:
    names = [change["algorithm"].get("name") for change in changes if isinstance(change.get("algorithm"), dict)]
    chosen = [name for name in (tree["algorithm"]["name"], *names) if name is not None]
    spec = find("algorithm", _text(chosen[-1], "algorithm.name"))
    assert isinstance(spec, AlgorithmSpec)
    return spec.slots


def _known_keys(slots: Mapping[str, Slot]) -> tuple[str, ...]:
    return (*_OTHER_KEYS, *_SINGLE_PARTS, *slots, *_MANY_PARTS)


def _check_keys(change: Tree, slots: Mapping[str, Slot]) -> None:
    known = [key for key in _known_keys(slots) if key != "recipe"]
    if "recipe" in change:
        raise ConfigError("a recipe is chosen by --plugin, or at the top of a --config file")
    for key in change:
        if key not in known:
            if key in _FLAGGED_SLOTS:
                raise ConfigError(f"this run's algorithm takes no {key}: leave it out, or name another --algorithm")
            raise ConfigError(
                f"{key} is not a part of this configuration; known are {quoted(known)}.{nearest(key, known)}"
            )


def _merged(base: Any, change: Any) -> Any:
    if isinstance(base, list) and isinstance(change, dict):
        return _merged_places(base, change)
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    if "name" in change and base.get("name") not in (None, change["name"]):
        return change
    return base | {key: _merged(base[key], value) if key in base else value for key, value in change.items()}


def _merged_places(base: list[Any], change: Tree) -> list[Any]:
    places = {str(place): old for place, old in enumerate(base)}
    for key, value in change.items():
        if key not in places or not isinstance(value, dict):
            raise ConfigError(
                f"'{key}' is no place in a list of {len(base)} parts: write KEY.0.SETTING=VALUE for a setting of the "
                'first of them, or KEY=["NAME"] for the whole list'
            )
    return [_merged(old, change.get(place, {})) for place, old in places.items()]


def _choice(find: Find, kind: str, table: Any, path: str) -> Choice:
    if not isinstance(table, Mapping) or "name" not in table:
        raise ConfigError(f"{path} names a {kind}, such as --set {path}.name=...; got {table!r}")
    name = _text(table["name"], f"{path}.name")
    raw = {key: value for key, value in table.items() if key != "name"}
    settings = validated(find(kind, name).settings, raw, path)
    fields = [field.name for field in dataclasses.fields(settings)]
    return Choice(name=name, settings={field: getattr(settings, field) for field in fields})


def _many(find: Find, kind: str, tables: Any, path: str) -> tuple[Choice, ...]:
    if not isinstance(tables, list):
        raise ConfigError(f"{path} is a list of parts of the kind {kind}; got {tables!r}")
    return tuple(_choice(find, kind, table, f"{path}.{place}") for place, table in enumerate(tables))


def _fill(find: Find, slot: Slot, table: Any, path: str) -> Choice | tuple[Choice, ...] | None:
    if slot.many:
        return _many(find, slot.kind, [] if table is None else table, path)
    if table is None and not slot.required:
        return None
    return _choice(find, slot.kind, table, path)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{path} is a name; got {value!r}")
    return value


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ConfigError(f"seed is a whole number from 0 to 2**63 - 1; got {value!r}")
    return value
