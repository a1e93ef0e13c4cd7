"""One run, from names to pictures. Read it from top to bottom: this is the main path of genframe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genframe.assembly import Assembly, assemble
from genframe.backends import kernel_backend
from genframe.config import RunConfig
from genframe.errors import DivergenceError, GenframeError, StoppedError
from genframe.interfaces import Observer
from genframe.kernel_plan import refuse_unfit_backend
from genframe.planning import Plan
from genframe.recording import Recorder
from genframe.registry import Registry
from genframe.resuming import Progress, branch, has_checkpoint
from genframe.resuming import resume as go_on
from genframe.rundir import RunDirectory
from genframe.rundir.directory import NUMBERED
from genframe.rundir.lock import held
from genframe.rundir.remains import clear, has_begun
from genframe.rundir.space import refuse_full_disk, stored_bytes
from genframe.training.batches import as_declared, batches, reading_errors
from genframe.training.device import cpu_threads, private_randomness
from genframe.training.loop import train
from genframe.training.signals import StopRequest, stop_on_signals


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    Attributes:
        directory: its folder; `genframe.load` takes it.
        picture: the final picture.
        summary: the content of ``run.json``.
        problems: what went wrong in watching and measuring, after the run itself was safe.
    """

    directory: Path
    picture: Path
    summary: Mapping[str, Any]
    problems: tuple[Exception, ...] = ()

    @property
    def metrics(self) -> Mapping[str, float]:
        """The held-out figures, by metric; a metric that this run cannot have is left out."""
        values = {name: entry.get("value") for name, entry in self.summary["metrics"].items()}
        return {name: value for name, value in values.items() if value is not None}


def run(plan: Plan, registry: Registry, *, output_dir: Path | None = None, observers: Sequence[Observer] = ()) -> Run:
    """Trains, draws pictures, measures, and leaves a run directory.

    Args:
        plan: what to run.
        registry: where its parts come from.
        output_dir: a folder that is new or empty, or that of the run that goes on; by default the next free one under
            ``runs/``.
        observers: who is told, beside the configuration's own.

    Raises:
        GenframeError: what went wrong; its class says of which kind.
    """
    config, backend = plan.config, plan.config.training.backend
    goes_on = plan.resume and output_dir is not None and has_checkpoint(output_dir)
    with kernel_backend(backend):
        refuse_unfit_backend(config, registry)
        assembly = assemble(config, registry, initialise=not (goes_on or plan.branch_from))
    if not goes_on:
        refuse_full_disk(output_dir or NUMBERED, *assembly.storage())
    progress = branch(assembly, plan.branch_from) if plan.branch_from and not goes_on else None
    with _directory(output_dir, config, plan.resume) as directory:
        if has_checkpoint(directory.path):
            refuse_full_disk(directory.path, *assembly.storage(), already=stored_bytes(directory.checkpoints))
            progress = go_on(assembly, directory)
        recorder = Recorder(assembly, directory, observers, progress)
        threads = cpu_threads(assembly.config.training.threads or 1)
        with stop_on_signals() as stop, _recorded(recorder) as problems, threads, kernel_backend(backend):
            recorder.start()
            last = _train(assembly, recorder, progress or Progress(), stop)
            with stop.at_once():
                recorder.conclude(last)
    return Run(
        directory=directory.path,
        picture=directory.sample_file("final"),
        summary=recorder.content,
        problems=tuple(problems),
    )


@contextmanager
def _directory(output_dir: Path | None, config: RunConfig, resume: bool) -> Iterator[RunDirectory]:
    """The run's directory, new or to go on in, and kept from other runs."""
    if output_dir is None:
        directory = RunDirectory.create(None, config.recipe, config.data_name)
        with held(directory.path):
            yield directory
        return
    goes_on = resume and (has_checkpoint(output_dir) or has_begun(output_dir))
    if not goes_on:
        RunDirectory.claim(output_dir)
    with held(output_dir):
        if resume and has_checkpoint(output_dir):
            yield RunDirectory(output_dir)
            return
        if not goes_on:
            yield RunDirectory.create(output_dir, config.recipe, config.data_name)
            return
        clear(output_dir)
        directory = RunDirectory(output_dir)
        directory.make_folders()
        yield directory


def _train(assembly: Assembly, recorder: Recorder, progress: Progress, stop: StopRequest) -> int:
    training = assembly.config.training
    seed, workers = assembly.config.seed, training.workers
    stream = batches(assembly.train, batch_size=assembly.batch_size, seed=seed, workers=workers, first=progress.step)
    stream = as_declared(stream, assembly.train.fields)
    with reading_errors(), private_randomness(assembly.compute.device):
        return train(assembly.trainer, stream, training, recorder, stop, first=progress.step, seconds=progress.seconds)


@contextmanager
def _recorded(recorder: Recorder) -> Iterator[list[Exception]]:
    """Writes down how the run ended, whichever way it does; what that itself met is in the list afterwards."""
    problems: list[Exception] = []
    try:
        yield problems
    except GenframeError as error:
        statuses = {DivergenceError: "diverged", StoppedError: "interrupted"}
        recorder.finish(statuses.get(type(error), "failed"), str(error))
        raise
    except BaseException as error:
        recorder.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", repr(error))
        raise
    problems += recorder.finish("finished")
