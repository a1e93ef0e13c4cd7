"""A look at a plugin's source for pickles, which run whatever they hold."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from genframe.registry import PluginInfo
from genframe.specs import PartSpec
from genframe.testing.results import SkippedError

_PICKLERS = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"})


def pickling(spec: PartSpec, plugin: PluginInfo) -> tuple[int, list[str]]:
    """How many files were read, and what in them pickles, with file and line.

    Raises:
        SkippedError: there is no source.
    """
    if plugin.file is not None:
        return _in_files((plugin.file,))
    if isinstance(spec.factory, str):
        return _in_files(_package(spec.factory.partition(":")[0]))
    try:
        file = inspect.getsourcefile(spec.factory)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file():
        raise SkippedError("its source is not in a file")
    return _in_files((Path(file),))


@cache
def _in_files(files: tuple[Path, ...]) -> tuple[int, list[str]]:
    found = [
        f"{what} ({file}:{line})"
        for file in files
        for what, line in _found(ast.parse(file.read_bytes(), filename=str(file)))
    ]
    return len(files), found


def _package(module: str) -> tuple[Path, ...]:
    """The files of the package that a module is in."""
    found = importlib.util.find_spec(module.partition(".")[0])
    if found is None or not found.origin:
        raise SkippedError(f"the source of '{module}' is not at hand")
    origin = Path(found.origin)
    return tuple(sorted(origin.parent.rglob("*.py"))) if origin.name == "__init__.py" else (origin,)


def _found(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            if said := _call(node):
                yield said, node.lineno
            continue
        else:
            continue
        yield from ((f"it imports {name}", node.lineno) for name in names if name.partition(".")[0] in _PICKLERS)


def _call(node: ast.Call) -> str | None:
    """What a call does, where it pickles: ``torch.save``, ``torch.load`` and NumPy's ``load`` with pickles allowed."""
    called = ast.unparse(node.func)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called == "torch.save" or (called == "torch.load" and options.get("weights_only") != "True"):
        return f"it calls {called}: write safetensors"
    if options.get("allow_pickle") == "True":
        return f"it calls {called} with allow_pickle=True"
    return None
