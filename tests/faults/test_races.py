"""One run at a time writes into a directory, and a killed one holds nothing."""

from __future__ import annotations

import time

from harness import TINY, last_step, until

from genframe.rundir.checkpoint import complete_checkpoints


def test_of_two_starters_one_wins_and_the_other_is_told_who(start, folder, count, figure):
    figure(f"{count(3, 20)} races")
    for number in range(count(3, 20)):
        run = folder / f"run-{number}"
        words = ["run", *TINY, "--steps", 100_000, "--output-dir", run]
        words += ["--resume"] if number % 2 else []
        both = [start("command", words) for _ in range(2)]
        deadline = time.monotonic() + 30
        while all(child.process.is_alive() for child in both):
            assert time.monotonic() < deadline, "both go on"
            time.sleep(0.001)
        loser, winner = sorted(both, key=lambda child: child.process.is_alive())
        assert loser.wait() == 7, loser.text()
        assert "is in use by" in loser.text() or "is not empty" in loser.text(), loser.text()
        until(lambda run=run: last_step(run) >= 3, winner)
        third = start("command", [*words, *([] if "--resume" in words else ["--resume"])])
        assert third.wait() == 7, third.text()
        assert f"is in use by process {winner.process.pid}" in third.text()
        assert winner.process.is_alive()
        winner.kill()
        winner.wait()
        before = last_step(run)
        heir = start("command", [*words, "--resume"])
        until(lambda run=run, before=before: last_step(run) > before, heir)
        heir.kill()
        heir.wait()
        assert complete_checkpoints(run / "checkpoints")
