"""Writes docs/plugins/reference.md from the code: ``python docs/make_reference.py``.

Everything on the page is a docstring, a signature or a default. A name that has no documentation stops it.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from genframe import errors, experiments, hookspecs, interfaces, shapes, specs

PAGE = Path(__file__).parent / "plugins" / "reference.md"

#: The words of headings, by kind.
TITLES: Mapping[str, str] = {
    "recipe": "Recipes",
    "algorithm": "Algorithms",
    "architecture": "Architectures",
    "conditioning": "Conditioning schemes",
    "noise": "Noise samplers",
    "objective": "Objectives",
    "regularizer": "Regularizers",
    "augmentation": "Augmentations",
    "term": "Terms",
    "dataset": "Datasets",
    "metric": "Metrics",
    "visualizer": "Visualizers",
    "observer": "Observers",
    "experiment": "Experiments",
}

#: What a factory of each kind returns, and what that may be beside it.
PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "recipe": (),
    "algorithm": ("Algorithm",),
    "architecture": ("Architecture",),
    "conditioning": ("Conditioning", "Completing"),
    "noise": ("NoiseSampler", "Truncatable", "Fitted"),
    "objective": ("Objective",),
    "regularizer": ("Regularizer",),
    "augmentation": ("Augmentation",),
    "term": ("Term",),
    "dataset": ("Dataset",),
    "metric": ("Metric",),
    "visualizer": ("Visualizer", "Picture"),
    "observer": ("Observer", "Monitor", "Listener"),
    "experiment": ("Experiment",),
}

#: Where contracts of a kind are that are not in `genframe.interfaces`, with what its parts are handed and give back.
MODULES: Mapping[str, ModuleType] = {"experiment": experiments}

#: The modules of which the page lists the public functions and classes, beside the contracts.
HELPERS = (
    "genframe.randomness",
    "genframe.pictures",
    "genframe.analysis.neighbours",
    "genframe.analysis.closeness",
    "genframe.analysis.placing",
    "genframe.analysis.strata",
    "genframe.memory",
)


class UndocumentedError(Exception):
    """A public name without a docstring, or a field that no docstring mentions."""


def page() -> str:
    """The whole page."""
    parts = [_head(), *(_kind(spec_class) for spec_class in specs.SPEC_CLASSES), _common(), _given(), _data(), _ends()]
    joined = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    return re.sub(r"\n{3,}(?=- |#)", "\n\n", joined)


def _head() -> str:
    kinds = "\n".join(
        f"| [{title}](#{_anchor(title)}) | `{kind}` | `{_spec_of(kind).hook}` | `{_spec_of(kind).__name__}` | "
        f"{', '.join(f'`{name}`' for name in PROTOCOLS[kind]) or 'nothing is built'} |"
        for kind, title in TITLES.items()
    )
    further = "\n".join(
        f"- [{title}](#{_anchor(title)})"
        for title in ("What every spec has", "What the core gives", "Fields and problems", "Errors", "Helpers")
    )
    return f"""# Reference for authors of plugins

Written by `python docs/make_reference.py` from the code; a test compares. A hook returns specs, a spec names a factory,
and what the factory returns has the methods of a protocol. Inherit from nothing. The later protocols of a row are
optional. Axes: B batch, C channels, H height, W width, Z noise, K one number a class or label.

| | kind | hook | spec | what a factory returns |
|---|---|---|---|---|
{kinds}

