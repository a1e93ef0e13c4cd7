"""The registry's own words: a plugin, a spec that it offers, and why a plugin does not work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from genframe.specs import Spec

#: The "distribution" of the plugins in a folder given by ``--plugins-dir``.
PLUGINS_DIR = "plugins-dir"

#: The "distribution" of what `register` was given.
THIS_PROCESS = "this-process"


@dataclass(frozen=True, order=True)
class PluginInfo:
    """What is known of a plugin without importing it.

    Attributes:
        name: of its entry point, or the file's name without ``.py``.
        module: what the entry point names: ``package.module`` or ``package.module:attribute``.
        distribution: who offers it; `PLUGINS_DIR` and `THIS_PROCESS` where no distribution does.
        version: of the distribution; empty where there is none.
        file: of a plugin in a plugins folder.
    """

    name: str
    distribution: str
    module: str
    version: str
    file: Path | None = None

    @property
    def origin(self) -> str:
        """``genframe-fog 1.2``, a file, or ``registered in this process``."""
        if self.distribution == THIS_PROCESS:
            return "registered in this process"
        return f"{self.distribution} {self.version}" if self.file is None else str(self.file)

    def __str__(self) -> str:
        return f"'{self.name}' ({self.origin})"

    def is_called(self, name: str) -> bool:
        """Whether `name` means this plugin: its own name or ``distribution/name``."""
        distribution, _, own = name.rpartition("/")
        return own == self.name and (not distribution or self.is_from(distribution))

    def is_from(self, distribution: str) -> bool:
        """Whether this is the name of its distribution, however it is spelt (``a_b``, ``a-b`` and ``A.B`` are one)."""
        return _normalized(distribution) == _normalized(self.distribution)


@dataclass(frozen=True)
class Registered:
    """A spec and the plugin that offers it."""

    spec: Spec
    plugin: PluginInfo

    @property
    def qualified_name(self) -> str:
        """``distribution/name``, which picks this spec where several plugins offer the name."""
        return f"{self.plugin.distribution}/{self.spec.name}"


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin, or a part of one, that does not work.

    Attributes:
        plugin: which.
        reason: one line.
        error: what it raised, if anything; shown by ``--debug``.
    """

    plugin: PluginInfo
    reason: str
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"plugin {self.plugin} is broken: {self.reason}"


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
