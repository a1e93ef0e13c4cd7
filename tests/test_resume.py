"""``--resume``: a run that was stopped and resumed is the run that never stopped, to the byte."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from genframe.rundir.checkpoint import complete_checkpoints

BASE = ["--plugin", "cdcgan", "--batch-size", "16", "--set", "architecture.width=8", "--set", "architecture.hidden=16"]
BASE += ["--device", "cpu", "--set", "metrics=[]", "--log-every", "1", "--sample-every", "3", "--checkpoint-every", "2"]


def content(run: Path) -> dict[str, bytes]:
    """What must be the same: the last checkpoint's tensors, the figures, the pictures, the configuration."""
    last = complete_checkpoints(run / "checkpoints")[-1]
    files = [*last.glob("*.safetensors"), run / "metrics.jsonl", run / "config.toml", *(run / "samples").iterdir()]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def finished(cli: Any, folder: Path, steps: int, *words: str) -> Path:
    result = cli("run", *BASE, *words, "--steps", steps, "--output-dir", folder)
    assert result.code == 0, result.err
    return folder


@pytest.mark.parametrize(
    ("stopped", "words"),
    [
        (1, []),
        (4, []),
        (7, ["--set", "training.ema=0.0"]),
        (5, ["--workers", "2"]),
        (5, ["--set", "algorithm.optimizer=sgd", "--set", "algorithm.learning_rate=0.01"]),
        (
            5,
            [
                "--set",
                "algorithm.updates=['critic', 'critic', 'generator']",
                "--set",
                "algorithm.one_update_per_batch=true",
            ],
        ),
    ],
)
def test_a_resumed_run_has_the_bytes_of_one_that_never_stopped(cli, tmp_path, stopped, words):
    whole = finished(cli, tmp_path / "whole", 8, *words)
    part = finished(cli, tmp_path / "part", stopped, *words)
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 0, result.err
    assert f"resumed after step {stopped}" in result.err
    assert content(part) == content(whole)
    written = json.loads((part / "run.json").read_text())
    assert (written["status"], [each["step"] for each in written["resumed"]]) == ("finished", [stopped])


def test_rows_and_pictures_after_the_checkpoint_are_made_again(cli, tmp_path):
    whole = finished(cli, tmp_path / "whole", 8)
    part = finished(cli, tmp_path / "part", 7)
    for path in complete_checkpoints(part / "checkpoints")[1:]:  # as if the process had been killed at step 7
        shutil.rmtree(path)
    with open(part / "metrics.jsonl", "a") as file:
        file.write('{"step": 8, "critic_lo')
    assert cli("run", "--resume", "--output-dir", part, "--steps", 8).code == 0
    assert content(part) == content(whole)