{further}"""


def _kind(spec_class: type[specs.Spec]) -> str:
    hook = getattr(hookspecs, spec_class.hook)
    parts = [f"## {TITLES[spec_class.kind]}", f"### `{spec_class.hook}()`", _text(hook)]
    parts += [f"### `{spec_class.__name__}`", _text(spec_class), _table(spec_class)]
    module, names = MODULES.get(spec_class.kind, interfaces), PROTOCOLS[spec_class.kind]
    parts += [_protocol(getattr(module, name)) for name in names]
    if module is not interfaces:
        parts += [_described(each) for each in _classes(module) if each.__name__ not in names]
    return "\n\n".join(filter(None, parts))


def _common() -> str:
    parts = ["## What every spec has"]
    for each in (specs.Spec, specs.PartSpec, specs.Choice, specs.Slot):
        parts += [f"### `{each.__name__}`", _text(each), _table(each)]
    parts += ["### Numbers of its own", _protocol(interfaces.Stateful)]
    return "\n\n".join(filter(None, parts))


def _given() -> str:
    names = ("Generator", "Critic", "Critique", "BlockSpec", "Step", "RunView", "Trained", "Samples", "Measurement")
    lead = "Objects that a part is handed, or hands back. New ones of their fields and methods may come."
    return "\n\n".join(["## What the core gives", lead, *(_described(getattr(interfaces, name)) for name in names)])


def _data() -> str:
    kinds = ", ".join(f"`{kind}`" for kind in _options(shapes.FieldKind))
    lead = f"{_text(shapes)}\n\nKinds of field: {kinds}. A batch and a condition are mappings from names to tensors."
    return "\n\n".join(["## Fields and problems", lead, _described(shapes.Field), _described(shapes.Problem)])


def _ends() -> str:
    classes = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.GenframeError) and each is not errors.StoppedError
    ]
    rows = "\n".join(f"| `{each.__name__}` | {each.exit_code} | {_first(each)} |" for each in classes)
    functions = "\n\n".join(_function(getattr(errors, name)) for name in ("quoted", "nearest"))
    parts = [
        "## Errors",
        _text(errors),
        f"| error | exit code | meaning |\n|---|---|---|\n{rows}",
        functions,
        "## Helpers",
    ]
    for name in HELPERS:
        module = importlib.import_module(name)
        parts += [f"### `{name}`", _text(module)]
        parts += [
            _function(each) if inspect.isfunction(each) else _described(each, "####")
            for each in vars(module).values()
            if (inspect.isfunction(each) or inspect.isclass(each))
            and each.__module__ == name
            and not each.__name__.startswith("_")
        ]
    return "\n\n".join(parts)


def _classes(module: ModuleType) -> Iterator[type]:
    """The public classes that a module defines."""
    for name, each in vars(module).items():
        if inspect.isclass(each) and each.__module__ == module.__name__ and not name.startswith("_"):
            yield each


def _described(cls: type, level: str = "###") -> str:
    if Protocol in cls.__bases__:
        return _protocol(cls, level)
    methods = [
        _method(name, each.__func__ if isinstance(each, classmethod) else each)
        for name, each in vars(cls).items()
        if not name.startswith("_") and (inspect.isfunction(each) or isinstance(each, (property, classmethod)))
    ]
    return "\n\n".join(filter(None, [f"{level} `{cls.__name__}`", _text(cls), _table(cls), "\n".join(methods)]))


def _protocol(cls: type, level: str = "###") -> str:
    """A protocol: each method with its signature."""
    methods = "\n".join(_method(name, each) for name, each in members(cls))
    return f"{level} `{cls.__name__}`\n\n{_text(cls)}\n\n{methods}"


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties that a protocol's own body has."""
    for name, each in vars(cls).items():
        is_public = not name.startswith("_") or name in ("__call__", "__len__")
        if is_public and (isinstance(each, property) or inspect.isfunction(each)) and name != "__init__":
            yield name, each


def _method(name: str, each: Any) -> str:
    if isinstance(each, property):
        assert each.fget is not None
        signature = f"{name}: {_annotation(inspect.signature(each.fget).return_annotation)}"
    else:
        signature = name + _signature(each)
    body = textwrap.indent(_text(each, f"{each!r} {name}"), "  ")
    return f"- `{signature}`\n\n{body}\n"


def _function(each: Any) -> str:
    return f"- `{each.__name__}{_signature(each)}`\n\n" + textwrap.indent(_text(each), "  ")


