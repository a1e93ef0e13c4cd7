"""A disk that is full, read-only or not there at all: asked before the first step, survived at any later write."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from harness import TINY, last_step, run_forked, until

from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint
from genframe.rundir.space import refuse_full_disk

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def mounts(server: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where a process may not have a file system of its own."""
    report = tmp_path_factory.mktemp("mount") / "report"
    process = server.Process(target=run_forked, args=("can_mount", str(report)))
    process.start()
    process.join(30)
    if not report.exists() or not json.loads(report.read_text()):
        pytest.skip("this process may not mount a file system in memory, so that no disk can be filled")


def good(run: Path) -> list[Path]:
    """The complete checkpoints, all of which load; nothing half-written lies beside them."""
    found = complete_checkpoints(run / "checkpoints")
    for path in found:
        load_checkpoint(path, training=True)
    assert not list((run / "checkpoints").glob(".*"))
    assert not [path for path in run.rglob(".*.tmp") if path.name != ".lock"]
    return found


def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(start, folder, count, figure):
    figure(f"{count(5, 25)} sizes")
    rng, offsets = random.Random(0), set()
    for number in range(count(5, 25)):
        run = folder / f"run-{number}"
        largest = rng.randrange(1, 90_000)
        words = ["run", *TINY, "--steps", 100_000, "--output-dir", run]
        child = start("limited_files", words, largest)
        assert child.wait(60) == 7, child.text()
        assert "cannot be written: File too large" in child.text().splitlines()[-1]
        assert good(run)
        offsets.add(largest)
        before = last_step(run)
        resumed = start("command", ["run", "--resume", "--output-dir", run])
        until(lambda run=run, before=before: last_step(run) > before, resumed)
        resumed.kill()
        resumed.wait()
    assert len(offsets) >= count(4, 20)


def test_a_disk_that_somebody_fills_up_leaves_the_checkpoint_before(start, folder, mounts, count, figure):
    figure(f"{count(5, 25)} disks")
    rng = random.Random(1)
    for number in range(count(5, 25)):
        report = folder / f"report-{number}"
        words = ["run", *TINY, "--steps", 100_000, "--output-dir", "run"]
        left = rng.randrange(0, 200_000)
        child = start("command_on_small_disk", words, 40 * MEGABYTE, left, str(report))
        assert child.wait(120) == 0, child.text()
        code = json.loads(report.with_suffix(".json").read_text())
        assert code == 7, child.text()
        assert "the disk is full: free some space and run again" in child.text().splitlines()[-1]
        assert good(report)


def test_a_disk_without_room_for_the_run_is_refused_before_the_first_step(start, folder, mounts):
    report = folder / "report"
    words = ["run", *TINY, "--steps", 100_000, "--output-dir", "run"]
    child = start("command_on_small_disk", words, 5 * MEGABYTE, 0, str(report))
    assert child.wait(60) == 0
    assert json.loads(report.with_suffix(".json").read_text()) == 7
    assert "MB free, and the run needs up to" in child.text()
    assert not report.exists()


def test_a_read_only_disk_is_refused_before_the_first_step(start, folder, mounts):
    report = folder / "report"
    child = start("command_on_read_only_disk", ["run", *TINY, "--output-dir", "run"], str(report))
    assert child.wait(60) == 0
    assert json.loads(report.with_suffix(".json").read_text()) == 7, child.text()
    assert "the file system is read-only: choose another --output-dir" in child.text()


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_file_where_the_folder_should_be_is_refused_before_the_first_step(cli, folder, below):
    (folder / "file").write_text("kept")
    result = cli("run", *TINY, "--output-dir", f"{folder / 'file'}{below}")
    assert result.code == 7
    assert result.err.count("\n") == 1
    assert (folder / "file").read_text() == "kept"


def test_a_full_device_behind_the_log_ends_the_run_with_exit_7(cli, folder):
    run = folder / "run"
    assert cli("run", *TINY, "--steps", 3, "--output-dir", run).code == 0
    (run / "log.txt").unlink()
    (run / "log.txt").symlink_to("/dev/full")
    result = cli("run", "--resume", "--output-dir", run, "--steps", 6)
    assert result.code == 7, result.err
    assert "log.txt cannot be written: the disk is full" in result.err.splitlines()[-1]
    assert good(run)


def test_the_refusal_says_what_is_needed_and_what_is_free(folder):
    with pytest.raises(Exception, match=r"free, and the run needs up to 3000.0 GB for 3 checkpoints of 1000.0 GB"):
        refuse_full_disk(folder / "not" / "there" / "yet", 10**12, 3)
    assert not (folder / "not").exists()
    refuse_full_disk(folder, 1000, 3)
