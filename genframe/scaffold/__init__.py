"""The first version of somebody's plugin: a package that works, whose author then edits the lines marked ``# Yours``.

The templates are the files of the package with ``$name`` and the like in them. `string.Template` fills those in: no
file needs a condition or a loop, and Python has braces and percent signs of its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

import genframe
from genframe.errors import StorageError
from genframe.rundir.files import storage_errors
from genframe.scaffold.kinds import STARTS

_ENDING = ".tmpl"


def plugin_files(kind: str, name: str) -> Mapping[PurePosixPath, str]:
    """The files of the package, by their places in its folder.

    Args:
        kind: of the part, one of `genframe.specs.KINDS`.
        name: of the part; see `genframe.scaffold.names.check_name`.
    """
    module, title, suffix = module_name(name), _title(kind, name), kind.capitalize()
    words = {
        "kind": kind,
        "name": name,
        "version": genframe.__version__,
        "module": module,
        "part": title if title.endswith(suffix) else title + suffix,
        "settings": f"{title}Settings",
    }
    own = {PurePosixPath(module) / place: text for place, text in _filled(kind, words).items()}
    words |= {
        "called": STARTS[kind].called,
        "does": STARTS[kind].does,
        "commands": "\n".join(commands(kind, name)),
        "sources": "\n".join(f"- `{place}`" for place in sorted(own)),
    }
    return dict(sorted({**_filled("package", words), **own}.items()))


def commands(kind: str, name: str, folder: str = ".") -> Sequence[str]:
    """What to type next: install, show, run, test. For a POSIX shell.

    Args:
        kind: of the part.
        name: of the part.
        folder: where the package is; pip takes a name without a ``/`` for a distribution's.
    """
    return (
        f"pip install --editable {shlex.quote(f'{folder}[test]')}",
        f"genframe plugins show {kind}/{name}",
        *(Template(command).substitute(name=name) for command in STARTS[kind].commands),
        "pytest" if folder == "." else f"pytest {shlex.quote(folder)}",
    )


def folder_name(name: str) -> str:
    """Of the package's folder, which is its distribution's name."""
    return f"genframe-{name}"


def module_name(name: str) -> str:
    """Of the package's module."""
    return f"genframe_{re.sub('[.-]', '_', name)}"


def write_plugin(folder: Path, files: Mapping[PurePosixPath, str]) -> None:
    """Writes the files into a folder that is new or empty.

    Raises:
        StorageError: there is something already, or the disk refuses.
    """
    with storage_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise StorageError(f"{folder} is a file, and the plugin's folder goes there: choose another --output-dir")
        if folder.exists() and any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty: remove it, or choose another name or --output-dir")
        for place, text in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text, encoding="utf-8")


def _title(kind: str, name: str) -> str:
    """``my-ring`` as the first half of a class's name; one that would begin with a digit begins with the kind."""
    title = "".join(word.capitalize() for word in re.split("[.-]", name))
    return kind.capitalize() + title if title[0].isdigit() else title


def _filled(template: str, words: Mapping[str, str]) -> dict[PurePosixPath, str]:
    """The files of a folder of templates, by their places in it."""
    root = resources.files("genframe.scaffold") / "templates" / template
    return {place: Template(text).substitute(words) for place, text in _templates(root, PurePosixPath())}


def _templates(folder: Traversable, place: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _templates(each, place / each.name)
        elif each.name.endswith(_ENDING):
            yield place / each.name.removesuffix(_ENDING), each.read_text(encoding="utf-8")
