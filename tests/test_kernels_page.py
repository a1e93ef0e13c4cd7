"""The page on the kernels: its code runs and prints what the page says, and it is what the package computes."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from genframe_kernels import reference
from genframe_kernels.triton import packing

PAGE = Path(__file__).parents[1] / "docs" / "kernels.md"

#: Errors of rounding, the numbers with an exponent, differ between machines; by no more than this factor.
FACTOR = 20


def blocks() -> list[tuple[str, str]]:
    """(language, text) of every block in fences, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def mismatch(said: str, printed: str) -> str | None:
    """What differs; None if the page says what was printed, up to errors of rounding."""
    if len(said.split()) == len(printed.split()):
        pairs = zip(said.split(), printed.split(), strict=True)
        if all(alike(*(word.strip(",") for word in pair)) for pair in pairs):
            return None
    return f"the page says\n{said}and the code printed\n{printed}"


def alike(said: str, printed: str) -> bool:
    number = r"\d\.\de[-+]\d\d"
    if re.fullmatch(number, said) and re.fullmatch(number, printed):
        return float(said) / FACTOR <= float(printed) <= float(said) * FACTOR
    return said == printed


@pytest.fixture(scope="module")
def session() -> dict[str, Any]:
    """The names that the page's code has defined at its end. What it seeds does not reach other tests."""
    names: dict[str, Any] = {"__name__": "kernels"}
    out = io.StringIO()
    with torch.random.fork_rng(devices=[]):
        for number, (language, text) in enumerate(blocks()):
            if language == "python":
                assert out.getvalue() == "", f"the page does not say what is printed before block {number}"
                with contextlib.redirect_stdout(out):
                    exec(compile(text, f"kernels.md, block {number}", "exec"), names)
            else:
                assert language == "text"
                assert (wrong := mismatch(text, out.getvalue())) is None, wrong
                out = io.StringIO()
    assert out.getvalue() == ""
    return names


def test_the_code_runs_and_prints_what_the_page_says(session: dict[str, Any]) -> None:
    languages = [language for language, _ in blocks()]
    assert languages.count("python") >= 10
    assert {"by_phases", "packed", "convolve", "table_KOHW", "merged", "S2"} <= set(session)


def test_every_picture_is_there_and_is_on_the_page() -> None:
    linked = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    there = [path.relative_to(PAGE.parent).as_posix() for path in PAGE.parent.glob("images/kernels-*.png")]
    assert linked != []
    assert sorted(linked) == sorted(there)


def test_a_page_that_is_wrong_would_be_noticed() -> None:
    assert mismatch("error 1.5e-02, 3 tiles\n", "error 2.9e-02, 3 tiles\n") is None
    assert mismatch("error 1.5e-02, 3 tiles\n", "error 1.5e-04, 3 tiles\n") is not None
    assert mismatch("error 1.5e-02, 3 tiles\n", "error 1.5e-02, 4 tiles\n") is not None
    assert mismatch("", "error 1.5e-02, 3 tiles\n") is not None


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (5, 2), (3, 2), (2, 3), (3, 1)])
def test_the_weight_is_packed_as_the_package_does(session: dict[str, Any], kernel: int, stride: int) -> None:
    weight = torch.randn(3, 2, kernel, kernel)
    assert torch.equal(session["packed"](weight, stride), packing.packed(weight, (stride, stride), transposed=True))
    assert torch.equal(session["nhwc"](weight), packing.packed(weight, (stride, stride), transposed=False))


def test_the_label_table_is_that_of_the_package(session: dict[str, Any]) -> None:
    table_KOHW = session["table_KOHW"]
    labels_BK = torch.eye(len(table_KOHW), dtype=table_KOHW.dtype)
    maps_BOHW = reference.label_maps(labels_BK, session["filters_KOhw"], session["reach_THW"][None])
    torch.testing.assert_close(maps_BOHW, table_KOHW)
