"""Settings of the optimizers that change in the course of a run."""

from __future__ import annotations

from collections.abc import Iterable

from torch.optim import Optimizer

from genframe.errors import ConfigError
from genframe.training_settings import Schedule, TrainingSettings


class Schedules:
    """Sets the learning rates and the momenta before each step.

    Args:
        optimizers: as the algorithm made them: where each setting begins.
        settings: which schedules.

    Raises:
        ConfigError: a schedule of a setting that no optimizer has.
    """

    def __init__(self, optimizers: Iterable[Optimizer], settings: TrainingSettings) -> None:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        scheduled = {"lr": settings.lr_schedule, "momentum": settings.momentum_schedule}
        self._scheduled: list[tuple[Schedule, str, list[tuple[dict[str, float], float]]]] = []
        for key, schedule in scheduled.items():
            if schedule.shape == "constant":
                continue
            begins = [(group, group[key]) for group in groups if group.get(key)]
            if not begins:
                raise ConfigError(f"training.{key}_schedule: no optimizer of this algorithm has a {key} to change")
            self._scheduled.append((schedule, key, begins))

    def set(self, step: int, progress: float) -> None:
        """Settings for one step.

        Args:
            step: its number, from 0.
            progress: the share of the run that is behind it.
        """
        for schedule, key, begins in self._scheduled:
            held = progress * (step // schedule.every * schedule.every) / step if step else 0.0
            for group, value in begins:
                group[key] = value * schedule.factor(held)
