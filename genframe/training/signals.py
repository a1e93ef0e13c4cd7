"""Signals that ask a run to stop: it finishes its step, saves and leaves. A second one quits at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from genframe.errors import StoppedError

_NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")


class StopRequest:
    """Whether a signal has come.

    Attributes:
        name: which signal, or None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._at_once = False

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 129 after SIGHUP, 143 after SIGTERM and SIGUSR1."""
        return {"SIGINT": 130, "SIGHUP": 129}.get(self.name or "", 143)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        first, self.name = self.name is None, signal.Signals(number).name
        if not first:
            os._exit(self.exit_code)
        self._stop_at_once()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, nothing is left to be saved: a request, also one that has come before, stops the run where it is.

        Raises:
            StoppedError: there is one.
        """
        self._at_once = True
        try:
            self._stop_at_once()
            yield
        finally:
            self._at_once = False

    def _stop_at_once(self) -> None:
        if self._at_once and self.name:
            raise StoppedError(
                f"stopped by {self.name} after the last step, which is saved; --resume draws and measures what is "
                "missing",
                self.exit_code,
            )


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within, signals set the request instead of killing the process. Outside the main thread nothing is installed."""
    request = StopRequest()
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    # Under nohup SIGHUP is ignored, and stays so.
    heard = [n for n in numbers if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, request.receive) for number in heard}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
