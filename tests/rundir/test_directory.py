"""A run directory is new, numbered and never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from genframe.errors import StorageError
from genframe.rundir import RunDirectory, write_atomically


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_runs_are_numbered_by_recipe_and_data() -> None:
    paths = [
        RunDirectory.create(None, *words).path.name for words in (("cdcgan", "digits"),) * 2 + (("dcgan", "My Cats"),)
    ]
    assert paths == ["cdcgan-digits-0001", "cdcgan-digits-0002", "dcgan-my-cats-0001"]


def test_numbers_go_on_after_gaps_and_other_folders() -> None:
    Path("runs/a-b-0007").mkdir(parents=True)
    Path("runs/a-b-extra-0009").mkdir()
    assert RunDirectory.create(None, "a", "b").path == Path("runs/a-b-0008")


def test_a_named_folder_may_exist_if_it_is_empty() -> None:
    Path("mine").mkdir()
    assert RunDirectory.create(Path("mine"), "a", "b").samples.is_dir()
    with pytest.raises(StorageError, match=r"mine is not empty"):
        RunDirectory.create(Path("mine"), "a", "b")


def test_a_file_is_no_output_directory() -> None:
    Path("file").write_text("x")
    for path in (Path("file"), Path("file/below")):
        with pytest.raises(StorageError, match="file"):
            RunDirectory.create(path, "a", "b")


def test_rows_are_appended() -> None:
    directory = RunDirectory.create(None, "a", "b")
    directory.append_metrics({"step": 1, "loss": 0.5})
    directory.append_metrics({"step": 2, "loss": 0.25})
    lines = (directory.path / "metrics.jsonl").read_text().splitlines()
    assert lines == ['{"step": 1, "loss": 0.5}', '{"step": 2, "loss": 0.25}']


def test_an_atomic_write_leaves_the_file_alone_or_replaces_it() -> None:
    target = Path("folder/file.txt")
    with pytest.raises(StorageError, match=r"file\.txt"):
        write_atomically(target, b"new")
    target.parent.mkdir()
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
