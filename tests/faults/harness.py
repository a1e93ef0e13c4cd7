"""What the fault tests share: a run of milliseconds, a process that can be killed, what equal runs have in common."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from genframe.rundir.checkpoint import complete_checkpoints

#: ``make faults`` asks for the full counts; read here, since tests hide the user's variables.
FULL = os.environ.get("FAULTS") == "full"

#: A run whose steps and checkpoints take milliseconds.
TINY = ["--plugin", "cdcgan", "--batch-size", "16", "--set", "architecture.width=8", "--set", "architecture.hidden=16"]
TINY += ["--set", "metrics=[]", "--set", "observers=[]", "--device", "cpu", "--log-every", "1"]
TINY += ["--checkpoint-every", "1"]


def run_forked(function: str, *arguments: Any) -> None:
    """In the child: a function of ``forked.py``, which the tests themselves do not import: it imports very much."""
    import forked

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and under nohup
    getattr(forked, function)(*arguments)


@dataclass(frozen=True)
class Child:
    """A process that runs a function of ``forked.py``.

    Attributes:
        process: the process.
        log: what it prints.
    """

    process: BaseProcess
    log: Path

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal, if the process is still there."""
        if self.process.is_alive():
            assert self.process.pid is not None
            os.kill(self.process.pid, number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code: negative after a signal that it did not catch."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running: {self.text()}"
        return self.process.exitcode

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text() if self.log.exists() else ""


def until(condition: Callable[[], bool], child: Child, seconds: float = 60.0) -> None:
    """Waits for something that a child is to bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it has not come so far: {child.text()}"
        assert child.process.is_alive(), f"it has ended: {child.text()}"
        time.sleep(0.001)


def content(run: Path) -> dict[str, bytes]:
    """What equal runs share: the last checkpoint but for its manifest, figures, digests, pictures, settings."""
    last = complete_checkpoints(run / "checkpoints")[-1]
    files = [*last.iterdir(), run / "metrics.jsonl", run / "digests.jsonl", run / "config.toml"]
    files += (run / "samples").iterdir()
    return {str(file.relative_to(run)): file.read_bytes() for file in files if file.name != "manifest.json"}


def last_step(run: Path) -> int:
    """Of the newest complete checkpoint; 0 if there is none."""
    found = complete_checkpoints(run / "checkpoints")
    return int(found[-1].name.removeprefix("step-")) if found else 0
