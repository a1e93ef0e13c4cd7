"""What a run leaves behind: rows, pictures, checkpoints, its status; and the observers that are told."""

from __future__ import annotations

import os
import platform
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, cast

import torch

import genframe
from genframe.assembly import Assembly
from genframe.errors import ConfigError, DataError, GenframeError, StoppedError, StorageError
from genframe.figures import measurement_entry
from genframe.interfaces import Listener, Metric, Monitor, Observer, RunView
from genframe.resuming import Progress, environment
from genframe.rundir.checkpoint import (
    Checkpoint,
    EncodedCheckpoint,
    encode_checkpoint,
    networks_digest,
    prune_checkpoints,
    write_checkpoint,
)
from genframe.rundir.directory import RunDirectory, now, step_name
from genframe.training.digests import Digests, together


class Recorder:
    """Keeps what is worth keeping of one run. The loop calls `log`, `sample` and `save`."""

    def __init__(
        self,
        assembly: Assembly,
        directory: RunDirectory,
        observers: Sequence[Observer],
        progress: Progress | None = None,
    ) -> None:
        self._assembly = assembly
        self._directory = directory
        self._observers = [*assembly.observers, *observers]
        self._progress = progress or Progress()
        self._began = time.monotonic() - self._progress.seconds
        self._content = _description(assembly)
        self._digests = Digests(assembly.trainer)
        self._content |= self._progress.about
        if self._progress.best:
            self._content["best"] = dict(self._progress.best)
        self._measured: tuple[int, dict[str, Any]] = (0, {})
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._written: Future[None] | None = None

    @property
    def content(self) -> Mapping[str, Any]:
        """The content of ``run.json``."""
        return self._content

    def start(self) -> None:
        """Writes what is known before the first step; a branch begins with a checkpoint of its own."""
        step, is_new = self._progress.step, "resumed" not in self._content
        if step and is_new:
            self.save(step)
            self.settle()
        self._directory.write_run(self._content)
        self._directory.write_config(self._assembly.config.tree())
        if is_new or not self._directory.names_tensors():
            self._directory.append_digests({"step": step, "tensors": self._digests.names})
        if is_new:
            self._directory.append_digests({"step": step, "digests": self._digests.now()})
        self._directory.append_log(" ".join((now(), self._beginning(), *self._progress.notes)))
        for observer in self._observers:
            observer.started({**self._content, "directory": self._directory.path})
        if not is_new and self._lacks_picture(step):
            self.sample(step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A row of ``metrics.jsonl``, of ``digests.jsonl`` and of ``timings.jsonl``."""
        if self._written and self._written.done():
            self.settle()  # a full disk is told now, and not at the next checkpoint
        digests = self._digests.now()
        self._tell(step, values, digest=together(digests))
        self._directory.append_digests({"step": step, "digests": digests})
        self._directory.append_timings({"step": step, "seconds": round(time.monotonic() - self._began, 3)})
        if step % self._assembly.config.training.log_every:
            return  # the last step of a run that may yet grow
        monitors = [each for each in self._observers if callable(getattr(each, "viewed", None))]
        view = self._view(step) if monitors else None
        for monitor in cast(list[Monitor], monitors):
            assert view is not None
            if sentence := monitor.viewed(step, view):
                self._remark(step, sentence)

    def sample(self, step: int) -> None:
        """A picture of step `step`."""
        self._picture(step, step_name(step))

    def evaluate(self, step: int) -> bool:
        """The held-out figures of step `step`, as a row of ``metrics.jsonl``.

        Returns:
            Whether the first of them is the best so far and its checkpoint is to be kept.
        """
        began = time.monotonic()
        entries = self._measure(step)
        timings = self._content["timings"]
        timings["evaluation_seconds"] = round(timings.get("evaluation_seconds", 0.0) + time.monotonic() - began, 3)
        self._tell(step, {name: entry["value"] for name, entry in entries.items() if entry.get("value") is not None})
        if not self._assembly.config.training.keep_best:
            return False
        first = self._assembly.config.metrics[0].name
        value, best = entries[first].get("value"), self._content.setdefault("best", None)
        if value is None:
            return False
        sign = -1.0 if self._assembly.better[first] == "lower" else 1.0
        if best is not None and sign * value <= sign * best["value"]:
            return False
        checkpoint = str((self._directory.checkpoints / step_name(step)).relative_to(self._directory.path))
        self._content["best"] = {"metric": first, "value": value, "step": step, "checkpoint": checkpoint}
        return True

    def save(self, step: int) -> None:
        """A checkpoint of step `step`; older ones make room, the best one stays. It is written while training goes on.

        Raises:
            StorageError: the one before it could not be written.
        """
        assembly = self._assembly
        best = self._content.get("best")
        origin = {key: value for key, value in self._content.get("branched_from", {}).items() if key != "notes"}
        further = {"step": step, "environment": environment(assembly), "best": best, "branched_from": origin or None}
        content = Checkpoint(
            networks=assembly.network_tensors(),
            training=assembly.trainer.training_tensors(),
            state=assembly.state() | assembly.trainer.training_state() | further,
            run=self._content["id"],
            step=step,
            seconds=round(time.monotonic() - self._began, 3),
        )
        self.settle()
        kept = {step_name(best["step"])} if best else set()
        self._written = self._writer.submit(self._write, encode_checkpoint(content), kept)

    def settle(self) -> None:
        """Waits until everything that was saved is on disk.

        Raises:
            StorageError: it could not be written.
        """
        written, self._written = self._written, None
        if written:
            written.result()

    def _write(self, content: EncodedCheckpoint, kept: set[str]) -> None:
        self._directory.sync_rows()
        write_checkpoint(self._directory.checkpoints, content)
        prune_checkpoints(self._directory.checkpoints, self._assembly.config.training.keep_last, kept)

    def conclude(self, last: int) -> None:
        """The final picture and the held-out figures of a run that has reached its last step."""
        self._content["steps"] = last
        self._content["timings"]["training_seconds"] = round(time.monotonic() - self._began, 3)
        self._picture(last, "final")
        self._content["metrics"] = self._measure(last)

    def finish(self, status: str, reason: str = "") -> list[Exception]:
        """The last word: ``finished``, ``interrupted``, ``diverged`` or ``failed``.

        Returns:
            What went wrong in watching and measuring; by then the run itself is safe on disk.
        """
        graphs = self._assembly.trainer.cuda_graphs
        self._content |= {"status": status, "cuda_graphs": graphs, "finished_at": now()}
        self._content["timings"]["seconds"] = round(time.monotonic() - self._began, 3)
        problems: list[Exception] = []
        if reason:
            self._content["reason"] = reason
        last_word = " ".join([now(), status, reason]).rstrip()
        for write in (
            self.settle,
            lambda: self._directory.write_run(self._content),
            lambda: self._directory.append_log(last_word),
        ):
            try:
                write()
            except StorageError as error:  # a full disk must not hide how the run has ended
                problems.append(error)
        self._writer.shutdown()
        failed = {name: entry["failed"] for name, entry in self._content["metrics"].items() if "failed" in entry}
        problems += [GenframeError(f"metric '{name}' failed: {why}") for name, why in failed.items()]
        for observer in self._observers:
            try:
                observer.finished(self._content)
            except Exception as error:  # the run has ended; an observer must not hide how
                problems.append(error)
        return problems

    def _lacks_picture(self, step: int) -> bool:
        """Whether a run that grows has none of a step that was to be its last, and that deserves one on the way."""
        training = self._assembly.config.training
        is_due = training.goes_beyond(step) and step % training.sample_every == 0
        return is_due and not self._directory.sample_file(step_name(step)).exists()

    def _beginning(self) -> str:
        step = self._progress.step
        if "resumed" in self._content:
            return f"resumed after step {step}"
        origin = self._content.get("branched_from")
        return f"branched from {origin['checkpoint']} after step {step}" if origin else "started"

    def _tell(self, step: int, values: Mapping[str, float], **further: str) -> None:
        self._directory.append_metrics({"step": step, **values, **further})
        for observer in self._observers:
            observer.logged(step, values)

    def _remark(self, step: int, sentence: str) -> None:
        self._content["remarks"].append({"step": step, "sentence": sentence})
        self._directory.append_log(f"{now()} step {step}: {sentence}")
        self._directory.write_run(self._content)
        for observer in self._observers:
            if callable(getattr(observer, "remarked", None)):
                cast(Listener, observer).remarked(step, sentence)

    def _measure(self, step: int) -> dict[str, Any]:
        """The figures of a step, by metric; those of the latest step are remembered."""
        if self._measured[0] != step:
            view = self._view(step)
            self._measured = (step, {name: _measured(each, view) for name, each in self._assembly.metrics.items()})
        return self._measured[1]

    def _view(self, step: int) -> RunView:
        return self._assembly.view(step, self._directory)

    def _picture(self, step: int, stem: str) -> None:
        view, path = self._view(step), self._directory.sample_file(stem)
        text = {"genframe": genframe.__version__, "recipe": self._assembly.config.recipe, "step": str(step)}
        text |= {"seed": str(view.seed), "checkpoint": networks_digest(self._assembly.network_tensors())}
        self._assembly.preview.draw(view).save(path, text)
        for observer in self._observers:
            observer.sampled(step, self._view(step), path)


def _measured(metric: Metric, view: RunView) -> dict[str, Any]:
    """The figure, or the reason why this run has none: a trained run is worth more than its figures."""
    try:
        return measurement_entry(metric.measure(view))
    except StoppedError:
        raise
    except (ConfigError, DataError) as error:
        return {"skipped": str(error)}
    except Exception as error:  # whatever a stranger's metric does, the run has been trained
        return {"failed": f"{type(error).__name__}: {error}"}


def _description(assembly: Assembly) -> dict[str, Any]:
    config = assembly.config
    return {
        "id": secrets.token_hex(8),
        "status": "running",
        "title": f"{config.recipe} on {config.data_name}",
        "recipe": config.recipe,
        "data": dict(config.tree()["data"]),
        "samples": {"train": len(assembly.train), "heldout": len(assembly.heldout)},
        "seed": config.seed,
        "steps": config.training.steps,
        "minutes": config.training.minutes,
        "batch_size": assembly.batch_size,
        "parameters": assembly.parameters(),
        "init_from": dict(assembly.source),
        "versions": {
            "genframe": genframe.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": version("numpy"),
        },
        "plugins": dict(assembly.builder.plugins),
        "device": str(assembly.compute.device),
        "threads": config.training.threads,
        "precision": assembly.compute.precision,
        "backend": config.training.backend,
        "command": sys.argv,
        "process": {"pid": os.getpid(), "host": platform.node()},
        "started_at": now(),
        "timings": {},
        "metrics": {},
        "remarks": [],
    }
