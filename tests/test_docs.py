"""The documents say what is so: links lead somewhere, the code in them runs, exit codes are those of the errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genframe import errors
from genframe.registry import load_registry

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_plugin_in_the_readme_works(cli: Any, tmp_path: Path) -> None:
    (plugin,) = (block for block in blocks(ROOT / "README.md", "python") if "hookimpl" in block)
    (tmp_path / "readme_ring.py").write_text(plugin)
    registry = load_registry([tmp_path])
    assert registry.broken == []
    words = ("--noise", "ring", "--set", "architecture.width=8", "--steps", "2", "--plugins-dir", str(tmp_path))
    result = cli("run", "--plugin", "cdcgan", *words, "--output-dir", str(tmp_path / "run"))
    assert result.code == 0, result.err


def test_the_package_in_the_transcript_works(cli: Any, tmp_path: Path) -> None:
    (module,) = blocks(ROOT / "docs" / "plugin-transcript.md", "python")
    (tmp_path / "genframe_ring.py").write_text(module)
    words = ("--set", "architecture.width=8", "--steps", "2", "--plugins-dir", str(tmp_path))
    result = cli("run", "--plugin", "ring-cdcgan", *words, "--output-dir", str(tmp_path / "run"))
    assert result.code == 0, result.err


def test_the_exit_codes_on_the_page_are_those_of_the_errors() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.GenframeError) and each is not errors.StoppedError
    }
    assert codes == set(range(1, 8))
    assert all(f"| {code} |" in page for code in codes)


def test_the_table_in_the_readme_is_the_measured_one() -> None:
    import json

    rows = json.loads((ROOT / "bench" / "results" / "digits_quality.json").read_text())["rows"]
    readme = (ROOT / "README.md").read_text()
    for row in rows:
        assert f"| {row['seed']} | {row['nn1_accuracy']:.3f} | {row['label_accuracy']:.3f} |" in readme
