"""A run that is killed at any moment goes on from a good checkpoint, and ends with the bytes of one that was not."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from harness import FULL, TINY, content, last_step, until

from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint

STEPS = 120 if FULL else 30
WORDS = [*TINY, "--steps", STEPS, "--sample-every", 20]


@pytest.fixture
def whole(cli: Any, folder: Path) -> dict[str, bytes]:
    result = cli("run", *WORDS, "--output-dir", folder / "whole")
    assert result.code == 0, result.err
    return content(folder / "whole")


def test_kills_at_random_times_leave_good_checkpoints_and_the_same_end(start, folder, whole, count, figure):
    rng = random.Random(0)
    kills, in_a_write, steps, finished = 0, 0, set(), 0
    while kills < count(10, 200) or in_a_write < count(1, 40):
        assert kills < count(60, 400), "no kill falls into a write"
        run = folder / f"run-{finished}"
        child = start("command", ["run", *WORDS, "--resume", "--output-dir", run])
        before = last_step(run)
        if rng.random() < 0.9:  # else perhaps before its first step
            while child.process.is_alive() and last_step(run) == before:
                time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.25))
        if rng.random() < 0.4:  # a write in memory is short, and would seldom be hit by chance
            while child.process.is_alive() and not any((run / "checkpoints").glob(".step-*.tmp")):
                pass
        child.kill()
        if child.wait() == 0:
            assert content(run) == whole
            finished += 1
            continue
        kills += 1
        in_a_write += any((run / "checkpoints").glob(".step-*.tmp"))
        steps.add(last_step(run))
        for path in complete_checkpoints(run / "checkpoints"):
            load_checkpoint(path, training=True)
    child = start("command", ["run", *WORDS, "--resume", "--output-dir", run])
    assert child.wait() == 0, child.text()
    assert content(run) == whole
    figure(f"{kills} kills, {in_a_write} inside a write, {len(steps)} distinct steps, {finished + 1} finished runs")
    assert len(steps) >= count(4, 50)
    assert in_a_write >= count(1, 40)


POINTS = [
    ("genframe.recording.write_checkpoint", True),
    ("genframe.recording.prune_checkpoints", False),
    ("genframe.rundir.checkpoint._delete", False),
    ("genframe.rundir.checkpoint.shutil.rmtree", False),
    ("genframe.recording.prune_checkpoints", True),
]


def test_between_saving_and_pruning_two_are_good_at_every_moment(start, folder, whole, count, figure):
    rng = random.Random(1)
    figure(f"{count(5, 50)} kills")
    for number in range(count(5, 50)):
        run = folder / f"run-{number}"
        function, after = POINTS[number % len(POINTS)]
        words = ["run", *WORDS, "--output-dir", run]
        child = start("command_that_dies", words, function, rng.randint(3, 20), after)
        assert child.wait() == -9, child.text()
        good = complete_checkpoints(run / "checkpoints")
        assert len(good) >= 2
        for path in good:
            load_checkpoint(path, training=True)
        if number < 5:
            assert start("command", [*words, "--resume"]).wait() == 0
            assert content(run) == whole
            assert not list((run / "checkpoints").glob(".step-*"))


def test_a_kill_of_the_first_checkpoint_loses_no_earlier_one_because_there_is_none(start, folder, whole):
    run = folder / "run"
    words = ["run", *WORDS, "--output-dir", run]
    child = start("command_that_dies", words, "genframe.recording.write_checkpoint", 1, False)
    assert child.wait() == -9
    again = start("command", [*words, "--resume"])
    until(lambda: last_step(run) > 0, again)
    assert again.wait() == 0
    assert content(run) == whole
