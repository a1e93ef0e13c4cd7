"""A signal saves within the step and leaves with its own exit code; a second one quits at once."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import FULL, TINY, content, last_step, until

from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint

STEPS = 120 if FULL else 40
#: Only signals save here.
WORDS = ["run", *TINY, "--checkpoint-every", 100_000, "--steps", STEPS, "--sample-every", 20]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}


def logged(run: Path) -> int:
    """How many steps have been logged: with ``--log-every 1``, how many were made."""
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_signals_at_random_times_save_within_a_step_and_the_end_is_the_same(cli, start, folder, count, figure):
    assert cli(*WORDS, "--output-dir", folder / "whole").code == 0
    whole = content(folder / "whole")
    rng, sent, steps, number = random.Random(0), 0, set(), 0
    while sent < count(4, 50):
        assert number <= sent + 20, "runs end and hear no signal"
        run = folder / f"run-{number}"
        child = start("command", [*WORDS, "--resume", "--output-dir", run])
        before = logged(run)
        while child.process.is_alive() and logged(run) <= before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.3))
        which = list(CODES)[sent % len(CODES)]
        made = logged(run)
        child.kill(which)
        code = child.wait(10)
        if code == 0:  # it had come to its end
            assert content(run) == whole
            number += 1
            continue
        sent += 1
        assert code == CODES[which], child.text()
        written = json.loads((run / "run.json").read_text())
        assert written["status"] == "interrupted"
        assert which.name in written["reason"]
        if logged(run) < STEPS:
            assert last_step(run) == logged(run)  # the step that was being made is saved
            assert last_step(run) <= made + 2
        load_checkpoint(complete_checkpoints(run / "checkpoints")[-1], training=True)
        steps.add(last_step(run))
    assert start("command", [*WORDS, "--resume", "--output-dir", run]).wait() == 0
    assert content(run) == whole
    assert len(steps) >= count(3, 30)
    figure(f"{sent} signals, {len(steps)} distinct steps, {number + 1} finished runs")


def test_a_second_signal_quits_at_once(start, folder):
    run = folder / "run"
    child = start("command_that_waits", [*WORDS, "--output-dir", run], "genframe.recording.write_checkpoint")
    until(lambda: logged(run) >= 3, child)
    child.kill(signal.SIGTERM)
    until(lambda: "waits" in child.text(), child)
    child.kill(signal.SIGTERM)
    assert child.wait(5) == 143
    assert not complete_checkpoints(run / "checkpoints")


def test_after_the_last_step_a_signal_ends_the_measuring_and_resuming_makes_up_for_it(cli, start, folder):
    assert cli(*WORDS, "--steps", 5, "--output-dir", folder / "whole").code == 0
    run = folder / "run"
    child = start(
        "command_that_waits", [*WORDS, "--steps", 5, "--output-dir", run], "genframe.recording.Recorder.conclude"
    )
    until(lambda: "waits" in child.text(), child)
    child.kill(signal.SIGINT)
    assert child.wait(5) == 130
    assert "after the last step, which is saved" in child.text()
    assert last_step(run) == 5
    assert cli("run", "--resume", "--output-dir", run).code == 0
    assert content(run) == content(folder / "whole")


def test_a_metric_cannot_swallow_the_signal(start, folder):
    run = folder / "run"
    words = [*WORDS, "--steps", 5, "--metric", "nn1", "--set", "metrics=[{name='nn1'}]", "--output-dir", run]
    words = [word for place, word in enumerate(words) if "metrics=[]" not in (word, *words[place + 1 : place + 2])]
    child = start("command_that_waits", words, "genframe_metrics.nn1.NeighbourError.measure")
    until(lambda: "waits" in child.text(), child)
    child.kill(signal.SIGTERM)
    assert child.wait(5) == 143, child.text()
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"


def test_a_terminal_that_goes_away_ends_with_a_checkpoint(start, folder):
    run = folder / "run"
    child = start("command", [*WORDS, "--steps", 100_000, "--output-dir", run])
    until(lambda: logged(run) >= 3, child)
    child.kill(signal.SIGHUP)
    assert child.wait(10) == 129, child.text()
    assert last_step(run) == logged(run)


def test_what_is_said_to_a_terminal_that_is_gone_hurts_nobody(folder):
    master, slave = os.openpty()
    words = [*map(str, WORDS), "--steps", "40", "--output-dir", str(folder / "run")]
    child = subprocess.Popen(
        [sys.executable, "-m", "genframe", *words], stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    try:
        deadline = time.monotonic() + 60
        while logged(folder / "run") < 3:
            assert time.monotonic() < deadline
            if select.select([master], [], [], 0.01)[0]:
                os.read(master, 65536)
        os.close(master)
        child.wait(60)
    finally:
        child.kill()
        child.wait()
    assert last_step(folder / "run") == 40
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "finished"
