"""One writer for a run directory: another is refused, and a lock is gone with the process that held it, however."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from genframe.errors import StorageError
from genframe.rundir.files import storage_errors

#: The file's name in the directory. It stays, empty; what counts is the operating system's lock on it.
LOCK = ".lock"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keeps other runs out of a directory.

    Raises:
        StorageError: another process is writing there; the sentence names it.
    """
    lock = FileLock(path / LOCK, timeout=0)
    with storage_errors(path):
        try:
            lock.acquire()
        except Timeout:
            advice = "wait for it, or name another --output-dir"
            raise StorageError(f"{path} is in use by {_holder(path)}: {advice}") from None
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """As ``run.json`` names it; it is written soon after the lock is taken."""
    try:
        process = json.loads((path / "run.json").read_text())["process"]
        return f"process {process['pid']} on {process['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run that has just begun"
