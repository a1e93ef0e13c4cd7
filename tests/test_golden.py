"""Checkpoints of every layout that was ever released load for ever; a newer layout is refused.

A golden run is made once, with the release that brings a layout, and never again:

    genframe run --plugin cdcgan --set architecture.width=2 --set architecture.hidden=0 --set metrics=[] \
        --set observers=[] --noise-dim 4 --batch-size 16 --steps 400 --checkpoint-every 200 --log-every 100 \
        --device cpu --output-dir RUN
    genframe sample RUN -n 20 --seed 3 --output RUN/samples.npz

Kept are the last checkpoint, the rows, the settings, and ``run.json`` without what it says of the machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genframe
from genframe.errors import CheckpointError
from genframe.rundir import migrations
from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint
from genframe.rundir.migrations import SCHEMA

GOLDEN = sorted((Path(__file__).parent / "golden").glob("layout-*"))


def test_there_is_a_golden_run_of_every_layout():
    assert [path.name for path in GOLDEN] == [f"layout-{number}" for number in range(1, SCHEMA + 1)]
    assert migrations.MIGRATIONS.keys() == set(range(1, SCHEMA))


@pytest.mark.parametrize("run", GOLDEN, ids=lambda path: path.name)
def test_a_golden_run_draws_what_it_drew_when_it_was_made(run: Path) -> None:
    kept = np.load(run / "samples.npz")
    drawn = genframe.load(run).sample(20, seed=3).numpy().astype(int)
    # Another version of PyTorch, or another processor, may round a grey level the other way.
    assert np.abs(drawn - kept["images"].astype(int)).max() <= 1
    assert kept["images"].std() > 10


@pytest.mark.parametrize("run", GOLDEN, ids=lambda path: path.name)
def test_a_golden_run_is_gone_on_with_and_branched_from(cli: Any, tmp_path: Path, run: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(run, mine)
    result = cli("run", "--resume", "--output-dir", mine, "--steps", 402)
    assert result.code == 0, result.err
    assert "resumed after step 400" in result.err
    assert load_checkpoint(complete_checkpoints(mine / "checkpoints")[-1]).step == 402
    assert cli("run", "--branch-from", run, "--lr", 0.01, "--steps", 401, "--output-dir", tmp_path / "new").code == 0


def test_an_older_layout_is_brought_up_by_each_migration_in_turn(monkeypatch):
    newest = complete_checkpoints(GOLDEN[0] / "checkpoints")[-1]
    written = load_checkpoint(newest).state
    steps = {1: lambda state: {**state, "first": True}, 2: lambda state: {**state, "second": state["first"]}}
    monkeypatch.setattr("genframe.rundir.migrations.SCHEMA", 3)
    monkeypatch.setattr("genframe.rundir.checkpoint.SCHEMA", 3)
    monkeypatch.setattr("genframe.rundir.migrations.MIGRATIONS", steps)
    assert load_checkpoint(newest).state == {**written, "first": True, "second": True}


def test_a_newer_layout_is_refused_naming_both(cli, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    monkeypatch.setattr("genframe.rundir.checkpoint.SCHEMA", 7)
    words = ["--plugin", "cdcgan", "--set", "architecture.width=4", "--set", "metrics=[]", "--steps", 1]
    assert cli("run", *words, "--output-dir", mine).code == 0
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=rf"layout 7, and this genframe reads layouts up to {SCHEMA}: update"):
        load_checkpoint(complete_checkpoints(mine / "checkpoints")[-1])
    assert cli("sample", mine).code == 5
