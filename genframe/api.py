"""The Python API: the words of the command line, as functions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genframe.config import tree_of
from genframe.interfaces import Observer
from genframe.loading import LoadedGenerator, load_generator
from genframe.planning import plan
from genframe.registry import load_registry, register
from genframe.run import Run, run
from genframe.sampling_noise import with_noise

__all__ = ["load", "register", "train"]


def train(
    recipe: str | None = None,
    *,
    output_dir: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    plugins_dir: str | Path | None = None,
    observers: Sequence[Observer] = (),
    resume: bool = False,
    branch_from: str | Path | None = None,
    at: int | None = None,
    **flags: Any,
) -> Run:
    """Trains a recipe, as ``genframe run --plugin RECIPE`` does.

    Args:
        recipe: its name; what goes on with a run knows it.
        output_dir: a folder that is new or empty; by default the next free one under ``runs/``.
        settings: what ``--set`` takes: ``{"architecture.width": 32}``.
        plugins_dir: a folder whose ``*.py`` files are plugins.
        observers: objects that are told about the run.
        resume: go on with the run in `output_dir`; start where there is none.
        branch_from: begin with the exact state of another run, or of one of its checkpoints.
        at: of which step; by default the newest.
        flags: the flags of ``genframe run`` with underscores: ``data="digits", steps=1500, seed=0``.

    Raises:
        GenframeError: the sentence says what is wrong.
    """
    registry = load_registry([Path(plugins_dir)] if plugins_dir else [])
    changes = [tree_of(key, value) for key, value in (settings or {}).items()]
    folder = Path(output_dir) if output_dir else None
    planned = plan(
        registry,
        recipe=recipe,
        options=flags,
        settings=changes,
        output_dir=folder,
        resume=resume,
        branch_from=Path(branch_from) if branch_from else None,
        at=at,
    )
    if planned.note:
        warnings.warn(planned.note, stacklevel=2)
    finished = run(planned, registry, output_dir=folder, observers=observers)
    for problem in finished.problems:
        raise problem
    return finished


def load(
    path: str | Path,
    *,
    average: bool = True,
    batch_statistics: bool = False,
    device: str = "cpu",
    compiled: bool = False,
    noise: str | None = None,
    truncation: float | None = None,
    settings: Mapping[str, Any] | None = None,
    plugins_dir: str | Path | None = None,
) -> LoadedGenerator:
    """The generator of a run directory or of one checkpoint.

    Args:
        path: either.
        average: the running average of the weights, or the weights themselves.
        batch_statistics: BatchNorm by each chunk's own statistics instead of the running ones.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; samples come back to the CPU.
        compiled: for drawing many on a GPU: norms folded, weights packed, one CUDA graph; then changes of the networks'
            weights and hooks on them do not show in samples.
        noise: another law of z than the training's, by name; ``fitted`` is made for the run. A warning says where it is
            not near that of the training.
        truncation: leave out the z with numbers beyond this, where the law can be truncated.
        settings: what ``--set`` takes: ``{"noise.keep": 0.1}``.
        plugins_dir: a folder whose ``*.py`` files are plugins.

    Raises:
        CheckpointError: nothing complete and undamaged lies there.
        ConfigError: there is no such device, or the law does not fit the run.
    """
    registry = load_registry([Path(plugins_dir)] if plugins_dir else [])
    generator = load_generator(
        Path(path),
        registry,
        average=average,
        batch_statistics=batch_statistics,
        device=device,
        compiled=compiled,
    )
    changes = [tree_of(key, value) for key, value in (settings or {}).items()]
    generator, warning = with_noise(generator, registry, noise=noise, settings=changes, truncation=truncation)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return generator
