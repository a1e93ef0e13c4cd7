"""Any flipped byte, any truncation, any missing, swapped or foreign file is refused, and the file is named."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import TINY, content

from genframe.errors import CheckpointError
from genframe.rundir.checkpoint import (
    Checkpoint,
    complete_checkpoints,
    encode_checkpoint,
    load_checkpoint,
    write_checkpoint,
)

FILES = ("networks.safetensors", "training.safetensors", "state.json", "manifest.json")


@pytest.fixture
def small(folder: Path) -> Path:
    """A checkpoint of about 8 KB."""
    weights = torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    networks = {"generator.weight": weights, "ema.generator.weight": weights / 2}
    training = {"generator.0.exp_avg": weights, "generator.0.exp_avg_sq": weights.square()}
    state = {"config": {"recipe": "demo", "training": {"steps": 3}}, "averages": {"generator": 3}}
    content = Checkpoint(networks=networks, training=training, state=state, run="run", step=3)
    write_checkpoint(folder, encode_checkpoint(content))
    path = folder / "step-00000003"
    assert 5_000 < sum(file.stat().st_size for file in path.iterdir()) < 12_000
    load_checkpoint(path, training=True)
    return path


@pytest.fixture
def run(cli: Any, folder: Path) -> Path:
    """A run with three checkpoints."""
    assert cli("run", *TINY, "--steps", 3, "--keep-last", 3, "--output-dir", folder / "run").code == 0
    return folder / "run"


def refused(path: Path, name: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, training=True)
    assert name in str(caught.value)
    return str(caught.value)


def test_every_flipped_byte_of_a_small_checkpoint_is_refused(small, count, figure):
    rng, flips = random.Random(0), 0
    for name in FILES:
        whole = (small / name).read_bytes()
        places = rng.sample(range(len(whole)), count(len(whole) // 10, len(whole)))
        for place in places:
            changed = bytearray(whole)
            changed[place] ^= rng.randint(1, 255)
            (small / name).write_bytes(changed)
            refused(small, name)
        (small / name).write_bytes(whole)
        flips += len(places)
    load_checkpoint(small, training=True)
    assert flips >= count(500, 5_000)
    figure(f"{flips} flipped bytes refused")


def test_every_truncation_of_a_small_checkpoint_is_refused(small, count, figure):
    rng, cuts = random.Random(1), 0
    for name in FILES:
        whole = (small / name).read_bytes()
        lengths = rng.sample(range(len(whole)), count(len(whole) // 10, len(whole)))
        for length in lengths:
            (small / name).write_bytes(whole[:length])
            refused(small, name)
        (small / name).write_bytes(whole + b"\n")
        refused(small, name)
        (small / name).write_bytes(whole)
        cuts += len(lengths)
    load_checkpoint(small, training=True)
    assert cuts >= count(500, 5_000)
    figure(f"{cuts} truncations refused")


def test_flipped_bits_of_a_whole_runs_checkpoint_are_refused(run, count):
    rng = random.Random(2)
    newest = complete_checkpoints(run / "checkpoints")[-1]
    bodies = {name: (newest / name).read_bytes() for name in FILES}
    names = rng.choices(FILES, [len(body) for body in bodies.values()], k=count(100, 1_000))
    for name in names:
        changed = bytearray(bodies[name])
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        (newest / name).write_bytes(changed)
        assert "damaged" in refused(newest, name)
        (newest / name).write_bytes(bodies[name])
    load_checkpoint(newest, training=True)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_swapped_or_foreign_file_is_refused(run, name):
    older, newest = complete_checkpoints(run / "checkpoints")[-2:]
    whole = (newest / name).read_bytes()
    (newest / name).unlink()
    assert "missing" in refused(newest, name)
    shutil.copy(older / name, newest / name)
    refused(newest, "step-00000003")
    (newest / name).write_bytes(b"\x00" * len(whole))
    refused(newest, name)
    (newest / name).unlink()
    (newest / name).mkdir()
    assert "not an ordinary file" in refused(newest, name)
    (newest / name).rmdir()
    (newest / name).write_bytes(whole)
    load_checkpoint(newest, training=True)


def test_a_checkpoint_under_another_steps_name_is_refused(run):
    older, newest = complete_checkpoints(run / "checkpoints")[-2:]
    shutil.rmtree(newest)
    older.rename(newest)
    assert "holds step 2" in refused(newest, "step-00000003")


@pytest.mark.parametrize("name", FILES)
def test_resuming_falls_back_loudly_to_the_checkpoint_before(cli, folder, run, name):
    whole = folder / "whole"
    assert cli("run", *TINY, "--steps", 5, "--keep-last", 3, "--output-dir", whole).code == 0
    newest = complete_checkpoints(run / "checkpoints")[-1]
    body = bytearray((newest / name).read_bytes())
    body[len(body) // 2] ^= 8
    (newest / name).write_bytes(body)
    result = cli("run", "--resume", "--output-dir", run, "--steps", 5)
    assert result.code == 0, result.err
    assert f"{newest / name} is damaged" in result.err
    assert "resumed after step 2\n" in result.err
    assert content(run) == content(whole)
    assert (newest.parent / f"damaged-{newest.name}" / name).is_file()


def test_a_checkpoint_of_another_run_is_not_gone_on_from(cli, folder, run):
    other = folder / "other"
    assert cli("run", *TINY, "--steps", 4, "--seed", 1, "--output-dir", other).code == 0
    shutil.copytree(complete_checkpoints(other / "checkpoints")[-1], run / "checkpoints/step-00000004")
    result = cli("run", "--resume", "--output-dir", run, "--steps", 5)
    assert result.code == 0, result.err
    assert "step-00000004 is of another run" in result.err
    assert "resumed after step 3\n" in result.err


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"a":' * 100_000])
def test_a_damaged_status_file_is_written_anew(cli, folder, run, damage):
    whole = folder / "whole"
    assert cli("run", *TINY, "--steps", 5, "--keep-last", 3, "--output-dir", whole).code == 0
    (run / "run.json").write_bytes(damage)
    result = cli("run", "--resume", "--output-dir", run, "--steps", 5)
    assert result.code == 0, result.err
    assert "run.json cannot be read" in result.err
    assert content(run) == content(whole)


def test_rows_that_cannot_be_read_are_dropped_and_counted(cli, run):
    rows = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(rows[0] + b"\xff\xff\n" + b"[" * 100_000 + b"\n" + rows[2])
    result = cli("run", "--resume", "--output-dir", run, "--steps", 4)
    assert result.code == 0, result.err
    assert "metrics.jsonl had 2 rows that cannot be read" in result.err
    assert (run / "metrics.jsonl").read_bytes().startswith(rows[0] + rows[2])
