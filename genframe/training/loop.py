"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from genframe.errors import StoppedError
from genframe.interfaces import Batch
from genframe.training.signals import StopRequest
from genframe.training.trainer import Trainer
from genframe.training_settings import Cadence, TrainingSettings


class Record(Protocol):
    """What the loop tells: each at its own cadence, none of them every step."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of this step."""

    def sample(self, step: int) -> None:
        """Time for a picture."""

    def save(self, step: int) -> None:
        """Time for a checkpoint."""


def train(
    trainer: Trainer, stream: Iterator[Batch], settings: TrainingSettings, record: Record, stop: StopRequest
) -> None:
    """Trains to the last step.

    Args:
        trainer: makes the steps.
        stream: a batch for each step.
        settings: how many steps, and the cadences.
        record: keeps what is worth keeping.
        stop: may ask to stop early; the run is then saved at the step it has reached.

    Raises:
        DivergenceError: a loss or a gradient is not finite.
        StoppedError: `stop` asked; everything is saved.
    """
    saving = Cadence.parse(settings.checkpoint_every)
    saved_at = time.monotonic()
    for step, batch in zip(range(1, settings.steps + 1), stream, strict=False):
        values = trainer.step(step - 1, batch)
        last = step == settings.steps
        if step % settings.log_every == 0 or last:
            record.log(step, {name: float(value) for name, value in values.items()})
        if step % settings.sample_every == 0 and not last:
            record.sample(step)
        if last or stop.name or _due(saving, step, saved_at):
            record.save(step)
            saved_at = time.monotonic()
        if stop.name and not last:
            raise StoppedError(f"stopped by {stop.name} after step {step} of {settings.steps}; saved", stop.exit_code)


def _due(cadence: Cadence, step: int, since: float) -> bool:
    if cadence.steps is not None:
        return step % cadence.steps == 0
    return time.monotonic() - since >= (cadence.seconds or 0.0)
