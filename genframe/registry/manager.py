"""Importing plugins and asking each for its specs, so that a broken one never takes the others down.

pluggy's own loader stops at the first entry point that fails and skips a second one of the same name; one hook that
raises aborts the whole hook call. Here each plugin is imported, registered and asked alone.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from genframe import hookspecs
from genframe.errors import nearest
from genframe.registry import blame
from genframe.registry.entrypoints import GROUP
from genframe.registry.records import BrokenPlugin, PluginInfo, Registered
from genframe.specs import SPEC_CLASSES, Spec

_CLASSES = {spec_class.hook: spec_class for spec_class in SPEC_CLASSES}


class _MalformedError(Exception):
    """A plugin that can be imported but breaks the contract of hooks; the message says how."""


@dataclass(frozen=True)
class Loaded:
    """What became of a plugin: the specs that it offers, and what of it does not work."""

    specs: list[Registered] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)


def load(plugin: PluginInfo) -> Loaded:
    """Imports a plugin and asks it for its specs."""
    loaded = Loaded()
    with _recording(plugin, loaded.broken):
        module = _imported(plugin)
        blame.remember(plugin)
        for hook, implementation in _implementations(module):
            with _recording(plugin, loaded.broken):
                loaded.specs.extend(Registered(spec, plugin) for spec in _specs(hook, implementation))
    return loaded


@contextlib.contextmanager
def _recording(plugin: PluginInfo, broken: list[BrokenPlugin]) -> Iterator[None]:
    """Turns whatever a plugin raises into a record. What it prints goes to stderr: stdout may be somebody's JSON."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except _MalformedError as error:
        broken.append(BrokenPlugin(plugin, str(error)))
    except KeyboardInterrupt:  # the user's
        raise
    except BaseException as error:  # anything: it is a stranger's code
        broken.append(BrokenPlugin(plugin, " ".join(f"{type(error).__name__}: {error}".split()), error))


def _imported(plugin: PluginInfo) -> Any:
    if plugin.file is None:
        return EntryPoint(plugin.name, plugin.module, GROUP).load()
    folder = str(plugin.file.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end, where it hides nothing; the files may import each other
    importlib.invalidate_caches()
    module = importlib.import_module(plugin.module)
    if Path(module.__file__ or "").resolve() != plugin.file:
        raise _MalformedError(f"another module is called '{plugin.module}' ({module.__file__}): rename the file")
    return module


def _implementations(module: Any) -> list[tuple[str, Callable[[], Any]]]:
    """The hooks that the plugin implements, by name.

    A manager for each plugin, so that nothing has to be undone where one breaks the rules.
    """
    manager = pluggy.PluginManager("genframe")
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    callers = manager.get_hookcallers(module) or []
    if not callers:
        raise _MalformedError("it implements no hook: decorate its functions with @genframe.hookimpl")
    for caller in callers:
        required = any(not implementation.optionalhook for implementation in caller.get_hookimpls())
        if not caller.has_spec() and required:
            raise _MalformedError(f"it implements an unknown hook '{caller.name}'.{nearest(caller.name, _CLASSES)}")
    return [(each.name, each.get_hookimpls()[0].function) for each in callers if each.has_spec()]


def _specs(hook: str, implementation: Callable[[], Any]) -> list[Spec]:
    returned = implementation()
    if isinstance(returned, Spec):
        raise _MalformedError(f"its {hook} returned one {type(returned).__name__}: yield it, or return a list")
    specs = list(returned)
    for spec in specs:
        if not isinstance(spec, _CLASSES[hook]):
            given = f"{type(spec).__name__} '{spec.name}'" if isinstance(spec, Spec) else repr(spec)
            raise _MalformedError(
                f"its {hook} returned {given}, and each item is to be of genframe.specs.{_CLASSES[hook].__name__}"
            )
    return specs
