"""Every way a run can fail on purpose, each with the exit code that the command line gives it.

Raise one of these with a single sentence that says what was received, what is accepted and what to do. The command line
prints that sentence and nothing else; any other exception is a defect and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenframeError(Exception):
    """The base: a defect of genframe or of a plugin."""

    exit_code = 1


class ConfigError(GenframeError):
    """A flag, a setting or a combination of parts is wrong; also a missing extra."""

    exit_code = 2


class DataError(GenframeError):
    """Data is missing, unreadable or of the wrong shape."""

    exit_code = 3


class PluginError(GenframeError):
    """A plugin that was asked for is missing, broken, ambiguous or too new."""

    exit_code = 4


class CheckpointError(GenframeError):
    """A checkpoint is missing, damaged or of another version."""

    exit_code = 5


class DivergenceError(GenframeError):
    """A loss, gradient or parameter became NaN or infinite, or samples collapsed in a run that is to stop there."""

    exit_code = 6


class StorageError(GenframeError):
    """The disk is full or read-only, or the run directory is in use."""

    exit_code = 7


class StoppedError(GenframeError):
    """A signal asked the run to stop; it has saved. The exit code is 128 + the signal (SIGUSR1 counts as SIGTERM)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def quoted(names: Iterable[str]) -> str:
    """``'a', 'b', 'c'`` for a message; ``none`` where there are no names."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def nearest(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'a' or 'b'?`` for the known names close to `name`, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
