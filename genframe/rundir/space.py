"""Whether a disk has room for a run, asked before its first step."""

from __future__ import annotations

import shutil
from pathlib import Path

from genframe.errors import StorageError

#: Pictures, rows and logs, in bytes.
_BESIDES = 8_000_000


def refuse_full_disk(path: Path, checkpoint: int, copies: int, already: int = 0) -> None:
    """Refuses a run for which there is no room.

    Args:
        path: the run directory, or where it will be.
        checkpoint: the size of one checkpoint in bytes.
        copies: how many of them there will be at once, the one that is being written included.
        already: bytes of checkpoints there that will make room; see `stored_bytes`.

    Raises:
        StorageError: the sentence says how much is needed and how much is free.
    """
    there = next(each for each in (path, *path.absolute().parents) if each.is_dir())
    needed = checkpoint * copies + _BESIDES
    try:
        free = shutil.disk_usage(there).free
    except OSError:  # some network file systems do not say; then the first write will
        return
    if free + already < needed:
        raise StorageError(
            f"{there} has {_size(free)} free, and the run needs up to {_size(needed - already)} for {copies} "
            f"checkpoints of {_size(checkpoint)} and its pictures: free some space or name another --output-dir"
        )


def stored_bytes(folder: Path) -> int:
    """The size of all files below a folder, in bytes. Nobody else may be writing there."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
