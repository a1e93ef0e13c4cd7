"""A third party's distribution, installed by pip, beside a broken sibling and one that takes its names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN = ("run", "--plugin", "cdcgan", "--set", "architecture.width=8", "--batch-size", "16", "--steps", "2")


@pytest.fixture(autouse=True)
def _installed(use_external: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for distribution in ("genframe-fog", "genframe-fog-broken", "genframe-fog-clashing"):
        use_external(distribution)
    monkeypatch.chdir(tmp_path)


def test_all_are_listed_and_the_broken_one_says_why(cli: Any) -> None:
    listed = cli("plugins", "list").out
    assert all(name in listed for name in ("genframe-fog ", "genframe-fog-broken", "genframe-fog-clashing"))
    result = cli("doctor")
    assert result.code == 4
    assert "a_library_that_nobody_has" in result.out + result.err


def test_the_good_one_works_beside_them(cli: Any) -> None:
    result = cli(*RUN, "--regularizer", "fog-drift", "--noise", "gaussian")
    assert result.code == 0, result.err


@pytest.mark.parametrize(("name", "owner"), [("uniform", "genframe"), ("fog", "genframe-fog")])
def test_a_name_that_two_offer_is_an_error_when_used_and_each_can_be_picked(cli: Any, name: str, owner: str) -> None:
    result = cli(*RUN, "--noise", name)
    assert result.code == 4
    assert f"{owner}/{name}" in result.err
    assert f"genframe-fog-clashing/{name}" in result.err
    for distribution in (owner, "genframe-fog-clashing"):
        assert cli(*RUN, "--noise", f"{distribution}/{name}").code == 0


def test_a_strict_environment_refuses_the_broken_one(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENFRAME_STRICT_PLUGINS", "1")
    assert cli(*RUN, "--noise", "gaussian").code == 4
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", "fog-broken")
    assert cli(*RUN, "--noise", "gaussian").code == 0
