"""From what a user asks for to what is run: a new run, one that goes on, or a branch from another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genframe.config import RunConfig, Tree, read_toml
from genframe.errors import CheckpointError, ConfigError
from genframe.options import configure, configure_branch, configure_resumed
from genframe.registry import Registry

#: Say how often a scheduler has started this job again, after it had failed or had to make way.
_RESTARTS = ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is run.

    Attributes:
        config: the configuration.
        resume: whether to go on with what lies in the run directory.
        branch_from: the checkpoint of another run to begin with.
        note: what was asked for and does not count, in a sentence; empty if nothing.
    """

    config: RunConfig
    resume: bool = False
    branch_from: Path | None = None
    note: str = ""


def plan(
    registry: Registry,
    *,
    recipe: str | None,
    options: Mapping[str, Any],
    settings: Sequence[Tree] = (),
    config_file: Path | None = None,
    output_dir: Path | None = None,
    resume: bool = False,
    branch_from: Path | None = None,
    at: int | None = None,
) -> Plan:
    """What ``genframe run`` with these flags runs. Started again by torchrun or SLURM, a run resumes by itself.

    Args:
        registry: where parts come from.
        recipe: its name, where the rest does not say it.
        options: the flags, as `genframe.options.KEYS` names them.
        settings: single settings.
        config_file: a TOML file.
        output_dir: the run directory.
        resume: go on with the run there, if it has come far enough.
        branch_from: a run directory or a checkpoint of another run.
        at: which step of it; None is the newest.

    Raises:
        ConfigError: the flags contradict each other, or something does not fit.
        CheckpointError: there is nothing good to branch from.
    """
    if resume and output_dir is None:
        raise ConfigError("--resume needs the run directory: give --output-dir")
    if at is not None and branch_from is None:
        raise ConfigError("--at is the step of a run to branch from: give --branch-from")
    if branch_from and config_file:
        raise ConfigError("--config and --branch-from contradict each other: a branch has the other run's settings")
    if output_dir and (resume or _started_again()):
        resume = True
        stored, note = _stored(registry, output_dir)
        if stored is not None:
            config, further = configure_resumed(registry, stored, recipe=recipe, options=options, settings=settings)
            if config_file:
                further = f"{further}; --config {config_file} does not count".lstrip("; ")
            return Plan(config=config, resume=True, note="; ".join(filter(None, (note, further))))
    if branch_from:
        from genframe.loading import configuration_of  # reads tensors, and importing torch takes seconds
        from genframe.rundir.checkpoint import checkpoint_at

        origin = checkpoint_at(branch_from, at)
        before = configuration_of(origin, registry)
        config = configure_branch(registry, before, recipe=recipe, options=options, settings=settings)
        return Plan(config=config, resume=resume, branch_from=origin)
    config = configure(registry, recipe=recipe, config_file=config_file, options=options, settings=settings)
    return Plan(config=config, resume=resume)


def _stored(registry: Registry, output_dir: Path) -> tuple[Tree | None, str]:
    """The configuration of the run in a folder, and what is wrong with its file; None if there is no run.

    The file may be lost or damaged: checkpoints have their own copy.
    """
    file = output_dir / "config.toml"
    try:
        if file.exists():
            return read_toml(file), ""
        problem = f"{file} is missing"
    except ConfigError as error:
        problem = str(error)
    from genframe.loading import configuration_of
    from genframe.rundir.checkpoint import complete_checkpoints

    for path in reversed(complete_checkpoints(output_dir / "checkpoints")):
        try:
            return configuration_of(path, registry).tree(), f"{problem}: the settings are those of {path}"
        except CheckpointError:  # resuming will say so, and take the one before it
            continue
    if file.exists():
        raise ConfigError(problem)
    return None, ""


def _started_again() -> bool:
    return any(os.environ.get(name, "0") not in ("", "0") for name in _RESTARTS)
