"""Writing files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genframe.errors import StorageError


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns any `OSError` inside into a `StorageError` that names `path`."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "the disk is full: free some space and run again",
            errno.EDQUOT: "the quota is used up: free some space and run again",
            errno.EROFS: "the file system is read-only: choose another --output-dir",
            errno.EACCES: "permission is missing: choose another --output-dir",
            errno.EPERM: "permission is missing: choose another --output-dir",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{path} cannot be written: {advice}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces the file as a whole: after a crash there is the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        try:
            write_durably(temporary, content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file that outlives a crash of the machine once its directory is durable, too."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable, where the system can (POSIX)."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
