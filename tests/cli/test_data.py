"""`genframe data`: datasets by name and by path, what one holds, and its contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genframe.data_info import contact_sheet, describe
from genframe_datasets import NpzSettings
from genframe_datasets.npz import open_npz


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_datasets_are_listed_by_name_and_by_path(cli: Any) -> None:
    result = cli("data", "list")
    by_name, by_path = result.out.split("by path:")
    assert "digits" in by_name
    assert "npz" in by_path


def test_digits_are_described_and_drawn(cli: Any) -> None:
    result = cli("data", "info", "digits")
    assert result.code == 0, result.err
    assert "1,500 to train on, 297 held out" in result.out
    assert "pictures of 8x8, grey" in result.out
    assert "one of 10 classes" in result.out
    with Image.open("digits-contact-sheet.png") as picture:
        assert picture.info["data"] == "digits"
        assert picture.height > 10 * 64


def test_a_file_is_described_at_the_size_that_is_asked_for(cli: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 9, 9, 3), dtype=np.uint8)
    np.savez("my file.npz", images=images, labels=np.arange(30) % 2, class_names=np.array(["cat", "dog"]))
    result = cli("data", "info", "my file.npz", "--image-size", "16x12", "--output", "sheet.png")
    assert result.code == 0, result.err
    assert "pictures of 16x12, colour" in result.out
    assert "cat 1" in result.out
    assert Path("sheet.png").is_file()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"sources": np.zeros((20, 8, 8), dtype=np.uint8)}, "source"),
        ({"attributes": np.arange(40).reshape(20, 2) % 2}, "2 labels, any number at once"),
        ({"attributes": np.linspace(0, 1, 40).reshape(20, 2)}, "vector of the shape (2,)"),
    ],
)
def test_every_kind_of_field_is_described_and_drawn(arrays: dict[str, Any], said: str) -> None:
    np.savez("data.npz", images=np.zeros((20, 8, 8, 3), dtype=np.uint8), **arrays)
    dataset = open_npz(NpzSettings(path="data.npz"))
    assert said in "\n".join(describe(dataset))
    assert contact_sheet(dataset, "title") is not None


@pytest.mark.parametrize(("source", "code"), [("digts", 4), ("missing.npz", 3), ("a/folder", 3)])
def test_an_unknown_source_is_one_sentence(cli: Any, source: str, code: int) -> None:
    result = cli("data", "info", source)
    assert result.code == code
    assert len(result.err.strip().splitlines()) == 1
