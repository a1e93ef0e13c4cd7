"""Going on from a checkpoint: with the run itself, to the bytes of one that never stopped, or on a branch from it."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import genframe
from genframe.assembly import Assembly
from genframe.config import leaves
from genframe.errors import CheckpointError, ConfigError
from genframe.rundir import RunDirectory
from genframe.rundir.checkpoint import (
    Checkpoint,
    all_checkpoints,
    complete_checkpoints,
    load_checkpoint,
    set_aside,
    sweep,
    understood,
)
from genframe.rundir.directory import drawn_pictures, now
from genframe.rundir.files import storage_errors
from genframe.training.trainer import below

#: Settings that may be other than when the checkpoint was written: they do not say what is learnt from what.
_FREE = re.compile(
    r"training\.(steps|epochs|minutes|init_from|device|precision|backend|cuda_graphs|recompute_activations|threads|"
    r"workers|log_every|sample_every|evaluate_every|keep_best|checkpoint_every|keep_last)|"
    r"data\.(path|data_dir|memory)|(preview|metrics|observers)(\..*)?"
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
    if checkpoint.run != before.get("id"):
        before = {}
    with understood(path):
        best, origin = checkpoint.state["best"], checkpoint.state["branched_from"]
        _refuse_shorter(assembly, checkpoint)
        _refuse_shrinking(checkpoint.state["config"], assembly)
        _refuse_other_settings(checkpoint.state["config"], assembly)
        notes += _changes(checkpoint.state, assembly)
        is_origin = origin is not None and origin["step"] == checkpoint.step
    _restore(assembly, checkpoint, path, goes_on=True)
    notes += _forget_after(directory, checkpoint.step, assembly, is_origin)
    resumed = {"step": checkpoint.step, "at": now(), "notes": notes}
    about = {
        "id": checkpoint.run,
        "started_at": before.get("started_at", now()),
        "init_from": before.get("init_from", {}),
        "remarks": [each for each in before.get("remarks", ()) if each["step"] <= checkpoint.step],
        "resumed": [*before.get("resumed", ()), resumed],
        **({"branched_from": origin} if origin else {}),
    }
    return Progress(step=checkpoint.step, seconds=checkpoint.seconds, best=best, notes=tuple(notes), about=about)


def branch(assembly: Assembly, source: Path) -> Progress:
    """Puts everything to the state of another run's checkpoint, so that this run goes its own way from there.

    Raises:
        CheckpointError: the checkpoint is not good, or it does not fit what has been changed.
        ConfigError: the run is to end before it begins.
    """
    checkpoint = load_checkpoint(source, training=True)
    with understood(source):
        notes = _changes(checkpoint.state, assembly)
    _refuse_shorter(assembly, checkpoint)
    minutes = assembly.config.training.minutes
    if minutes is not None and 60 * minutes <= checkpoint.seconds:
        made = f"{checkpoint.seconds / 60:.2g} minutes"
        raise ConfigError(f"--minutes {minutes:g}: the other run had trained for {made} by then; give more, all in all")
    _restore(assembly, checkpoint, source, goes_on=False)
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


def _written_before(directory: RunDirectory) -> tuple[dict[str, Any], list[str]]:
    """What ``run.json`` says. Nothing of it decides how the run goes on, so that it may be lost."""
    try:
        return _known(directory.read_run()), []
    except CheckpointError as error:
        return {}, [f"{error}: it is written anew"]


def _known(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of the content of a ``run.json`` what goes on, as far as it is of the right kind."""

    def rows(key: str, *needed: str) -> list[Any]:
        found = content.get(key)
        return [
            each
            for each in (found if isinstance(found, list) else [])
            if isinstance(each, dict) and set(needed) <= each.keys() and isinstance(each["step"], int)
        ]

    texts = {key: content[key] for key in ("id", "started_at") if isinstance(content.get(key), str)}
    tables = {"init_from": content["init_from"]} if isinstance(content.get("init_from"), dict) else {}
    return {**texts, **tables, "remarks": rows("remarks", "step"), "resumed": rows("resumed", "step", "at", "notes")}


