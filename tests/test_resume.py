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

import numpy as np
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


@pytest.mark.parametrize("left", [(), ("checkpoints/.step-00000002.77.tmp/state.json", ".run.json.77.tmp")])
def test_a_run_killed_at_its_very_beginning_begins_again(cli, tmp_path, left):
    part = tmp_path / "part"
    for folder in ("samples", "checkpoints"):
        (part / folder).mkdir(parents=True)
    for name in left:
        (part / name).parent.mkdir(exist_ok=True)
        (part / name).write_text("{")
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


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content | {"id": "another"},
        lambda content: content | {"id": 3, "started_at": None},
        lambda content: content | {"remarks": [{"stex": 2}, 3, {"step": "x"}], "resumed": "yes"},
        lambda content: {},
    ],
)
def test_what_the_status_file_says_wrongly_costs_no_checkpoint(cli, tmp_path, damage):
    whole = finished(cli, tmp_path / "whole", 8)
    part = finished(cli, tmp_path / "part", 6)
    written = json.loads((part / "run.json").read_text())
    (part / "run.json").write_text(json.dumps(damage(written)))
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 0, result.err
    assert content(part) == content(whole)
    assert not list((part / "checkpoints").glob("damaged-*"))
    assert json.loads((part / "run.json").read_text())["id"] == written["id"]


def test_without_a_good_checkpoint_none_is_renamed(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    for path in complete_checkpoints(part / "checkpoints"):
        (path / "state.json").write_bytes(b"{}")
    names = sorted(path.name for path in (part / "checkpoints").iterdir())
    assert cli("run", "--resume", "--output-dir", part, "--steps", 8).code == 5
    assert sorted(path.name for path in (part / "checkpoints").iterdir()) == names


def test_a_checkpoint_damaged_twice_is_set_aside_twice(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 6)
    for _ in range(2):
        (complete_checkpoints(part / "checkpoints")[-1] / "state.json").write_bytes(b"{}")
        assert cli("run", "--resume", "--output-dir", part, "--steps", 6).code == 0
    aside = sorted(path.name for path in (part / "checkpoints").glob("damaged-*"))
    assert aside == ["damaged-step-00000006", "damaged-step-00000006-2"]


def test_a_checkpoint_without_its_manifest_is_set_aside_and_named(cli, tmp_path):
    whole = finished(cli, tmp_path / "whole", 8)
    part = finished(cli, tmp_path / "part", 6)
    newest = complete_checkpoints(part / "checkpoints")[-1]
    (newest / "manifest.json").unlink()
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert f"{newest / 'manifest.json'} is missing: set aside" in result.err
    assert content(part) == content(whole)


def test_settings_that_were_changed_in_the_file_are_refused_and_a_lost_file_is_made_up_for(cli, tmp_path):
    whole = finished(cli, tmp_path / "whole", 8)
    part = finished(cli, tmp_path / "part", 4)
    stored = part / "config.toml"
    text = stored.read_text()
    stored.write_text(text.replace("learning_rate = 0.001", "learning_rate = 0.009"))
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 2
    assert "algorithm.learning_rate = 0.009 (was 0.001)" in result.err
    for damage in (None, b"\xff not toml"):
        stored.unlink(missing_ok=True)
        if damage:
            stored.write_bytes(damage)
        result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
        assert result.code == 0, result.err
        assert "the settings are those of" in result.err
        assert content(part) == content(whole)


def test_other_data_is_said(cli, tmp_path):
    rng = np.random.default_rng(0)
    data = tmp_path / "data.npz"

    def write(count: int) -> None:
        images = rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
        labels = np.arange(count) % 10
        np.savez(data, x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])

    write(200)
    part = finished(cli, tmp_path / "part", 2, "--data", str(data))
    write(150)
    result = cli("run", "--resume", "--output-dir", part, "--steps", 4)
    assert result.code == 0, result.err
    assert "samples [200, 20] is [150, 20] now" in result.err


def test_a_run_never_shrinks(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    before = content(part)
    result = cli("run", "--resume", "--output-dir", part, "--epochs", 0.01)
    assert (result.code, "it may only grow" in result.err) == (2, True), result.err
    assert content(part) == before


@pytest.mark.parametrize("stopped", [3, 5, 6])
def test_a_run_that_grows_keeps_nothing_that_it_had_only_as_its_end(cli, tmp_path, stopped):
    words = ["--log-every", "2", "--set", "observers=[{name='health', every=2, samples=160}]"]
    whole = finished(cli, tmp_path / "whole", 8, *words)
    part = finished(cli, tmp_path / "part", stopped, *words)
    assert cli("run", "--resume", "--output-dir", part, "--steps", 8).code == 0
    assert content(part) == content(whole)
    for name in ("digests.jsonl", "health.jsonl"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()


def test_a_folder_that_is_no_run_is_left_alone(cli, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.toml").write_text("# years of settings\nrecipe = 'cdcgan'\n")
    (mine / "log.txt").write_text("notes")
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", mine)
    assert result.code == 7
    assert (mine / "log.txt").read_text() == "notes"


def test_a_run_killed_before_its_first_checkpoint_begins_again_and_keeps_what_is_not_its_own(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 2)
    shutil.rmtree(part / "checkpoints")
    (part / "samples" / ".step-00000002.png.77.tmp").write_bytes(b"half")
    (part / "notes-of-an-observer.csv").write_text("1,2")
    result = cli("run", *BASE, "--steps", 2, "--resume", "--output-dir", part)
    assert result.code == 0, result.err
    assert content(part) == content(finished(cli, tmp_path / "whole", 2))
    assert (part / "notes-of-an-observer.csv").read_text() == "1,2"


def test_digests_that_lost_their_names_get_them_again(cli, tmp_path):
    part = finished(cli, tmp_path / "part", 4)
    rows = (part / "digests.jsonl").read_bytes().splitlines(keepends=True)
    (part / "digests.jsonl").write_bytes(b"".join(rows[1:]))
    assert cli("run", "--resume", "--output-dir", part, "--steps", 6).code == 0
    whole = finished(cli, tmp_path / "whole", 6)
    result = cli("diff", part, whole)
    assert "do not part: compared" in result.out
