"""Visualizers: a picture in a file, and the same bytes again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from genframe.interfaces import Visualizer
from genframe.specs import VisualizerSpec
from genframe.testing.catalogue import Checks
from genframe.testing.results import FaultError, Work, require
from genframe.testing.runs import Finished, on_some_run
from genframe.testing.subject import Subject

CHECKS = Checks()

_INFO = {"genframe": "conformance", "step": "4"}


def made(subject: Subject) -> Visualizer:
    """A new one."""
    visualizer: Visualizer = subject.build()
    return visualizer


def work(subject: Subject) -> Work:
    """Draws a run that it suits, and saves the picture."""
    done = _suitable(subject)
    return Work(run=lambda: _saved(subject, done), count=1, unit="pictures")


@CHECKS.add("picture", "the picture is saved in the format that the ending names")
def picture(subject: Subject) -> str:
    """The spec's own ending; formats that Pillow knows are opened."""
    content = _saved(subject, _suitable(subject))
    require(content, "the file is empty")
    ending = _ending(subject)
    if ending not in Image.registered_extensions():
        return f"{len(content):,} bytes of {ending}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{ending}"
        path.write_bytes(content)
        try:
            with Image.open(path) as image:
                image.load()
                found, size = image.format, f"{image.width}x{image.height}"
        except (UnidentifiedImageError, OSError) as error:
            raise FaultError(f"the file is no picture: {error}") from None
    wanted = Image.registered_extensions()[ending]
    require(found == wanted, f"the ending {ending} means {wanted}, and the file is {found}")
    return f"{size} pixels"


@CHECKS.add("seeds", "drawn again, the picture has the same bytes")
def seeds(subject: Subject) -> None:
    """By another instance, too."""
    done = _suitable(subject)
    require(_saved(subject, done) == _saved(subject, done), "the same run gives other bytes the second time")


def _ending(subject: Subject) -> str:
    spec = subject.spec
    assert isinstance(spec, VisualizerSpec)
    return spec.ending


def _saved(subject: Subject, done: Finished) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{_ending(subject)}"
        made(subject).draw(done.view).save(path, _INFO)
        require(path.is_file(), f"save leaves no file where it was asked to, {path.name}")
        return path.read_bytes()


def _suitable(subject: Subject) -> Finished:
    """A run that the visualizer does not refuse."""

    def accepted(done: Finished) -> Finished:
        made(subject).draw(done.view)
        return done

    return subject.once("run", lambda: on_some_run(subject, accepted))
