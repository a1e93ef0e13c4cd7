"""A checkpoint is whole or refused, and equal networks have equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from genframe.errors import CheckpointError, StorageError
from genframe.rundir.checkpoint import (
    Checkpoint,
    complete_checkpoints,
    encode_checkpoint,
    find_checkpoint,
    load_checkpoint,
    networks_digest,
    prune_checkpoints,
    write_checkpoint,
)

FILES = ("networks.safetensors", "training.safetensors", "state.json", "manifest.json")


def content(step: int = 1, seed: int = 0, run: str = "run") -> Checkpoint:
    weights = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return Checkpoint(
        networks={"generator.weight": weights.to(memory_format=torch.channels_last)},
        training={"generator.0.exp_avg": weights * 2},
        state={"config": {"recipe": "demo"}},
        run=run,
        step=step,
    )


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, encode_checkpoint(content(500)))
    loaded = load_checkpoint(tmp_path / "step-00000500", training=True)
    assert torch.equal(loaded.networks["generator.weight"], content().networks["generator.weight"])
    assert torch.equal(loaded.training["generator.0.exp_avg"], content().training["generator.0.exp_avg"])
    assert (loaded.step, loaded.state["config"]["recipe"]) == (500, "demo")
    assert loaded.digest == networks_digest(content().networks)


def test_equal_networks_have_equal_bytes_and_the_digest_says_so(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write_checkpoint(tmp_path / "a", encode_checkpoint(content(1, run="run-a")))
    write_checkpoint(tmp_path / "b", encode_checkpoint(content(1, run="run-b")))
    write_checkpoint(tmp_path / "b", encode_checkpoint(content(2, seed=1, run="run-b")))
    digests = [load_checkpoint(tmp_path / name).digest for name in ("a/step-00000001", "b/step-00000001")]
    assert digests[0] == digests[1] != load_checkpoint(tmp_path / "b/step-00000002").digest
    for name in FILES[:3]:
        assert (tmp_path / "a/step-00000001" / name).read_bytes() == (tmp_path / "b/step-00000001" / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_and_the_file_named(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path, encode_checkpoint(content()))
    file = tmp_path / "step-00000001" / name
    whole = file.read_bytes()
    for place in range(0, len(whole), 37):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(file.parent, training=True)
    file.write_bytes(whole)
    load_checkpoint(file.parent, training=True)


@pytest.mark.parametrize("name", FILES)
def test_a_shortened_or_missing_file_is_refused_and_named(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path, encode_checkpoint(content()))
    file = tmp_path / "step-00000001" / name
    whole = file.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(file.parent, training=True)
    file.unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(file.parent, training=True)


def test_a_newer_layout_is_refused_naming_both_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genframe.rundir.checkpoint.SCHEMA", 99)
    write_checkpoint(tmp_path, encode_checkpoint(content()))
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"layout 99.*up to 1"):
        load_checkpoint(tmp_path / "step-00000001")


def test_an_unfinished_checkpoint_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "checkpoints/step-00000005").mkdir(parents=True)
    for step in (100, 20):
        write_checkpoint(tmp_path / "checkpoints", encode_checkpoint(content(step)))
    assert [path.name for path in complete_checkpoints(tmp_path / "checkpoints")] == ["step-00000020", "step-00000100"]
    assert find_checkpoint(tmp_path).name == "step-00000100"
    with pytest.raises(CheckpointError, match=r"manifest.json is missing"):
        find_checkpoint(tmp_path / "checkpoints/step-00000005")


def test_nothing_to_load_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError, match="give a run directory or one of its checkpoints"):
            find_checkpoint(path)


def test_the_oldest_checkpoints_make_room(tmp_path: Path) -> None:
    for step in range(1, 6):
        write_checkpoint(tmp_path, encode_checkpoint(content(step)))
    prune_checkpoints(tmp_path, 2)
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["step-00000004", "step-00000005"]


def test_a_failed_save_leaves_no_temporary_files(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, encode_checkpoint(content()))
    blocker = tmp_path / "step-00000002"
    blocker.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="step-00000002"):
        write_checkpoint(tmp_path, encode_checkpoint(content(2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]
    load_checkpoint(tmp_path / "step-00000001")


def test_the_manifest_lists_size_and_digest_of_every_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, encode_checkpoint(content(1, run="run-id")))
    manifest = json.loads((tmp_path / "step-00000001/manifest.json").read_bytes())
    assert (manifest["run"], manifest["step"]) == ("run-id", 1)
    sizes = {name: (tmp_path / "step-00000001" / name).stat().st_size for name in FILES[:3]}
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == sizes
