"""Observers: they live through a run, change nothing of it, and write below its directory alone."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from genframe.interfaces import Listener, Monitor, Observer
from genframe.loading import load_generator
from genframe.testing.catalogue import Checks
from genframe.testing.results import Work, require
from genframe.testing.runs import LABELLED, Finished, configured, finished, game, trained
from genframe.testing.subject import Subject

CHECKS = Checks()

_REMARK = "mode collapse suspected at step 4"


def made(subject: Subject) -> Observer:
    """A new one."""
    observer: Observer = subject.build()
    return observer


def work(subject: Subject) -> Work:
    """Watches the steps of a finished run."""
    done = _run(subject)

    def use() -> None:
        with _copy(done) as directory:
            _watch(made(subject), done, directory)

    return Work(run=use, count=1, unit="short runs watched")


@CHECKS.add("life", "it lives through a run: started, logged, looked, sampled, told, finished")
def life(subject: Subject) -> None:
    """With the content that a run has; what it remarks is text."""
    done = _run(subject)
    with _copy(done) as directory:
        remarks = _watch(made(subject), done, directory)
    wrong = [each for each in remarks if not (each is None or isinstance(each, str))]
    require(not wrong, f"viewed returns a sentence or None; it returned {wrong[:1]}")


@CHECKS.add("onlooker", "the run that it watches learns what a run without it learns")
def onlooker(subject: Subject) -> None:
    """To the last bit of the networks."""
    plain = _run(subject)
    watched = trained(configured(game(LABELLED), subject.registry), subject.registry, observers=[made(subject)])
    for problem in watched.problems:
        raise problem
    digests = [load_generator(each, subject.registry).digest for each in (plain.run.directory, watched.directory)]
    require(digests[0] == digests[1], "the networks of a run that it watches differ from those of one alone")


@CHECKS.add("writes", "it writes below the run's directory and nowhere else")
def writes(subject: Subject) -> str:
    """Files that are opened to be written, made, renamed or deleted."""
    done = _run(subject)
    with _copy(done) as directory, _written() as paths:
        _watch(made(subject), done, directory)
        inside = {path for path in paths if path.is_relative_to(directory.resolve())}
    outside = sorted({str(path) for path in paths if path not in inside and not _is_harmless(path)})
    require(not outside, f"it writes outside of the run's directory: {', '.join(outside[:3])}")
    return f"{len(inside)} files below the run's directory"


def _run(subject: Subject) -> Finished:
    return finished(game(LABELLED), subject.registry)


@contextmanager
def _copy(done: Finished) -> Iterator[Path]:
    """The run's directory, where an observer may write."""
    with tempfile.TemporaryDirectory(prefix="genframe-conformance-") as folder:
        yield Path(shutil.copytree(done.run.directory, Path(folder) / "run"))


def _watch(observer: Observer, done: Finished, directory: Path) -> list[object]:
    """Everything that a run tells; what the observer remarks."""
    content: Mapping[str, Any] = {**done.run.summary, "directory": directory}
    picture = directory / "samples" / done.run.picture.name
    values = {"critic_loss": 1.2, "generator_loss": 0.8, "real_logit": 0.3, "fake_logit": -0.2}
    remarks: list[object] = []
    observer.started(content)
    for step in (2, 4):
        observer.logged(step, {name: value + 0.1 * step for name, value in values.items()})
        if callable(getattr(observer, "viewed", None)):
            remarks.append(cast(Monitor, observer).viewed(step, done.view))
        observer.sampled(step, done.view, picture)
    if callable(getattr(observer, "remarked", None)):
        cast(Listener, observer).remarked(4, _REMARK)
    observer.logged(4, {"nn1": 0.25})
    observer.finished({**done.run.summary, "status": "finished"})
    return remarks


_MODES = set("wax+")
_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = frozenset({"os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link"})

_listeners: list[list[Path]] = []
_hooked: list[bool] = []


@contextmanager
def _written() -> Iterator[list[Path]]:
    """The paths that are written to in the meantime."""
    if not _hooked:
        sys.addaudithook(_notice)  # stays until the process ends, and does nothing while nobody listens
        _hooked.append(True)
    paths: list[Path] = []
    _listeners.append(paths)
    try:
        yield paths
    finally:
        _listeners.remove(paths)


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners:
        return
    if event == "open":
        path, mode, flags = arguments
        is_write = bool(set(mode) & _MODES) if isinstance(mode, str) else bool((flags or 0) & _FLAGS)
        touched = [path] if is_write else []
    elif event == "os.rename":
        touched = list(arguments[:2])
    else:
        touched = [arguments[0]] if event in _CHANGES else []
    for path in touched:
        if isinstance(path, (str, bytes, os.PathLike)):
            _listeners[-1].append(Path(os.path.realpath(os.fsdecode(path))))


def _is_harmless(path: Path) -> bool:
    """Devices, and the bytecode of what is imported on the way."""
    return path.is_relative_to("/dev") or path.is_relative_to("/proc") or "__pycache__" in path.parts
