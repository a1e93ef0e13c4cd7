"""Which plugin was at work when an exception was raised, so that a stranger's defect is not taken for genframe's."""

from __future__ import annotations

import traceback

from genframe.registry.records import PluginInfo

_homes: dict[str, PluginInfo] = {}


def remember(plugin: PluginInfo) -> None:
    """Notes that code of this plugin may run from now on."""
    _homes[_package(plugin.module.partition(":")[0])] = plugin


def plugin_at_work(error: BaseException) -> PluginInfo | None:
    """The plugin of the innermost frame that belongs to one."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    homes = (_homes.get(_package(module)) for module in reversed(modules))
    return next((home for home in homes if home is not None), None)


def _package(module: str) -> str:
    return module.partition(".")[0]
