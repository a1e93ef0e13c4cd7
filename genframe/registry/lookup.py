"""Every spec known now, by kind and name."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import genframe
from genframe.errors import PluginError, nearest, quoted
from genframe.registry.entrypoints import discover, is_disabled
from genframe.registry.records import THIS_PROCESS, BrokenPlugin, PluginInfo, Registered
from genframe.specs import API_VERSION, KINDS, PartSpec, Spec

_PROCESS = PluginInfo(name=THIS_PROCESS, module="", distribution=THIS_PROCESS, version="")

_registered: dict[tuple[str, str], Registered] = {}


def register(spec: Spec) -> None:
    """Makes a spec known in this process, without packaging: for a notebook or a test.

    A second one of the same kind and name replaces the first, so that a cell can be run again.
    """
    _registered[spec.kind, spec.name] = Registered(spec, _PROCESS)


def load_registry(plugins_dirs: Sequence[Path] = ()) -> Registry:
    """Imports every plugin that is not switched off and collects what they offer. Imports no factory.

    A broken plugin is fatal only when something of it is asked for, or with ``GENFRAME_STRICT_PLUGINS=1``.

    Args:
        plugins_dirs: folders whose ``*.py`` files are plugins, beside those of ``GENFRAME_PLUGINS_DIR``.

    Raises:
        ConfigError: a folder does not exist.
        PluginError: a plugin is broken and ``GENFRAME_STRICT_PLUGINS`` is set.
    """
    from genframe.registry.manager import load  # pluggy; whoever asks for metadata alone does without

    found = discover(plugins_dirs)
    plugins = [plugin for plugin in found if not is_disabled(plugin)]
    loaded = [load(plugin) for plugin in plugins]
    registry = Registry(
        plugins=plugins,
        specs=[*(spec for each in loaded for spec in each.specs), *_registered.values()],
        broken=[broken for each in loaded for broken in each.broken],
        disabled=[plugin for plugin in found if is_disabled(plugin)],
    )
    if registry.broken and os.environ.get("GENFRAME_STRICT_PLUGINS", "0") not in ("", "0"):
        reasons = "; ".join(map(str, registry.broken))
        raise PluginError(f"{reasons} (GENFRAME_STRICT_PLUGINS is set)") from registry.broken[0].error
    return registry


class Registry:
    """What the plugins offer.

    Attributes:
        plugins: all that were loaded or could not be.
        disabled: those that ``GENFRAME_DISABLED_PLUGINS`` switches off.
        broken: what does not work, specs for a newer genframe included; a plugin may occur more than once.
    """

    def __init__(
        self,
        *,
        plugins: Iterable[PluginInfo],
        specs: Iterable[Registered],
        broken: Iterable[BrokenPlugin] = (),
        disabled: Iterable[PluginInfo] = (),
    ) -> None:
        ordered = sorted(specs, key=lambda each: (KINDS.index(each.spec.kind), each.spec.name, each.plugin))
        self._usable = [each for each in ordered if each.spec.api <= API_VERSION]
        self._too_new = [each for each in ordered if each.spec.api > API_VERSION]
        self._preferred = ""
        self.disabled = list(disabled)
        self.plugins = list(plugins)
        self.broken = [*broken, *(BrokenPlugin(each.plugin, _too_new_reason(each)) for each in self._too_new)]

    def all(self, kind: str | None = None) -> list[Registered]:
        """Every usable spec (of a kind), by kind and name; a name that two plugins offer occurs twice."""
        return [each for each in self._usable if kind in (None, each.spec.kind)]

    def find(self, kind: str, name: str) -> Registered:
        """The spec that `name`, or ``distribution/name``, means.

        Raises:
            PluginError: nobody offers it, several do, or it is too new; the sentence says which plugins did not load.
        """
        if kind not in KINDS:
            raise PluginError(f"'{kind}' is not a kind of part; the kinds are {quoted(KINDS)}.{nearest(kind, KINDS)}")
        found = _matches(self._usable, kind, name)
        if len(found) > 1:
            found = [each for each in found if each.plugin.is_from(self._preferred)] or found
        if len(found) > 1:
            raise PluginError(_ambiguous(found))
        if not found:
            raise self._missing(kind, name)
        return found[0]

    def preferring(self, distribution: str) -> Registry:
        """The same, where a name that several plugins offer is this distribution's, if it is one of them."""
        registry = copy.copy(self)
        registry._preferred = distribution
        return registry

    def find_spec(self, kind: str, name: str) -> PartSpec:
        """The spec alone, of a kind that is built (any but ``recipe``).

        Raises:
            PluginError: as `find`.
        """
        return cast(PartSpec, self.find(kind, name).spec)

    def search(self, name: str) -> list[Registered]:
        """What ``[KIND/]NAME`` means: a spec of each kind that has the name, else all specs of the plugin of that name.

        Raises:
            PluginError: as `find`.
        """
        kind, _, rest = name.partition("/")
        if rest and kind in KINDS:
            return [self.find(kind, rest)]
        kinds = dict.fromkeys(each.spec.kind for each in _matches(self._usable, None, name))
        found = [self.find(kind, name) for kind in kinds]
        found = found or [each for each in self._usable if each.plugin.is_called(name)]
        if not found:
            raise self._missing(None, name)
        return found

    def _missing(self, kind: str | None, name: str) -> PluginError:
        if too_new := _matches(self._too_new, kind, name):
            return PluginError(f"plugin {too_new[0].plugin} is too new: {_too_new_reason(too_new[0])}")
        for broken in self.broken:
            if broken.plugin.is_called(name):
                error = PluginError(f"{broken}: repair or uninstall it")
                error.__cause__ = broken.error
                return error
        known = dict.fromkeys(each.spec.name for each in self.all(kind))
        hint = f"known are {quoted(known)}." if kind else "see genframe plugins list --specs."
        message = f"no {kind or 'spec or plugin'} is called '{name}'; {hint}{nearest(name, known)}"
        return PluginError(message + self._absent())

    def _absent(self) -> str:
        """Who else may offer what was not found."""
        broken = "; ".join(f"{each.plugin}: {each.reason}" for each in self.broken)
        disabled = ", ".join(map(str, self.disabled))
        return (f" It may be in what did not load: {broken}." if broken else "") + (
            f" GENFRAME_DISABLED_PLUGINS switches off {disabled}." if disabled else ""
        )


def _matches(specs: Iterable[Registered], kind: str | None, name: str) -> list[Registered]:
    distribution, _, own = name.rpartition("/")
    return [
        each
        for each in specs
        if kind in (None, each.spec.kind)
        and each.spec.name == own
        and (not distribution or each.plugin.is_from(distribution))
    ]


def _ambiguous(found: Sequence[Registered]) -> str:
    first = found[0].spec
    offers = " and ".join(f"plugin {each.plugin}" for each in found)
    names = dict.fromkeys(each.qualified_name for each in found)
    choice = f"write {' or '.join(map(repr, names))}" if len(names) == len(found) else "disable one of them"
    return f"{first.kind} '{first.name}' is offered by {offers}: {choice} (GENFRAME_DISABLED_PLUGINS switches one off)"


def _too_new_reason(found: Registered) -> str:
    spec = found.spec
    return (
        f"{spec.kind} '{spec.name}' speaks version {spec.api} of the contracts and genframe {genframe.__version__} "
        f"speaks {API_VERSION}: upgrade genframe, or take an older version of the plugin"
    )