def _signature(each: Any) -> str:
    signature = inspect.signature(each)
    parameters = [
        parameter.replace(annotation=_Plain(_annotation(parameter.annotation)))
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    returned = _Plain(_annotation(signature.return_annotation))
    return str(signature.replace(parameters=parameters, return_annotation=returned))


class _Plain(str):
    """An annotation that is shown without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _table(cls: type) -> str:
    """The fields of a dataclass: those of its own body, in a table."""
    if not dataclasses.is_dataclass(cls):
        return ""
    own = [each for each in dataclasses.fields(cls) if each.name in inspect.get_annotations(cls)]
    if not own:
        return ""
    meanings = attributes(cls)
    rows = []
    for each in own:
        if each.name not in meanings:
            raise UndocumentedError(f"{cls.__name__}.{each.name}: the class's docstring has no such attribute")
        kind = _annotation(each.type).replace("|", "\\|")
        meaning = meanings[each.name].replace("|", "\\|")
        rows.append(f"| `{each.name}` | `{kind}` | {_default(each)} | {meaning} |")
    return "| field | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def attributes(cls: type) -> dict[str, str]:
    """What a class's docstring says of its attributes, by name; ``a, b: ...`` speaks of both."""
    section = re.search(r"^Attributes:\n((?: +.*\n?|\n)+)", _doc(cls), re.MULTILINE)
    meanings: dict[str, str] = {}
    for entry in re.split(r"^    (?=\S)", section[1] if section else "", flags=re.MULTILINE)[1:]:
        names, _, meaning = entry.partition(":")
        meanings |= dict.fromkeys((name.strip() for name in names.split(",")), _one_line(meaning))
    return meanings


def _default(each: dataclasses.Field[Any]) -> str:
    if each.default_factory is not dataclasses.MISSING:
        return "empty"
    if each.default is dataclasses.MISSING:
        return "required"
    shown = each.default.__name__ if isinstance(each.default, type) else repr(each.default)
    return f"`{shown}`"


def _text(each: Any, name: str = "") -> str:
    """The docstring in Markdown, without its attributes; other sections as lists."""
    text = re.sub(r"^Attributes:\n((?: +.*\n?|\n)+)", "", _doc(each, name), flags=re.MULTILINE)
    for heading in ("Args", "Returns", "Raises"):
        pattern = rf"^{heading}:\n((?:    .*\n?|\n)+)"
        text = re.sub(pattern, partial(_section, heading), text, flags=re.MULTILINE)
    return _linked(text).strip()


def _section(heading: str, found: re.Match[str]) -> str:
    """A section of a docstring: what is returned as a line, the rest as a list."""
    if heading == "Returns":
        return f"Returns: {_one_line(found[1])}\n"
    entries = (entry.partition(":") for entry in re.split(r"^    (?=\S)", found[1], flags=re.MULTILINE)[1:])
    lines = [f"- `{name.strip()}`: {_one_line(meaning)}" for name, _, meaning in entries]
    return "\n".join([{"Args": "Arguments:", "Raises": "Raises:"}[heading], "", *lines, ""])


def _doc(each: Any, name: str = "") -> str:
    """The docstring of its own.

    Raises:
        UndocumentedError: it has none, or only what a dataclass or a protocol makes up.
    """
    doc = inspect.cleandoc(each.__doc__ or "")
    made_up = isinstance(each, type) and doc.startswith(f"{each.__name__}(")
    if not doc or made_up:
        raise UndocumentedError(f"{name or getattr(each, '__qualname__', each)} has no docstring")
    return doc


def _linked(text: str) -> str:
    """From ``code`` and `name` as docstrings have them to what Markdown has, outside of blocks in fences."""
    pieces = re.split(r"(```python\n.*?```)", text, flags=re.DOTALL)
    return "".join(piece if piece.startswith("```python") else piece.replace("``", "`") for piece in pieces)


def _one_line(text: str) -> str:
    return _linked(" ".join(text.split()))


def _first(each: Any) -> str:
    return _one_line(_doc(each).partition("\n\n")[0])


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _spec_of(kind: str) -> type[specs.Spec]:
    return next(each for each in specs.SPEC_CLASSES if each.kind == kind)


def _options(alias: Any) -> tuple[str, ...]:
    return tuple(alias.__args__)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
