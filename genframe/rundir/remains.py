"""What a run leaves behind that was stopped before its first checkpoint."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from genframe.errors import CheckpointError
from genframe.rundir.checkpoint import all_checkpoints
from genframe.rundir.directory import RunDirectory
from genframe.rundir.files import storage_errors
from genframe.rundir.lock import LOCK

#: What a run writes that is of no use without a checkpoint.
_WRITTEN = re.compile(
    r"config\.toml|run\.json|(metrics|digests|timings|health)\.jsonl|log\.txt|\.(config\.toml|run\.json)\.\d+\.tmp|"
    r"samples/(step-\d{8,}|final)\.png|samples/\..*\.png\.\d+\.tmp|checkpoints/\.step-\d{8,}\.\d+(\.gone)?\.tmp"
)

#: What there may be before ``run.json``, which is the first that is written for good.
_BEFORE = re.compile(r"\.run\.json\.\d+\.tmp|checkpoints/\.step-\d{8,}\.\d+\.tmp")


def has_begun(path: Path) -> bool:
    """Whether a folder holds a run that was stopped before its first checkpoint, so that it may begin again.

    What says so is its ``run.json``; without one there may be what a run makes before that, and nothing else.
    """
    if not path.is_dir():
        return False
    directory = RunDirectory(path)
    if directory.run_file.exists():
        return _is_a_runs(directory) and not all_checkpoints(directory.checkpoints)
    is_empty = all(each.name == LOCK for each in path.iterdir())
    return not is_empty and all(_BEFORE.fullmatch(name) for name in _names(path))


def clear(path: Path) -> None:
    """Makes way for a new start in a folder of which `has_begun` is true; what no run writes stays."""
    with storage_errors(path):
        for name in _names(path):
            if _WRITTEN.fullmatch(name):
                each = path / name
                shutil.rmtree(each) if each.is_dir() else each.unlink()


def _is_a_runs(directory: RunDirectory) -> bool:
    try:
        return isinstance(directory.read_run().get("id"), str)
    except CheckpointError:
        return False


def _names(path: Path) -> list[str]:
    """Of what lies in a run directory and in its folders, but for those folders and the lock."""
    folders = [path / "samples", path / "checkpoints"]
    inside = [f"{folder.name}/{each.name}" for folder in folders if folder.is_dir() for each in folder.iterdir()]
    return [each.name for each in path.iterdir() if each not in folders and each.name != LOCK] + inside
