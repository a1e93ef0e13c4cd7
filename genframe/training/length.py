"""How long a run is: so many steps, or so many minutes."""

from __future__ import annotations

import time

from genframe.training_settings import TrainingSettings


class Length:
    """The end of a run, and how far it has come.

    Args:
        settings: with the number of steps settled, or with the minutes. The clock starts now.
        seconds: that were trained before.
    """

    def __init__(self, settings: TrainingSettings, seconds: float = 0.0) -> None:
        self._steps = settings.steps
        self._seconds = None if settings.minutes is None else 60.0 * settings.minutes
        self._began = time.monotonic() - seconds

    def progress(self, steps: int) -> float:
        """The share of the run, in [0, 1], that is behind it after so many steps."""
        if self._seconds is not None:
            return min((time.monotonic() - self._began) / self._seconds, 1.0)
        assert self._steps is not None
        return steps / self._steps

    def __str__(self) -> str:
        if self._seconds is not None:
            return f"{self._seconds / 60.0:g} minutes"
        return f"{self._steps} steps"
