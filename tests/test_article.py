"""The article's two pages: what they tell people to type is typed here, and both say the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from genframe.build import build_part
from genframe.cli.parts import choice
from genframe.registry import load_registry

DOCS = Path(__file__).parents[1] / "docs"
ENGLISH, CHINESE = DOCS / "article.md", DOCS / "article.zh.md"
PAGES = (ENGLISH, CHINESE)

#: Runs that the page's commands speak of -> how they are made; two steps of small networks stand for each.
RUNS = {
    "runs/cdcgan-digits-0001": ("cdcgan", "--set", "architecture.width=8"),
    "runs/cdcgan-zhang2016-mnist-0001": ("cdcgan-zhang2016", "--data", "digits"),
    "runs/cdcgan-modern-mnist-0001": ("cdcgan-modern", "--data", "digits", "--set", "architecture.width=8"),
    "runs/dcgan-digits-0001": ("dcgan", "--set", "architecture.width=8"),
    "runs/z10": ("cdcgan", "--noise-dim", "10", "--set", "architecture.width=8"),
}
PLACEHOLDERS = {"RUN": "runs/cdcgan-digits-0001"}


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> list[str]:
    """Every command on the page, those in its tables and sentences too, in their order; bare names are no commands."""
    found: list[str] = []
    for number, part in enumerate(re.split(r"^```.*$", text(page), flags=re.MULTILINE)):
        inside = number % 2 == 1
        found += re.findall(r"^genframe .*$" if inside else r"`(genframe [^`]*)`", part, re.MULTILINE)
    return [command for command in found if len(command.split()) > 2]


def snippets(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text(page), re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to type in. What a page's code seeds does not reach other tests."""
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng(devices=[]):
        yield tmp_path


@pytest.fixture
def runs(place: Path, cli: Callable[..., Any]) -> None:
    for directory, (recipe, *words) in RUNS.items():
        length = ("--steps", "2", "--batch-size", "16", "--set", "metrics=[]")
        result = cli("run", "--plugin", recipe, *words, *length, "--output-dir", directory)
        assert result.code == 0, result.err


def typed(command: str) -> list[str]:
    """The words of a command, with a run in place of RUN.

    A run is planned and not trained, on the embedded digits; of an experiment the words are read, and it is not made.
    """
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(command)[1:]]
    if words[0] == "reproduce":
        return [*words, "--list"]
    if words[0] != "run":
        return words
    if "--data-dir" in words:
        at = words.index("--data-dir")
        del words[at : at + 2]
    if "--init-from" in words:  # the run there is smaller than the recipe
        words += ["--set", "architecture.width=8"]
    return [*words, "--data", "digits", *([] if "--dry-run" in words else ["--dry-run"])]


def test_both_pages_have_the_same_commands_code_and_pictures() -> None:
    assert commands(ENGLISH) == commands(CHINESE) != []
    assert snippets(ENGLISH) == snippets(CHINESE) != []
    pictures = [re.findall(r"!\[[^]]+\]\(([^)]+)\)", text(page)) for page in PAGES]
    assert pictures[0] == pictures[1] != []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", text(page))
    assert targets
    assert [target for target in targets if not (page.parent / target).is_file()] == []


@pytest.mark.usefixtures("runs")
def test_every_command_is_accepted(cli: Callable[..., Any]) -> None:
    unique = dict.fromkeys(commands(ENGLISH))
    refused = {command: result.err for command in unique if (result := cli(*typed(command))).code != 0}
    assert refused == {}


def test_every_experiment_is_one_and_has_the_settings_that_are_named() -> None:
    registry = load_registry([])
    experiments = [words for words in map(shlex.split, commands(ENGLISH)) if words[1] == "reproduce"]
    for _, _, name, *words in experiments:
        if name != "NAME":
            assigned = [value for word, value in pairwise(words) if word == "--set"]
            build_part(registry, "experiment", choice(name, assigned), name)


@pytest.mark.parametrize(
    "wrong", ["--plugin cdcgan-zhang2017", "--plugin cdcgan --metric fdi", "--plugin cdcgan --z 1"]
)
def test_a_command_that_does_not_exist_would_be_noticed(cli: Callable[..., Any], place: Path, wrong: str) -> None:
    assert cli(*typed(f"genframe run {wrong}")).code != 0


@pytest.mark.usefixtures("runs")
def test_the_python_code_runs(capfd: pytest.CaptureFixture[str]) -> None:
    for code in snippets(ENGLISH):
        exec(compile(code, "article.md", "exec"), {"__name__": "article"})
    printed = capfd.readouterr().out
    assert all(name in printed for name in ("exponential", "Cauchy"))
