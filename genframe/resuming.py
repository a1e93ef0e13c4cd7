"""Going on from a checkpoint: with the run itself, to the bytes of one that never stopped, or on a branch from it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import genframe
from genframe.assembly import Assembly
from genframe.errors import CheckpointError, ConfigError
from genframe.rundir import RunDirectory
from genframe.rundir.checkpoint import Checkpoint, complete_checkpoints, load_checkpoint, sweep, understood
from genframe.rundir.directory import drawn_pictures, now
from genframe.rundir.files import storage_errors
from genframe.rundir.lock import LOCK
from genframe.training.trainer import below

#: What a run writes into its directory before its first checkpoint, and what a killed one leaves half-written.
_WRITTEN = re.compile(
    r"\.lock|config\.toml|run\.json|(metrics|digests|timings|health)\.jsonl|log\.txt|\.(config\.toml|run\.json)\.\d+\.tmp|"
    r"samples|samples/(step-\d{8,}|final)\.png|checkpoints|checkpoints/\.step-\d{8,}\.\d+\.tmp"
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run had come before this process took it up.

    Attributes:
        step: after how many steps.
        seconds: how long it had trained.
        best: the best figure so far, as ``run.json`` has it.
        notes: what the user should know, in sentences.
        about: what ``run.json`` says of the run from here on, whoever goes on with it.
    """

    step: int = 0
    seconds: float = 0.0
    best: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


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
    directory.make_folders()
    sweep(directory.checkpoints)
    before, notes = _written_before(directory)
    path, checkpoint = _newest_good(directory, before.get("id"), notes)
    _refuse_shorter(assembly, checkpoint.step)
    _restore(assembly, checkpoint, path)
    notes += _forget_after(directory, checkpoint.step)
    with understood(path):
        best = checkpoint.state["best"]
        notes += _changes(checkpoint.state, assembly)
    resumed = {"step": checkpoint.step, "at": now(), "notes": notes}
    about = {
        "id": checkpoint.run,
        "started_at": before.get("started_at", now()),
        "init_from": before.get("init_from", {}),
        "remarks": [each for each in before.get("remarks", ()) if each["step"] <= checkpoint.step],
        "resumed": [*before.get("resumed", ()), resumed],
        **{key: before[key] for key in ("branched_from",) if key in before},
    }
    return Progress(step=checkpoint.step, seconds=checkpoint.seconds, best=best, notes=tuple(notes), about=about)


def branch(assembly: Assembly, source: Path) -> Progress:
    """Puts everything to the state of another run's checkpoint, so that this run goes its own way from there.

    Raises:
        CheckpointError: the checkpoint is not good, or it does not fit what has been changed.
        ConfigError: the run is to end before it begins.
    """
    checkpoint = load_checkpoint(source, training=True)
    _refuse_shorter(assembly, checkpoint.step)
    _restore(assembly, checkpoint, source)
    with understood(source):
        notes = _changes(checkpoint.state, assembly)
    origin = {
        "checkpoint": str(source.resolve()),
        "run": checkpoint.run,
        "step": checkpoint.step,
        "digest": checkpoint.digest,
        "notes": notes,
    }
    return Progress(
        step=checkpoint.step, seconds=checkpoint.seconds, notes=tuple(notes), about={"branched_from": origin}
    )


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


def _written_before(directory: RunDirectory) -> tuple[dict[str, Any], list[str]]:
    """The content of ``run.json``. Nothing of it decides how the run goes on, so that it may be lost."""
    try:
        return directory.read_run(), []
    except CheckpointError as error:
        return {}, [f"{error}: it is written anew"]


def _newest_good(directory: RunDirectory, run: str | None, notes: list[str]) -> tuple[Path, Checkpoint]:
    """The newest good checkpoint of run `run`; the others are set aside, and `notes` say so."""
    damaged = []
    for path in reversed(complete_checkpoints(directory.checkpoints)):
        try:
            checkpoint = load_checkpoint(path, training=True)
            if run is not None and checkpoint.run != run:
                raise CheckpointError(f"{path} is of another run ({checkpoint.run})")
        except CheckpointError as error:
            damaged.append(str(error))
            notes.append(f"{error}: set aside, and the checkpoint before it is taken")
            with storage_errors(path):
                os.replace(path, path.with_name(f"damaged-{path.name}"))
        else:
            return path, checkpoint
    raise CheckpointError(f"{directory.path} has no good checkpoint to resume from: {'; '.join(damaged)}")


def _refuse_shorter(assembly: Assembly, step: int) -> None:
    steps = assembly.config.training.steps
    if steps is not None and steps < step:
        raise ConfigError(f"--steps {steps}: the run has made {step} steps already; a run that goes on may only grow")


def _restore(assembly: Assembly, checkpoint: Checkpoint, path: Path) -> None:
    with understood(path):
        assembly.trainer.restore(checkpoint.networks, checkpoint.training, checkpoint.state)
        for name, part in assembly.stateful.items():
            part.load_state(below(checkpoint.networks, f"part.{name}."))


def _forget_after(directory: RunDirectory, step: int) -> list[str]:
    """Takes away what the run will write again; what could not be read of it is in the notes."""
    notes = []
    for name in ("metrics.jsonl", "digests.jsonl", "timings.jsonl"):
        lost = directory.keep_rows(name, step)
        if lost:
            notes.append(f"{directory.path / name} had {lost} rows that cannot be read: they are dropped")
    for picture in drawn_pictures(directory.samples):
        if picture.stem == "final" or int(picture.stem.removeprefix("step-")) > step:
            with storage_errors(picture):
                picture.unlink()
    return notes


def _changes(state: Mapping[str, Any], assembly: Assembly) -> list[str]:
    """What differs from what the checkpoint was written with, so that equal bytes cannot be promised."""
    before, current = state["environment"], environment(assembly)
    differing = [name for name, value in current.items() if before.get(name) != value]
    changed = [f"{name} {before.get(name)} is {current[name]} now" for name in differing]
    if state["problem"] != assembly.state()["problem"]:
        changed.append("the data has other fields or classes now")
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
