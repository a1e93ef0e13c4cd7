"""The observer ``wandb``: the interface of Weights & Biases, which Trackio has too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from genframe.rundir.files import write_atomically
from genframe_loggers import TrackerSettings
from genframe_loggers.logger import Logger, library

#: The last step that was logged, what of it, and the id of the run.
FILE = "tracked.json"


def tracker_logger(settings: TrackerSettings) -> Logger:
    """The observer.

    Raises:
        ConfigError: the library is not installed.
    """
    return Logger("wandb", TrackerLog(settings, library(settings.backend, settings.backend, "wandb")))


class TrackerLog:
    """See `genframe_loggers.logger.Log`. What the libraries print goes to the error stream.

    Their steps only grow, and nothing logged can be taken back. A run that goes on repeats the steps after its last
    checkpoint to the byte, so those that are logged already are left out.

    Args:
        settings: of the observer.
        tracker: the module ``trackio`` or ``wandb``.
    """

    def __init__(self, settings: TrackerSettings, tracker: Any) -> None:
        self._settings = settings
        self._tracker = tracker
        self._done: tuple[int, set[str]] = (0, set())

    def begin(self, run: Mapping[str, Any], config: Mapping[str, Any], step: int) -> None:
        """Begins a run there, or goes on with it."""
        directory: Path = run["directory"]
        self._file, self._id = directory / FILE, run["id"]
        self._done = _logged(self._file, self._id)
        described = {key: value for key, value in run.items() if key != "directory"}
        with redirect_stdout(sys.stderr):
            self._run = self._tracker.init(
                project=self._settings.project,
                name=self._settings.run_name or directory.resolve().name,
                config={**config, "run": described},
                resume="allow" if step else "never",
                **_FURTHER[self._settings.backend](self._settings, run),
            )

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """A number each."""
        self._write(step, dict(values))

    def picture(self, step: int, name: str, path: Path) -> None:
        """An image."""
        self._write(step, {name: self._tracker.Image(str(path))})

    def remark(self, step: int, sentence: str) -> None:
        """An alert."""
        if self._left(step, {sentence}):
            with redirect_stdout(sys.stderr):
                self._run.alert(title=f"step {step}", text=sentence)
            self._keep(step, {sentence})

    def summary(self, step: int, values: Mapping[str, float]) -> None:
        """The last value of each name is what both show of a run."""
        self._write(step, dict(values))

    def end(self) -> None:
        """Waits until everything is written."""
        with redirect_stdout(sys.stderr):
            self._tracker.finish()

    def _write(self, step: int, values: dict[str, Any]) -> None:
        if left := self._left(step, set(values)):
            self._run.log({name: values[name] for name in values if name in left}, step=step)
            self._keep(step, left)

    def _left(self, step: int, names: set[str]) -> set[str]:
        """Those that are not logged yet."""
        last, known = self._done
        return names - known if step == last else names if step > last else set()

    def _keep(self, step: int, names: set[str]) -> None:
        last, known = self._done
        self._done = (step, known | names if step == last else names)
        content = {"run": self._id, "step": step, "names": sorted(self._done[1])}
        write_atomically(self._file, json.dumps(content).encode())


def _logged(file: Path, run: str) -> tuple[int, set[str]]:
    """The last step that was logged of this run, and what of it; nothing where nothing readable says so."""
    try:
        content = json.loads(file.read_bytes())
        return (int(content["step"]), set(map(str, content["names"]))) if content["run"] == run else (0, set())
    except (OSError, ValueError, KeyError, TypeError):
        return 0, set()


def _of_wandb(settings: TrackerSettings, run: Mapping[str, Any]) -> dict[str, Any]:
    """What wandb is told beside; ``console`` off leaves the terminal's streams alone."""
    place = {"id": run["id"], "dir": str(run["directory"])}
    return {**place, "mode": settings.mode, "settings": {"console": "off"}}


_FURTHER: Mapping[str, Callable[[TrackerSettings, Mapping[str, Any]], dict[str, Any]]] = {
    "trackio": lambda settings, run: {},
    "wandb": _of_wandb,
}
