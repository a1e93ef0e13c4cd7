"""Processes that read data may die, processes of one seed agree, and torchrun may start them again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import FULL, TINY, content, last_step, until

from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint


def children_of(process: int) -> list[int]:
    """The processes that it has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_reader_ends_the_run_with_a_clear_error_and_good_checkpoints(start, folder, count, figure):
    figure(f"{count(1, 10)} readers killed")
    for number in range(count(1, 10)):
        run = folder / f"run-{number}"
        child = start("command", ["run", *TINY, "--steps", 100_000, "--workers", 2, "--output-dir", run])
        until(lambda run=run: last_step(run) >= 3, child)
        readers = children_of(child.process.pid)
        assert readers
        os.kill(readers[number % len(readers)], signal.SIGKILL)
        assert child.wait(10) == 3, child.text()
        assert "a process that reads data died" in child.text().splitlines()[-1]
        assert json.loads((run / "run.json").read_text())["status"] == "failed"
        for path in complete_checkpoints(run / "checkpoints"):
            load_checkpoint(path, training=True)


def test_fresh_processes_of_one_seed_have_the_same_bytes(genframe_process, folder, count, figure):
    figure(f"{count(3, 10)} processes")
    found = []
    for number in range(count(3, 10)):
        words = [*TINY, "--steps", 3, "--output-dir", folder / f"run-{number}"]
        done = genframe_process("-m", "genframe", "run", *words, PYTHONHASHSEED=str(number))
        assert done.returncode == 0, done.stderr
        found.append(content(folder / f"run-{number}"))
    assert all(each == found[0] for each in found)


@pytest.mark.skipif(not FULL, reason="starts torchrun, which takes long: make faults runs it")
def test_torchrun_starts_a_killed_run_again_and_it_ends_the_same(cli, folder):
    words = [*TINY, "--steps", 60, "--output-dir"]
    assert cli("run", *words, folder / "whole").code == 0
    run = folder / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1", "--max-restarts", "2"]
    command = [*torchrun, "--standalone", "-m", "genframe", "run", *map(str, words), str(run)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while last_step(run) < 3:
            assert time.monotonic() < deadline
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.01)
        os.kill(json.loads((run / "run.json").read_text())["process"]["pid"], signal.SIGKILL)
        _, printed = child.communicate(timeout=240)
        assert child.returncode == 0, printed
    finally:
        child.kill()
    assert json.loads((run / "run.json").read_text())["resumed"]
    assert content(run) == content(folder / "whole")


@pytest.mark.parametrize("variable", ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"])
def test_what_a_scheduler_has_started_again_resumes_without_being_told(cli, folder, monkeypatch, variable):
    words = [*TINY, "--output-dir", folder / "run"]
    assert cli("run", *words, "--steps", 2).code == 0
    monkeypatch.setenv(variable, "0")
    result = cli("run", *words, "--steps", 4)
    assert (result.code, "is not empty" in result.err) == (7, True)
    monkeypatch.setenv(variable, "1")
    result = cli("run", *words, "--steps", 4)
    assert (result.code, "resumed after step 2" in result.err) == (0, True)
