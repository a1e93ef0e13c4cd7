"""Which names a new plugin may have."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import chain, count

from genframe.errors import ConfigError, nearest, quoted
from genframe.registry import Registry
from genframe.scaffold import module_name
from genframe.specs import KINDS, NAME

#: A name occurs in class names and in paths, whose lines are not to grow beyond a page.
LONGEST = 26


def check_kind(kind: str) -> None:
    """Refuses what is no kind of part.

    Raises:
        ConfigError: naming the kinds.
    """
    if kind not in KINDS:
        raise ConfigError(f"'{kind}' is not a kind of part; the kinds are {quoted(KINDS)}.{nearest(kind, KINDS)}")


def check_name(kind: str, name: str, registry: Registry) -> None:
    """Refuses a name that a new part of this kind cannot have.

    Raises:
        ConfigError: it is no name, too long, or taken; the sentence suggests another.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"the name of {kind} {name!r} is not of lower case letters, digits, '-' and '.': take one such as my-{kind}"
        )
    if len(name) > LONGEST:
        raise ConfigError(f"a new plugin's name has at most {LONGEST} characters; '{name}' has {len(name)}")
    if holder := _holder(kind, name, registry):
        raise ConfigError(f"{holder}: choose another name, say '{_free(kind, name, registry)}'")


def _holder(kind: str, name: str, registry: Registry) -> str:
    """Who has the name already, in a clause; empty where it is free."""
    for found in registry.all(kind):
        if found.spec.name == name:
            return f"the {kind} '{name}' is taken by plugin {found.plugin}"
    module = module_name(name)
    return f"'{name}' would be the module {module}, and one is installed already" if find_spec(module) else ""


def _free(kind: str, name: str, registry: Registry) -> str:
    stem = name[: LONGEST - 4].rstrip("-.")
    candidates = chain([f"my-{stem}"], (f"{stem}-{number}" for number in count(2)))
    return next(each for each in candidates if not _holder(kind, each, registry))
