"""A spec as plain values, for ``genframe plugins show`` and its ``--json``; reads records, imports no factory."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from genframe.registry import PluginInfo, Registered
from genframe.specs import Choice, PartSpec

#: What every spec has, and what is shown in its own way.
_COMMON = frozenset({"name", "summary", "api", "factory", "settings"})


def plugin_details(plugin: PluginInfo) -> dict[str, str]:
    """Who offers it."""
    return {
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "module": plugin.module if plugin.file is None else str(plugin.file),
    }


def summary_details(found: Registered) -> dict[str, str]:
    """What a listing says of a spec."""
    return {"kind": found.spec.kind, "name": found.spec.name, "summary": found.spec.summary} | plugin_details(
        found.plugin
    )


def spec_details(found: Registered) -> dict[str, Any]:
    """Everything that a spec says. What only its kind has comes under ``details``, such as the parts of a recipe."""
    spec = found.spec
    own = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec) if field.name not in _COMMON}
    built: dict[str, Any] = {}
    if isinstance(spec, PartSpec):
        built = {"factory": _plain(spec.factory), "settings": list(_settings(spec.settings))}
    return {**summary_details(found), "api": spec.api, **built, "details": _plain(own)}


def _settings(settings: type) -> Iterator[dict[str, Any]]:
    meanings = dict(_meanings(settings))
    for field in dataclasses.fields(settings):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield {
            "name": field.name,
            "type": field.type if isinstance(field.type, str) else inspect.formatannotation(field.type),
            "default": _plain(default),
            "meaning": meanings.get(field.name, ""),
        }


def _meanings(settings: type) -> Iterator[tuple[str, str]]:
    """What the ``Attributes:`` of the docstring say, by name; ``a, b: text`` speaks of two."""
    section = (inspect.getdoc(settings) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    for names, text in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
        for name in names.split(","):
            yield name.strip(), " ".join(text.split())


def _plain(value: Any) -> Any:
    """Only what JSON can say."""
    if isinstance(value, Choice):
        return {"name": value.name, **_plain(value.settings)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