def test_a_damaged_checkpoint_is_set_aside_loudly_and_the_one_before_is_taken(cli, tmp_path):
    whole = finished(cli, tmp_path / "whole", 8)
    part = finished(cli, tmp_path / "part", 6)
    newest = complete_checkpoints(part / "checkpoints")[-1]
    damaged = newest / "training.safetensors"
    body = bytearray(damaged.read_bytes())
    body[len(body) // 2] ^= 1
    damaged.write_bytes(body)
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 0, result.err
    assert "training.safetensors is damaged" in result.err
    assert "resumed after step 4" in result.err
    assert content(part) == content(whole)
    assert (newest.parent / f"damaged-{newest.name}").is_dir()


def test_without_a_good_checkpoint_nothing_goes_on(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    for path in complete_checkpoints(part / "checkpoints"):
        (path / "state.json").write_bytes(b"{}")
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 5
    assert "no good checkpoint to resume from" in result.err


def test_what_a_kill_left_half_written_is_swept_away(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    left = part / "checkpoints" / ".step-00000006.77.tmp"
    left.mkdir()
    (left / "state.json").write_text("{")
    assert cli("run", "--resume", "--output-dir", part, "--steps", 6).code == 0
    assert not left.exists()


def test_a_run_killed_at_its_very_beginning_begins_again(cli, tmp_path):
    part = tmp_path / "part"
    (part / "samples").mkdir(parents=True)
    (part / "checkpoints" / ".step-00000002.77.tmp").mkdir(parents=True)
    (part / ".run.json.77.tmp").write_text("{")
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", part)
    assert result.code == 0, result.err
    assert content(part) == content(finished(cli, tmp_path / "whole", 2))


def test_where_there_is_nothing_the_run_begins(cli, tmp_path):
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", tmp_path / "new")
    assert result.code == 0, result.err
    part = tmp_path / "new"
    shutil.rmtree(part / "checkpoints")
    (part / "checkpoints").mkdir()  # as if it had been killed before the first one
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", part)
    assert result.code == 0, result.err
    assert content(part) == content(finished(cli, tmp_path / "whole", 2))


def test_a_finished_run_is_resumed_at_its_end(cli, tmp_path):
    whole = finished(cli, tmp_path / "whole", 3)
    before = content(whole)
    assert cli("run", *BASE, "--steps", 3, "--resume", "--output-dir", whole).code == 0
    assert content(whole) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--steps", "2"], "training.steps stays 4"),
        (["--lr", "0.01"], "algorithm.learning_rate stays 0.001"),
        (["--set", "architecture.width=16", "--seed", "5"], "architecture.width stays 8, seed stays 0"),
    ],
)
def test_what_contradicts_the_run_does_not_count_and_is_named(cli, tmp_path, words, sentence):
    part = finished(cli, tmp_path / "part", 4)
    before = content(part)
    result = cli("run", "--resume", "--output-dir", part, *words)
    assert (result.code, sentence in result.err) == (0, True), result.err
    assert content(part) == before


def test_another_recipe_is_refused(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 2)
    result = cli("run", "--plugin", "dcgan", "--resume", "--output-dir", part)
    assert (result.code, "contradict each other" in result.err) == (2, True)


def test_the_best_checkpoint_so_far_outlives_a_stop(cli, tmp_path):
    measured = ["--keep-best", "--evaluate-every", "1", "--metric", "nn1", "--set", "metrics=[{name='nn1'}]"]
    words = [word for word in BASE if word != "metrics=[]"]
    words = [word for place, word in enumerate(words) if word != "--set" or words[place + 1][:2] in ("ar", "al")]
    found = []
    for folder, lengths in (("whole", (8,)), ("part", (5, 8))):
        for steps in lengths:
            arguments = [*words, *measured, "--steps", steps, "--resume", "--output-dir", tmp_path / folder]
            result = cli("run", *arguments)
            assert result.code == 0, result.err
        best = json.loads((tmp_path / folder / "run.json").read_text())["best"]
        assert (tmp_path / folder / best["checkpoint"] / "manifest.json").is_file()
        found.append((best, content(tmp_path / folder)))
    assert found[0] == found[1]


def test_resuming_needs_to_know_where_and_leaves_strangers_folders_alone(cli, tmp_path):
    result = cli("run", *BASE, "--resume")
    assert (result.code, "give --output-dir" in result.err) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", tmp_path / "mine")
    assert (result.code, "is not empty" in result.err) == (7, True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "mine" / "samples").mkdir()
    (tmp_path / "mine" / "thesis.txt").rename(tmp_path / "mine" / "samples" / "thesis.txt")
    assert cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", tmp_path / "mine").code == 7
    assert (tmp_path / "mine" / "samples" / "thesis.txt").read_text() == "years of work"


def test_another_number_of_threads_is_said(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    stored = part / "config.toml"
    stored.write_text(stored.read_text().replace("threads = 1", "threads = 2"))
    result = cli("run", "--resume", "--output-dir", part, "--steps", 5)
    assert result.code == 0, result.err
    assert "threads 1 is 2 now" in result.err
    assert "may differ" in result.err


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_on_a_live_directory_is_refused_and_a_killed_one_frees_it(cli, tmp_path, resume):
    live = tmp_path / "live"
    words = [*map(str, (*BASE, "--steps", 100_000, "--output-dir", live))]
    holder = subprocess.Popen([sys.executable, "-m", "genframe", "run", *words], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(complete_checkpoints(live / "checkpoints")) < 2:
            assert time.monotonic() < deadline, "the run has not come far enough"
            assert holder.poll() is None
            time.sleep(0.05)
        result = cli("run", *words, *(["--resume"] if resume else []))
        assert result.code == 7
        assert ("is in use by process " + str(holder.pid) if resume else "is not empty") in result.err
        assert holder.poll() is None
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    if resume:
        step = int(complete_checkpoints(live / "checkpoints")[-1].name.removeprefix("step-"))
        heir = subprocess.Popen(
            [sys.executable, "-m", "genframe", "run", *words, "--resume"], stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while int(complete_checkpoints(live / "checkpoints")[-1].name.removeprefix("step-")) <= step:
            assert time.monotonic() < deadline, "the run has not come far enough"
            time.sleep(0.05)
        heir.send_signal(signal.SIGTERM)
        _, printed = heir.communicate(timeout=60)
        assert heir.returncode == 143, printed
        assert f"resumed after step {step:,}" in printed
