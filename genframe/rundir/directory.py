"""The run directory: one folder that holds all there is to know of a run.

```
config.toml      the whole configuration; ``genframe run --config`` replays it
run.json         status, versions, device, timings, final figures
metrics.jsonl    one JSON object a logged step; no times in it, so that equal runs give equal bytes
digests.jsonl    for each logged step a digest of every tensor; see `genframe.training.digests`
health.jsonl     what the observer ``health`` has seen
tensorboard/     the log of the observer ``tensorboard``
tracked.json     how far the observer ``wandb`` has come
timings.jsonl    what depends on the clock
log.txt          what the run said
samples/         pictures
checkpoints/     see `genframe.rundir.checkpoint`
```
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from genframe.config import Tree
from genframe.errors import CheckpointError, StorageError
from genframe.rundir.files import storage_errors, sync_directory, write_atomically
from genframe.rundir.lock import LOCK

#: No row is longer, in bytes; from one that is on nothing is read, and neither is a longer ``run.json``.
_LONGEST = 16 * 1024 * 1024

#: Where runs lie that are given no folder.
NUMBERED = Path("runs")


class RunDirectory:
    """The paths and the plain-text files of a run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.toml"
        self.run_file = path / "run.json"
        self.log_file = path / "log.txt"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"

    @classmethod
    def create(cls, path: Path | None, recipe: str, data: str) -> RunDirectory:
        """A new directory: `path`, which must be new or empty, or else the next free ``runs/<recipe>-<data>-NNNN``.

        Raises:
            StorageError: it cannot be made or holds something already.
        """
        directory = cls(_numbered(recipe, data) if path is None else cls.claim(path))
        directory.make_folders()
        return directory

    def make_folders(self) -> None:
        """Makes ``samples/`` and ``checkpoints/``, where they are missing.

        Raises:
            StorageError: they cannot be made.
        """
        with storage_errors(self.path):
            self.samples.mkdir(exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)

    @staticmethod
    def claim(path: Path) -> Path:
        """Makes a folder, or takes one that is empty.

        Raises:
            StorageError: it cannot be made or holds something already.
        """
        with storage_errors(path):
            if path.exists() and not path.is_dir():
                raise StorageError(f"--output-dir {path} is a file: name a folder that is new or empty")
            path.mkdir(parents=True, exist_ok=True)
            if any(each.name != LOCK for each in path.iterdir()):
                going_on = "--resume goes on with the run there, or " if (path / "run.json").exists() else ""
                raise StorageError(f"--output-dir {path} is not empty: {going_on}name a folder that is new or empty")
        return path

    def write_config(self, tree: Tree) -> None:
        """Writes ``config.toml``."""
        import tomli_w

        write_atomically(self.config_file, tomli_w.dumps(tree).encode())

    def write_run(self, content: Mapping[str, Any]) -> None:
        """Writes ``run.json``."""
        write_atomically(self.run_file, (json.dumps(content, indent=2) + "\n").encode())

    def read_run(self) -> dict[str, Any]:
        """The content of ``run.json``.

        Raises:
            CheckpointError: it cannot be read.
        """
        try:
            with open(self.run_file, "rb") as file:
                content = json.loads(file.read(_LONGEST))
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{self.run_file} cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise CheckpointError(f"{self.run_file} cannot be read: it is not a JSON object")
        return content

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Adds a row to ``metrics.jsonl``."""
        self._append("metrics.jsonl", json.dumps(row))

    def keep_rows(self, name: str, last: int, wanted: Callable[[Mapping[str, Any]], bool] = lambda row: True) -> int:
        """Keeps the rows of a file of JSON lines up to step `last` that are wanted; a last line that was cut off goes.

        Returns:
            How many other lines could not be read; they go as well.
        """
        path = self.path / name
        if not path.exists():
            return 0
        kept, lost = [], 0
        with storage_errors(path), open(path, "rb") as file:
            while line := file.readline(_LONGEST):
                if not line.endswith(b"\n"):
                    lost += len(line) == _LONGEST
                    break
                row = _row_of(line)
                lost += row is None
                if row is not None and row["step"] <= last and wanted(row):
                    kept.append(line)
        write_atomically(path, b"".join(kept))
        return lost

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a file, in order; a line that cannot be read is left out. Empty where there is no file."""
        path = self.path / name
        if not path.exists():
            return []
        with storage_errors(path), open(path, "rb") as file:
            read = [_row_of(line) for line in iter(partial(file.readline, _LONGEST), b"")]
        return [row for row in read if row is not None]

    def append_digests(self, row: Mapping[str, Any]) -> None:
        """Adds a row to ``digests.jsonl``."""
        self._append("digests.jsonl", json.dumps(row))

    def names_tensors(self) -> bool:
        """Whether a row of ``digests.jsonl`` says which tensors the others are of."""
        path = self.path / "digests.jsonl"
        if not path.exists():
            return False
        with storage_errors(path), open(path, "rb") as file:
            return any(b'"tensors"' in line for line in file)

    def sync_rows(self) -> None:
        """Makes the rows so far durable, so that no checkpoint outlives the rows before it."""
        for name in ("metrics.jsonl", "digests.jsonl", "health.jsonl"):
            path = self.path / name
            if path.exists():
                with storage_errors(path), open(path, "rb") as file:
                    os.fsync(file.fileno())
        with storage_errors(self.path):
            sync_directory(self.path)

    def append_timings(self, row: Mapping[str, Any]) -> None:
        """Adds a row to ``timings.jsonl``."""
        self._append("timings.jsonl", json.dumps(row))

    def append_log(self, line: str) -> None:
        """Adds a line to ``log.txt``."""
        self._append(self.log_file.name, line)

    def sample_file(self, stem: str) -> Path:
        """Where the picture ``samples/<stem>.png`` lies."""
        return self.samples / f"{stem}.png"

    def _append(self, name: str, line: str) -> None:
        path = self.path / name
        with storage_errors(path), open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _row_of(line: bytes) -> dict[str, Any] | None:
    """A row with its step; None if the line is not one."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def now() -> str:
    """The time in UTC, to the second, as everything in a run directory has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def step_name(step: int) -> str:
    """``step-00000500`` for step 500."""
    return f"step-{step:08d}"


def drawn_pictures(samples: Path) -> list[Path]:
    """The pictures in a run's ``samples/``, in the order of their steps; the final one last."""
    found = [path for path in samples.glob("*.png") if re.fullmatch(r"step-\d{8,}|final", path.stem)]
    return sorted(found, key=lambda path: (path.stem == "final", len(path.stem), path.stem))


def _numbered(recipe: str, data: str) -> Path:
    root = NUMBERED
    stem = re.sub(r"[^\w.-]+", "-", f"{recipe}-{data}".lower()).strip("-.")
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        taken = [
            int(match[1]) for each in root.iterdir() if (match := re.fullmatch(rf"{re.escape(stem)}-(\d+)", each.name))
        ]
        number = max(taken, default=0) + 1
        while True:
            path = root / f"{stem}-{number:04d}"
            try:
                path.mkdir()
            except FileExistsError:  # another run took the number in the meantime
                number += 1
            else:
                return path
