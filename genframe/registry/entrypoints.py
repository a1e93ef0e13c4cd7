"""Which plugins there are, from metadata alone: no plugin is imported to answer that."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from genframe.errors import ConfigError
from genframe.registry.records import PLUGINS_DIR, PluginInfo

GROUP = "genframe"


def discover(plugins_dirs: Sequence[Path] = ()) -> list[PluginInfo]:
    """Every plugin: installed ones, then those of the folders and of ``GENFRAME_PLUGINS_DIR``; switched-off ones too.

    Raises:
        ConfigError: a folder does not exist.
    """
    given = (*plugins_dirs, *_folders_of_environment())
    folders = dict.fromkeys(Path(os.path.expanduser(folder)).resolve() for folder in given)
    return [*sorted(set(_installed())), *(plugin for folder in folders for plugin in _in_folder(folder))]


def is_disabled(plugin: PluginInfo) -> bool:
    """Whether ``GENFRAME_DISABLED_PLUGINS`` (names or ``distribution/name``, by commas) switches it off."""
    names = os.environ.get("GENFRAME_DISABLED_PLUGINS", "").split(",")
    return any(plugin.is_called(name.strip()) for name in names)


def _installed() -> Iterator[PluginInfo]:
    for entry in metadata.entry_points(group=GROUP):
        assert entry.dist is not None  # `metadata.entry_points` always sets it
        known: Any = entry.dist.metadata  # empty where an installation was torn
        distribution, version = (known.get(key) or "unknown" for key in ("Name", "Version"))
        yield PluginInfo(name=entry.name, module=entry.value, distribution=distribution, version=version)


def _folders_of_environment() -> list[Path]:
    return [Path(each) for each in os.environ.get("GENFRAME_PLUGINS_DIR", "").split(os.pathsep) if each]


def _in_folder(folder: Path) -> Iterator[PluginInfo]:
    if not folder.is_dir():
        raise ConfigError(f"the plugins folder {folder} does not exist: name a folder whose *.py files are plugins")
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith("_"):  # helpers that the plugins beside them import
            yield PluginInfo(name=file.stem, module=file.stem, distribution=PLUGINS_DIR, version="", file=file)
