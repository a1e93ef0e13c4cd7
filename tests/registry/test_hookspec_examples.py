"""The page that a plugin author reads works: each example is a whole plugin, and each hook takes the specs it says."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import fields

import pytest

from genframe import hookspecs
from genframe.registry import load_registry
from genframe.specs import API_VERSION, SPEC_CLASSES, PartSpec, Spec

HOOKS = {spec_class.hook: spec_class for spec_class in SPEC_CLASSES}


def example(hook: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(getattr(hookspecs, hook)) or "", re.DOTALL)
    return code


def test_there_is_a_hook_for_each_kind_and_no_other():
    marked = {name for name, value in vars(hookspecs).items() if hasattr(value, "genframe_spec")}
    assert marked == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_which_specs_it_returns(hook):
    returned = typing.get_type_hints(getattr(hookspecs, hook))["return"]
    assert typing.get_args(returned) == (HOOKS[hook],)


@pytest.fixture
def specs(tmp_path) -> Callable[[str], list[Spec]]:
    """What the example of a hook offers when it is a plugin."""

    def load(hook: str) -> list[Spec]:
        (tmp_path / f"example_of_{hook}.py").write_text(example(hook))
        registry = load_registry([tmp_path])
        assert not registry.broken
        return [each.spec for each in registry.all() if each.plugin.name == f"example_of_{hook}"]

    return load


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_in_a_hooks_docstring_is_a_working_plugin(specs, hook):
    (spec,) = specs(hook)
    assert type(spec) is HOOKS[hook]
    assert spec.api == API_VERSION


@pytest.mark.parametrize("hook", [hook for hook, spec_class in HOOKS.items() if issubclass(spec_class, PartSpec)])
def test_the_examples_settings_all_have_defaults_and_its_factory_can_be_called(specs, hook):
    (spec,) = specs(hook)
    spec.settings()
    assert callable(spec.factory)
    assert all(field.kw_only for field in fields(spec.settings))


def test_the_examples_import_without_torch(genframe_process, tmp_path):
    for hook in HOOKS:
        (tmp_path / f"example_of_{hook}.py").write_text(example(hook))
    script = (
        "import sys; from pathlib import Path; from genframe.registry import load_registry\n"
        f"registry = load_registry([Path({str(tmp_path)!r})])\n"
        f"assert len([each for each in registry.all() if each.plugin.file]) == {len(HOOKS)}, registry.broken\n"
        "assert not registry.broken and not {'torch', 'numpy', 'pydantic'} & set(sys.modules)\n"
    )
    result = genframe_process("-c", script)
    assert result.returncode == 0, result.stderr
