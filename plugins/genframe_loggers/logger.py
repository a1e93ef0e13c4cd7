"""What the loggers share: what is logged when, and that a log which fails is given up and the run goes on."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from genframe.errors import ConfigError, GenframeError, StoppedError
from genframe.interfaces import RunView
from genframe.rundir import RunDirectory


class Log(Protocol):
    """A log of another tool. Any of its methods may fail with any exception."""

    def begin(self, run: Mapping[str, Any], config: Mapping[str, Any], step: int) -> None:
        """`run` is what observers are given, `step` that after which the run goes on; 0 for one that is new."""

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers by name."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """A picture file."""

    def remark(self, step: int, sentence: str) -> None:
        """What somebody has said of the run."""

    def summary(self, step: int, values: Mapping[str, float]) -> None:
        """The final figures, of the run's last step."""

    def end(self) -> None:
        """Everything is to be safe."""


class Logger:
    """See `genframe.interfaces.Observer`, `Monitor` and `Listener`.

    Args:
        name: of the observer, for messages.
        log: where everything goes.
    """

    def __init__(self, name: str, log: Log) -> None:
        self._name = name
        self._log = log
        self._failed = False
        self._untold: str | None = None

    def started(self, run: Mapping[str, Any]) -> None:
        """The run's description and configuration."""
        self._attempt(lambda: self._begin(run))

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """The losses and figures of a step."""
        self._attempt(lambda: self._log.figures(step, values))

    def viewed(self, step: int, view: RunView) -> str | None:
        """Says once that the log has failed."""
        sentence, self._untold = self._untold, None
        return sentence

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """The picture: one of ``samples``, or ``final``."""
        self._attempt(lambda: self._log.picture(step, "final" if picture.stem == "final" else "samples", picture))

    def remarked(self, step: int, sentence: str) -> None:
        """The remark."""
        self._attempt(lambda: self._log.remark(step, sentence))

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """The final figures of a run that has reached its end.

        Raises:
            GenframeError: the log has failed and nothing has said so yet.
        """
        if outcome["status"] == "finished":
            entries = {f"final/{name}": entry.get("value") for name, entry in outcome["metrics"].items()}
            values = {name: value for name, value in entries.items() if value is not None}
            self._attempt(lambda: self._log.summary(outcome["steps"], values))
        self._attempt(self._log.end)
        if self._untold:
            raise GenframeError(self._untold)

    def _begin(self, run: Mapping[str, Any]) -> None:
        config = tomllib.loads(RunDirectory(run["directory"]).config_file.read_text(encoding="utf-8"))
        step = run["resumed"][-1]["step"] if "resumed" in run else 0
        self._log.begin(run, config, step)

    def _attempt(self, write: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            write()
        except StoppedError:
            raise
        except Exception as error:  # other tools raise whatever they like, and a run is worth more than their log
            self._failed = True
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._untold = f"the observer '{self._name}' has failed and logs no more; the run goes on ({reason})"


def library(module: str, extra: str, observer: str) -> Any:
    """The library behind a log.

    Raises:
        ConfigError: the extra that it comes with is missing.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"the observer '{observer}' needs the extra '{extra}': pip install 'genframe[{extra}]'"
        ) from None
