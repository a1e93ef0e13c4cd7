"""Settings of the optimizers that change in the course of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from genframe.errors import ConfigError
from genframe.training_settings import Schedule, TrainingSettings


class Schedules:
    """Sets the learning rates and the momenta before each step.

    Args:
        optimizers: as the algorithm made them: where each setting begins.
        settings: which schedules.
        device: where learning rates are tensors, which a recorded step reads anew each time; None leaves them numbers.

    Raises:
        ConfigError: a schedule of a setting that no optimizer has.
    """

    def __init__(
        self, optimizers: Iterable[Optimizer], settings: TrainingSettings, device: torch.device | None = None
    ) -> None:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        scheduled = {"lr": settings.lr_schedule, "momentum": settings.momentum_schedule}
        self._scheduled: list[tuple[Schedule, str, list[tuple[dict[str, Any], float]]]] = []
        for key, schedule in scheduled.items():
            if schedule.shape == "constant":
                continue
            begins = [(group, group[key]) for group in groups if group.get(key)]
            if not begins:
                raise ConfigError(f"training.{key}_schedule: no optimizer of this algorithm has a {key} to change")
            self._scheduled.append((schedule, key, begins))
            if device is not None and key == "lr":
                for group, value in begins:
                    group[key] = torch.tensor(value, device=device)

    def set(self, step: int, progress: float) -> None:
        """Settings for one step.

        Args:
            step: its number, from 0.
            progress: the share of the run that is behind it.
        """
        for schedule, key, begins in self._scheduled:
            held = progress * (step // schedule.every * schedule.every) / step if step else 0.0
            for group, value in begins:
                now = value * schedule.factor(held)
                if isinstance(group[key], Tensor):
                    group[key].fill_(now)
                else:
                    group[key] = now
