"""Our own plugins keep what we ask of others, and so do the examples on the page for authors."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from genframe import hookspecs
from genframe.registry import load_registry
from genframe.specs import SPEC_CLASSES
from genframe.testing import checks
from genframe.testing.results import Result

REGISTRY = load_registry()

#: Smaller than by default, so that the checks are quick.
SETTINGS: dict[str, dict[str, Any]] = {
    "dataset/emoticons": {"count": 200},
    "experiment/update-order": {"data": "digits", "samples": 50},
}

#: Data that is at hand, for experiments whose own is downloaded; one of them is among the quick tests, above.
ON_DIGITS: dict[str, dict[str, Any]] = {
    **{
        f"experiment/{name}": {"data": "digits", "samples": 50}
        for name in ("noise-dimension", "noise-law", "model-size", "update-ratio", "conditional-vs-unconditional")
    },
    "experiment/linear-probe": {"data": "digits", "width": 8, "labels": 50},
}

#: Networks for large pictures take their time.
LARGE = {"recipe/dcgan-radford2015", "recipe/dcgan-tutorial", "experiment/arithmetic"}

#: What may be skipped: what a part has no promise to keep about, and what needs files or a package.
SKIPPED = re.compile(
    "it keeps no numbers of its own|it has no truncated law|it carries no labels|its spec does not say that|"
    "needs the extra|needs the weights|"
    "and this is asked of a|minimises none of them|its data is not at hand|it cannot be built here|refuses all of|"
    "was not trained on such pictures|it is not run: its trainings make|it is not run: training"
)

HOOKS = {spec_class.kind: spec_class.hook for spec_class in SPEC_CLASSES}


def names() -> list[Any]:
    found = [f"{each.spec.kind}/{each.spec.name}" for each in REGISTRY.all()]
    return [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in found]


def failures(results: list[Result]) -> list[str]:
    return [f"{each.name}: {each.reason}" for each in results if each.outcome == "failed"]


@pytest.mark.parametrize("name", names())
def test_a_first_party_part_fails_no_check(name):
    results = [each() for each in checks(name, settings=SETTINGS.get(name), registry=REGISTRY)]
    assert failures(results) == []
    assert any(each.outcome == "passed" for each in results)
    reasons = [each.reason for each in results if each.outcome == "skipped"]
    assert [reason for reason in reasons if not SKIPPED.search(reason)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_DIGITS)
def test_a_first_party_experiment_concludes_on_digits(name):
    results = [each() for each in checks(name, settings=ON_DIGITS[name], registry=REGISTRY)]
    assert {each.outcome for each in results} == {"passed"}, results


@pytest.mark.parametrize("kind", list(HOOKS))
def test_the_example_of_a_hook_fails_no_check(kind, tmp_path):
    documentation = inspect.getdoc(getattr(hookspecs, HOOKS[kind])) or ""
    (code,) = re.findall(r"```python\n(.*?)```", documentation, re.DOTALL)
    (tmp_path / f"conforming_{kind}.py").write_text(code)
    results = [each() for each in checks(f"conforming_{kind}", plugins_dirs=[tmp_path])]
    assert failures(results) == []


def test_a_distribution_of_another_fails_no_check(use_external):
    use_external("genframe-fog")
    results = [each() for each in checks("genframe-fog/fog")]
    assert {each.part.partition("/")[0] for each in results} == {"noise"}
    assert failures(results) == []


@pytest.mark.parametrize(
    ("plugin", "part"), [("tiny_super_resolver", "digit-pyramid"), ("tiny_next_frame", "moving-dot")]
)
def test_datasets_of_pairs_and_of_films_fail_no_check(plugin, part, tmp_path):
    source = Path(__file__).parents[1] / "external" / "tiny" / f"{plugin}.py"
    (tmp_path / f"alone_{plugin}.py").write_text(source.read_text())  # other tests may have imported it by its own name
    found = [each for each in checks(f"dataset/{part}", plugins_dirs=[tmp_path]) if each.name != "registration"]
    assert failures([each() for each in found]) == []
