"""From a name to checks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from genframe.errors import ConfigError, GenframeError, quoted
from genframe.registry import Registry, load_registry
from genframe.specs import PartSpec
from genframe.testing.catalogue import Entry
from genframe.testing.results import Check, Result, SkippedError
from genframe.testing.subject import Subject


def checks(
    name: str,
    *,
    settings: Mapping[str, Any] | None = None,
    plugins_dirs: Sequence[str | Path] = (),
    registry: Registry | None = None,
) -> Sequence[Check]:
    """The checks of a part, or of all parts of a plugin; none has run yet.

    Args:
        name: ``[KIND/]NAME``, as ``genframe plugins show`` takes it.
        settings: of the part, where they differ from its defaults.
        plugins_dirs: folders whose ``*.py`` files are plugins, beside those of ``GENFRAME_PLUGINS_DIR``.
        registry: where parts are looked up, if it is loaded already.

    Raises:
        PluginError: nobody offers the name, or its plugin is broken.
        ConfigError: settings for several parts at once.
    """
    folders = [Path(folder) for folder in plugins_dirs]
    known = registry or load_registry(folders)
    found = known.search(name)
    subjects = [
        Subject(found=each, registry=known, settings=dict(settings or {}), plugins_dirs=folders) for each in found
    ]
    if settings and len(subjects) > 1:
        raise ConfigError(
            f"settings are for one part, and '{name}' means {quoted(each.name for each in subjects)}: name one of them"
        )
    return [each for subject in subjects for each in _checks_of(subject)]


def check(
    name: str, *, settings: Mapping[str, Any] | None = None, plugins_dirs: Sequence[str | Path] = ()
) -> Sequence[Result]:
    """Runs all checks of a part, or of all parts of a plugin; takes what `checks` takes.

    Raises:
        PluginError: nobody offers the name, or its plugin is broken.
        ConfigError: settings for several parts at once.
    """
    return [each() for each in checks(name, settings=settings, plugins_dirs=plugins_dirs)]


def _checks_of(subject: Subject) -> Sequence[Check]:
    from genframe.testing import common
    from genframe.testing.surroundings import Surroundings

    kind = importlib.import_module(f"genframe.testing.kinds.{subject.found.spec.kind}")
    is_built = isinstance(subject.found.spec, PartSpec)
    shared = common.CHECKS if is_built else common.RECIPE_CHECKS

    @cache
    def obstacle() -> str:
        """Why no check can use the part; the check 'factory' tells the same as a fault."""
        before = Surroundings()
        try:
            kind.made(subject)
        except Exception as error:
            return f"it cannot be built, as 'factory' says: {error}" if type(error) is GenframeError else ""
        finally:
            before.restore()
        return ""

    def examined(entry: Entry, subject: Subject) -> str:
        if is_built and entry.name not in common.WITHOUT_THE_PART and obstacle():
            raise SkippedError(obstacle())
        return entry.examine(subject) or ""

    return [
        Check(
            part=subject.name,
            name=entry.name,
            explanation=entry.explanation,
            examine=partial(examined, entry, subject),
            homes=subject.homes,
        )
        for entry in (*shared, *kind.CHECKS, *((common.THROUGHPUT,) if hasattr(kind, "work") else ()))
    ]
