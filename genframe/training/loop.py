"""The training loop."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from genframe.errors import StoppedError
from genframe.interfaces import Batch
from genframe.training.length import Length
from genframe.training.signals import StopRequest
from genframe.training.trainer import Trainer
from genframe.training_settings import Cadence, TrainingSettings


class Record(Protocol):
    """What the loop tells: each at its own cadence, none of them every step."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of this step."""

    def sample(self, step: int) -> None:
        """Time for a picture."""

    def evaluate(self, step: int) -> bool:
        """Time to measure; whether what was measured must be saved, as the best so far."""

    def save(self, step: int) -> None:
        """Time for a checkpoint; it may be written while training goes on."""

    def settle(self) -> None:
        """Training ends: everything that was saved has to be on disk."""


def train(
    trainer: Trainer,
    stream: Iterator[Batch],
    settings: TrainingSettings,
    record: Record,
    stop: StopRequest,
    *,
    first: int = 0,
    seconds: float = 0.0,
) -> int:
    """Trains to the last step.

    Args:
        trainer: makes the steps.
        stream: a batch for each step.
        settings: how long, and the cadences.
        record: keeps what is worth keeping.
        stop: may ask to stop early; the run is then saved at the step it has reached.
        first: how many steps are behind it; `stream` begins with the batch of the next.
        seconds: how long those took.

    Returns:
        The number of the last step.

    Raises:
        DivergenceError: a loss or a gradient is not finite.
        StoppedError: `stop` asked; everything is saved.
    """
    saving, length = Cadence.parse(settings.checkpoint_every), Length(settings, seconds)
    if first and length.progress(first) >= 1.0:
        return first
    saved_at = time.monotonic()
    for step in itertools.count(first + 1):
        values = trainer.step(step - 1, next(stream), length.progress(step - 1))
        last = length.progress(step) >= 1.0
        if step % settings.log_every == 0 or last:
            trainer.check()
            record.log(step, {name: float(value) for name, value in values.items()})
        if step % settings.sample_every == 0 and not last:
            trainer.check()
            record.sample(step)
        best = False
        if _every(settings.evaluate_every, step, last):
            trainer.check()
            best = record.evaluate(step)
        stopping = stop.name  # read once: a signal may come at any moment
        if last or best or stopping or _due(saving, step, saved_at):
            trainer.check()
            record.save(step)
            saved_at = time.monotonic()
        if last or stopping:
            record.settle()
        if last:
            return step
        if stopping:
            raise StoppedError(f"stopped by {stopping} after step {step} of {length}; saved", stop.exit_code)
    raise AssertionError("counting has no end")


def _every(cadence: int | None, step: int, last: bool) -> bool:
    return cadence is not None and (last or step % cadence == 0)


def _due(cadence: Cadence, step: int, since: float) -> bool:
    if cadence.steps is not None:
        return step % cadence.steps == 0
    return time.monotonic() - since >= (cadence.seconds or 0.0)