def _newest_good(directory: RunDirectory, run: str | None, notes: list[str]) -> tuple[Path, Checkpoint]:
    """The newest good checkpoint of run `run`, or, if none is of that run, of any; `notes` say what is wrong with newer
    ones, which are set aside once a good one is found.
    """
    wrong: dict[Path, str] = {}
    good: tuple[Path, Checkpoint] | None = None
    others: list[tuple[Path, Checkpoint]] = []
    for path in reversed(all_checkpoints(directory.checkpoints)):
        try:
            checkpoint = load_checkpoint(path, training=True)
        except CheckpointError as error:
            wrong[path] = str(error)
            continue
        if run is None or checkpoint.run == run:
            good = path, checkpoint
            break
        wrong[path] = f"{path} is of another run ({checkpoint.run})"
        others = others or [(path, checkpoint)]
    if good is None and others:
        good = others[0]
        notes.append(f"{directory.run_file} is of another run than its checkpoints: it is written anew")
    if good is None:
        raise CheckpointError(
            f"{directory.path} has no good checkpoint to resume from: {'; '.join(wrong.values()) or 'it holds none'}"
        )
    step = good[1].step
    for path, sentence in wrong.items():
        if int(path.name.removeprefix("step-")) > step:
            notes.append(f"{sentence}: set aside, and the checkpoint before it is taken")
            set_aside(path)
    return good


def _refuse_shorter(assembly: Assembly, checkpoint: Checkpoint) -> None:
    training, made = assembly.config.training, checkpoint.step
    if training.steps is not None and training.steps < made:
        raise ConfigError(f"--steps {training.steps}: the run has made {made} steps already; it may only grow")


def _refuse_shrinking(before: Mapping[str, Any], assembly: Assembly) -> None:
    """Refuses a length below what the run was to be."""
    for key in ("steps", "minutes"):
        planned, length = before["training"].get(key), getattr(assembly.config.training, key)
        if planned is not None and length is not None and length < planned:
            raise ConfigError(
                f"{length:g} {key} are fewer than the {planned:g} that the run was to take; it may only grow"
            )


def _refuse_other_settings(before: Mapping[str, Any], assembly: Assembly) -> None:
    """The checkpoint knows with which settings it came about; a configuration that was changed since is refused."""
    ours, theirs = leaves(assembly.config.tree()), leaves(before)
    both = [key for key in ours if key in theirs and not _FREE.fullmatch(key)]
    changed = [f"{key} = {ours[key]} (was {theirs[key]})" for key in both if ours[key] != theirs[key]]
    if changed:
        raise ConfigError(
            f"config.toml has changed since the checkpoint: {', '.join(changed)}; put it back, or begin a branch with "
            "--branch-from"
        )


def _restore(assembly: Assembly, checkpoint: Checkpoint, path: Path, *, goes_on: bool) -> None:
    with understood(path):
        assembly.trainer.restore(checkpoint.networks, checkpoint.training, checkpoint.state, settings=goes_on)
        for name, part in assembly.stateful.items():
            part.load_state(below(checkpoint.networks, f"part.{name}."))


def _forget_after(directory: RunDirectory, step: int, assembly: Assembly, is_origin: bool) -> list[str]:
    """Takes away what the run will write again, and the rows that it had only because it was to end there; what could
    not be read is in the notes. A branch has rows of the step at which it began.
    """
    training, notes = assembly.config.training, []
    extra = training.goes_beyond(step) and step % training.log_every != 0 and not is_origin

    def wanted(row: Mapping[str, Any]) -> bool:
        return not (extra and row["step"] == step and row.keys() & {"digest", "digests", "seconds"})

    for name in ("metrics.jsonl", "digests.jsonl", "timings.jsonl"):
        lost = directory.keep_rows(name, step, wanted)
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
    differing = [name for name, value in current.items() if name in before and before[name] != value]
    changed = [f"{name} {before[name]} is {current[name]} now" for name in differing]
    if state["problem"] != assembly.state()["problem"]:
        changed.append("the data has other fields or classes now")
    if not changed:
        return []
    return [f"{', '.join(changed)}: the run goes on, but its numbers may differ from those of one without a stop"]


def environment(assembly: Assembly) -> dict[str, Any]:
    """What the bytes of a run depend on, beside its configuration."""
    device = assembly.compute.device
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return {
        "genframe": genframe.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "plugins": dict(assembly.builder.plugins),
        "device": str(device),
        "chip": chip,
        "precision": assembly.compute.precision,
        "threads": assembly.config.training.threads,
        "samples": [len(assembly.train), len(assembly.heldout)],
    }
