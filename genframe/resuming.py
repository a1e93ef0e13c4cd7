"""Going on with a run where its newest good checkpoint left it, to the same bytes as if it had never stopped."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import genframe
from genframe.assembly import Assembly
from genframe.errors import CheckpointError, ConfigError
from genframe.interfaces import Stateful
from genframe.rundir import RunDirectory
from genframe.rundir.checkpoint import Checkpoint, complete_checkpoints, load_checkpoint, sweep
from genframe.rundir.directory import drawn_pictures
from genframe.rundir.files import storage_errors
from genframe.rundir.lock import LOCK
from genframe.training.trainer import below

#: What a run writes into its directory before its first checkpoint, and what a killed one leaves half-written.
_WRITTEN = re.compile(
    r"\.lock|config\.toml|run\.json|(metrics|timings)\.jsonl|log\.txt|\.(config\.toml|run\.json)\.\d+\.tmp|"
    r"samples|samples/(step-\d{8,}|final)\.png|checkpoints|checkpoints/\.step-\d{8,}\.\d+\.tmp"
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run had come.

    Attributes:
        step: after how many steps.
        seconds: how long it had trained.
        best: the best figure so far, as ``run.json`` has it.
        notes: what the user should know, in sentences.
    """

    step: int = 0
    seconds: float = 0.0
    best: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def has_checkpoint(path: Path) -> bool:
    """Whether a folder holds a run with something to go on from."""
    return bool(complete_checkpoints(path / "checkpoints"))


def resume(assembly: Assembly, directory: RunDirectory) -> Progress:
    """Puts everything back to the newest good checkpoint, and takes from the directory what came after it.

    Checkpoints that are damaged are set aside under another name, and a note says so.

    Raises:
        CheckpointError: none is good, or the newest good one does not fit.
        ConfigError: the run is to be shorter than it already is.
    """
    sweep(directory.checkpoints)
    checkpoint, notes = _newest_good(directory)
    state = checkpoint.state
    step = int(state["step"])
    steps = assembly.config.training.steps
    if steps is not None and steps < step:
        raise ConfigError(f"--steps {steps}: the run has made {step} steps already; a resumed run may only grow")
    assembly.trainer.restore(checkpoint.networks, checkpoint.training, state)
    _restore_parts(assembly.stateful, checkpoint)
    _forget_after(directory, step)
    notes += _changes(state, assembly)
    return Progress(step=step, seconds=state["seconds"], best=state["best"], notes=tuple(notes))


def has_begun(path: Path) -> bool:
    """Whether a folder holds what a run writes before its first checkpoint, and nothing else."""
    names = _names(path) if path.is_dir() else []
    return bool(names) and all(_WRITTEN.fullmatch(name) for name in names)


def clear(path: Path) -> None:
    """Makes way for a new start in a folder of which `has_begun` is true."""
    with storage_errors(path):
        for each in path.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            elif each.name != LOCK:
                each.unlink()


def _names(path: Path) -> list[str]:
    """Of what lies in a run directory, and of what lies in its folders."""
    folders = [path / "samples", path / "checkpoints"]
    inside = [f"{folder.name}/{each.name}" for folder in folders if folder.is_dir() for each in folder.iterdir()]
    return [each.name for each in path.iterdir()] + inside


def _newest_good(directory: RunDirectory) -> tuple[Checkpoint, list[str]]:
    notes: list[str] = []
    for path in reversed(complete_checkpoints(directory.checkpoints)):
        try:
            return load_checkpoint(path, training=True), notes
        except CheckpointError as error:
            notes.append(f"{error}: set aside, and the checkpoint before it is taken")
            with storage_errors(path):
                os.replace(path, path.with_name(f"damaged-{path.name}"))
    raise CheckpointError(f"{directory.path} has no good checkpoint to resume from: {'; '.join(notes)}")


def _restore_parts(parts: Mapping[str, Stateful], checkpoint: Checkpoint) -> None:
    for name, part in parts.items():
        part.load_state(below(checkpoint.networks, f"part.{name}."))


def _forget_after(directory: RunDirectory, step: int) -> None:
    """The run will write these again."""
    for name in ("metrics.jsonl", "timings.jsonl"):
        directory.keep_rows(name, lambda row: row["step"] <= step)
    for picture in drawn_pictures(directory.samples):
        if picture.stem == "final" or int(picture.stem.removeprefix("step-")) > step:
            with storage_errors(picture):
                picture.unlink()


def _changes(state: Mapping[str, Any], assembly: Assembly) -> list[str]:
    """What differs from the machine that wrote the checkpoint, so that equal bytes cannot be promised."""
    before, now = state["environment"], environment(assembly)
    changed = [f"{name} {before.get(name)} is {now[name]} now" for name in now if before.get(name) != now[name]]
    if not changed:
        return []
    return [f"{', '.join(changed)}: the run goes on, but its numbers may differ from those of one without a stop"]


def environment(assembly: Assembly) -> dict[str, Any]:
    """What the bytes of a run depend on, beside its configuration."""
    return {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "device": str(assembly.compute.device),
        "precision": assembly.compute.precision,
        "threads": assembly.config.training.threads,
    }
