"""The checks that every kind has: the spec, the settings, and what a part must leave alone."""

from __future__ import annotations

import importlib
import json
import time
import tomllib
from dataclasses import fields
from typing import Any

import tomli_w

from genframe.config import RunConfig
from genframe.errors import GenframeError
from genframe.registry.records import THIS_PROCESS
from genframe.settings import validated
from genframe.specs import Choice, PartSpec
from genframe.testing.catalogue import Checks, Entry
from genframe.testing.registration import registered_alone
from genframe.testing.results import FaultError, SkippedError, Work, require
from genframe.testing.sources import pickling
from genframe.testing.subject import Subject
from genframe.testing.surroundings import TORCH_GENERATOR, Surroundings
from genframe.training_settings import TrainingSettings

#: How many seconds are spent to say how quick a part is.
_PATIENCE = 0.05

#: Of every part.
CHECKS = Checks()

#: Of a recipe, which is not built.
RECIPE_CHECKS = Checks()


#: Checks that say something of a part that cannot be built, too.
WITHOUT_THE_PART = frozenset({"registration", "settings", "factory", "no-pickling"})


def registration(subject: Subject) -> None:
    """The plugin's module, alone in a process of its own."""
    plugin, spec = subject.found.plugin, subject.found.spec
    if plugin.distribution == THIS_PROCESS:
        raise SkippedError("it was registered in this process: no module offers it")
    alone = registered_alone(plugin)
    require(not alone["broken"], "; ".join(alone["broken"]))
    require([spec.kind, spec.name] in alone["specs"], f"alone in a process, the plugin offers {alone['specs']}")
    require(
        not alone["heavy"],
        f"the plugin's module '{plugin.module}' imports {', '.join(alone['heavy'])}: import it where a run needs it, "
        "in the module that the factory names",
    )


_REGISTRATION = ("registration", "its plugin is imported without torch and offers it, alone in a process")
for _checks in (CHECKS, RECIPE_CHECKS):
    _checks.add(*_REGISTRATION)(registration)


@CHECKS.add("settings", "settings are frozen, keyword-only, and survive TOML")
def settings(subject: Subject) -> str:
    """What is written into ``config.toml`` is what was meant."""
    spec = subject.spec
    params: Any = spec.settings.__dataclass_params__  # type: ignore[attr-defined]
    require(params.frozen, f"{spec.settings.__name__} is not frozen: write @dataclass(frozen=True, kw_only=True)")
    loose = [field.name for field in fields(spec.settings) if field.init and not field.kw_only]
    require(not loose, f"{spec.settings.__name__} takes {', '.join(loose)} by place: write kw_only=True")
    try:
        given = validated(spec.settings, subject.settings, subject.name)
        values = {field.name: getattr(given, field.name) for field in fields(spec.settings) if field.init}
        text = tomli_w.dumps(_tree(Choice(name=spec.name, settings=values)))
        back = validated(spec.settings, {k: v for k, v in tomllib.loads(text).items() if k != "name"}, subject.name)
    except (TypeError, ValueError, GenframeError) as error:
        raise FaultError(f"its settings cannot be written as TOML and read again: {error}") from error
    changed = [name for name, value in values.items() if getattr(back, name) != value]
    pairs = ", ".join(f"{name} was {values[name]!r} and is {getattr(back, name)!r}" for name in changed)
    require(not changed, f"settings change on the way through TOML: {pairs}")
    return f"{len(values)} settings"


@CHECKS.add("factory", "the factory is found, and what it makes has the methods of its kind")
def factory(subject: Subject) -> None:
    """Built with the settings at hand, as a run builds it."""
    _kind(subject).made(subject)


@CHECKS.add("global-state", "it leaves random generators, defaults and the environment of the process alone")
def global_state(subject: Subject) -> None:
    """Built and used once to have everything imported, and once more to be watched."""
    before = Surroundings()
    _kind(subject).work(subject).run()
    before.restore()
    work: Work = _kind(subject).work(subject)
    work.run()
    changed = [name for name in before.changes() if not (work.draws and name == TORCH_GENERATOR)]
    require(not changed, f"it changes {', '.join(changed)}")


@CHECKS.add("no-pickling", "its code neither writes nor reads pickles")
def no_pickling(subject: Subject) -> str:
    """By the source, since a pickle runs whatever it holds."""
    files, found = pickling(subject.spec, subject.found.plugin)
    require(not found, "; ".join(found))
    return f"{files} files" if files > 1 else ""


def _throughput(subject: Subject) -> str:
    """How quick it is on this machine."""
    work: Work = _kind(subject).work(subject)
    work.run()
    began, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - began < _PATIENCE:
        work.run()
        rounds += 1
    rate = rounds * work.count / (time.perf_counter() - began)
    figure = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    return ", ".join(filter(None, (f"{figure} {work.unit} a second", work.note)))


#: Comes last of each kind that is used in one way.
THROUGHPUT = Entry(name="throughput", explanation="how quick it is on this machine", examine=_throughput)


def _tree(choice: Choice) -> Any:
    """The part as a configuration writes it."""
    config = RunConfig(
        recipe="", seed=0, training=TrainingSettings(), parts={"part": choice}, slots={}, metrics=(), observers=()
    )
    tree = config.tree()["part"]
    json.dumps(tree)  # a checkpoint holds it as JSON
    return tree


def _kind(subject: Subject) -> Any:
    assert isinstance(subject.found.spec, PartSpec)
    return importlib.import_module(f"genframe.testing.kinds.{subject.found.spec.kind}")
