"""The core's side of a training step: made once, or recorded and replayed.

What differs from step to step, its number and the keys of its random streams, is a number of Python's in a step that is
made once. In a recorded step it is a tensor, since a recording repeats the same work on what its tensors then hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from genframe.errors import DivergenceError, quoted
from genframe.randomness import derive_key, seeded_generator
from genframe.training.averages import Averages

#: A recorded step has at most so many numbers of each type that differ from step to step.
_SLOTS = 256


class Updates(Protocol):
    """Who makes the updates of a step."""

    averages: Averages

    def update(self, loss: Tensor, roles: Sequence[str], step: TrainingStep) -> None:
        """Backward, the check that all is finite, the updates, the running averages."""


@dataclass
class Habits:
    """What an algorithm's steps have asked for so far.

    Attributes:
        periods: of `TrainingStep.turn`.
        purposes: of `TrainingStep.rng`.
        reads_number: whether one has read `TrainingStep.number`.
    """

    periods: set[int] = field(default_factory=set)
    purposes: set[str] = field(default_factory=set)
    reads_number: bool = False


class TrainingStep:
    """A step that is made once; see `genframe.interfaces.Step`.

    Args:
        trainer: makes the updates.
        number: of the step, from 0.
        indices: of the samples.
        seed: of every random stream.
        habits: notes what is asked for.
    """

    def __init__(self, trainer: Updates, number: int, indices: Tensor, seed: int, habits: Habits) -> None:
        self.indices = indices
        self._trainer = trainer
        self._number = number
        self._seed = seed
        self._habits = habits

    @property
    def number(self) -> int:
        """From 0."""
        self._habits.reads_number = True
        return self._number

    def turn(self, period: int) -> int:
        """The number modulo `period`."""
        self._habits.periods.add(period)
        return self._number % period

    def key(self, purpose: str) -> int | Tensor:
        """The key of (seed, purpose, step)."""
        return derive_key(self._seed, f"step/{purpose}", self._number)

    def rng(self, purpose: str) -> torch.Generator:
        """A generator seeded by (seed, purpose, step, rank)."""
        self._habits.purposes.add(purpose)
        return seeded_generator(generator_key(self._seed, purpose, self._number), self.indices.device)

    def minimise(self, loss: Tensor, *roles: str) -> None:
        """Backward, check, update; see `genframe.interfaces.Step.minimise`."""
        self._trainer.update(loss, roles, self)

    def found_inf(self, loss: Tensor, total: Tensor, roles: Sequence[str]) -> Tensor | None:
        """What keeps a fused optimizer from its update, if anything does.

        Args:
            loss: what is minimised.
            total: a sum that is finite where loss and gradients are.
            roles: what is to be updated.

        Raises:
            DivergenceError: `total` is not finite.
        """
        if not math.isfinite(total.item()):
            raise diverged(bool(torch.isfinite(loss).all()), roles, self._number)
        return None

    def average_weight(self, role: str) -> float | Tensor:
        """How far the running average of `role` goes towards the network."""
        weight = self._trainer.averages.next_weight(role)
        # On a GPU the same arithmetic as in a recorded step, so that it does not matter which one a step was.
        return torch.full((), weight, device=self.indices.device) if self.indices.is_cuda else weight


class NotReplayableError(Exception):
    """What a step does cannot be recorded; the sentence says why."""


class RecordedStep(TrainingStep):
    """A step in which everything that differs from step to step is a tensor.

    Args:
        trainer: makes the updates.
        number: of the step at which it is recorded.
        indices: of the samples.
        seed: of every random stream.
        slots: hold the numbers.
        generators: by purpose; whoever replays the step seeds them.
        trouble: notices what is not finite.
    """

    def __init__(
        self,
        trainer: Updates,
        number: int,
        indices: Tensor,
        seed: int,
        slots: Slots,
        generators: dict[str, torch.Generator],
        trouble: Trouble,
    ) -> None:
        super().__init__(trainer, number, indices, seed, Habits())
        self._slots = slots
        self._generators = generators
        self._trouble = trouble

    @property
    def number(self) -> int:
        """Not to be had."""
        raise NotReplayableError("the algorithm reads Step.number; Step.turn can be replayed")

    def key(self, purpose: str) -> int | Tensor:
        """The key of (seed, purpose, step), ``int64 ()``."""
        return self._slots.integer(lambda number: derive_key(self._seed, f"step/{purpose}", number))

    def rng(self, purpose: str) -> torch.Generator:
        """The generator of this purpose."""
        if purpose not in self._generators:
            raise NotReplayableError(f"the random stream '{purpose}' was not used in the steps before")
        if purpose in self._habits.purposes:
            raise NotReplayableError(f"the random stream '{purpose}' is used twice in a step")
        self._habits.purposes.add(purpose)
        return self._generators[purpose]

    def found_inf(self, loss: Tensor, total: Tensor, roles: Sequence[str]) -> Tensor | None:
        """1 in ``float32 ()`` from the first update on that is not finite, else 0."""
        return self._trouble.watch(loss, total, roles, self._slots.integer(lambda number: number))

    def average_weight(self, role: str) -> float | Tensor:
        """How far the running average of `role` goes, ``float32 ()``."""
        return self._slots.real(lambda number: self._trainer.averages.next_weight(role))


class Slots:
    """Numbers of a recorded step, each from the step's own number, on the device.

    Args:
        device: where they are.
    """

    def __init__(self, device: torch.device) -> None:
        self._integers = torch.zeros(_SLOTS, dtype=torch.int64, device=device)
        self._reals = torch.zeros(_SLOTS, dtype=torch.float32, device=device)
        self._integer_values: list[Callable[[int], int]] = []
        self._real_values: list[Callable[[int], float]] = []

    def integer(self, value: Callable[[int], int]) -> Tensor:
        """``int64 ()`` that holds ``value(number)``."""
        self._integer_values.append(value)
        return self._integers[_last(self._integer_values)]

    def real(self, value: Callable[[int], float]) -> Tensor:
        """``float32 ()`` that holds ``value(number)``."""
        self._real_values.append(value)
        return self._reals[_last(self._real_values)]

    def fill(self, number: int) -> None:
        """Every slot for step `number`, in the order in which they were asked for."""
        for tensor, values in ((self._integers, self._integer_values), (self._reals, self._real_values)):
            if values:
                numbers = torch.tensor([value(number) for value in values], dtype=tensor.dtype)
                tensor[: len(values)].copy_(numbers, non_blocking=True)


class Trouble:
    """The first update that is not finite: noticed on the device, where it and all later ones are left out.

    Args:
        device: where it is noticed.
    """

    def __init__(self, device: torch.device) -> None:
        # Step, update within the recorded steps, whether the loss is finite.
        self._first = torch.tensor([-1, 0, 0], device=device)
        self._roles: list[tuple[str, ...]] = []

    def watch(self, loss: Tensor, total: Tensor, roles: Sequence[str], number: Tensor) -> Tensor:
        """See `RecordedStep.found_inf`."""
        update = torch.full_like(number, len(self._roles))
        self._roles.append(tuple(roles))
        now = torch.stack((number, update, torch.isfinite(loss).all().long()))
        is_first = ~torch.isfinite(total) & (self._first[0] < 0)
        self._first.copy_(torch.where(is_first, now, self._first))
        return (self._first[0] >= 0).float()

    def check(self) -> None:
        """Reads it.

        Raises:
            DivergenceError: there was such an update.
        """
        number, update, finite_loss = self._first.tolist()
        if number >= 0:
            raise diverged(bool(finite_loss), self._roles[update], number)


def generator_key(seed: int, purpose: str, number: int) -> int:
    """What seeds the generator of (purpose, step)."""
    rank = 0  # one process trains, until more are supported
    return derive_key(seed, f"step/{purpose}", number, rank)


def diverged(finite_loss: bool, roles: Sequence[str], number: int) -> DivergenceError:
    """In words."""
    culprit = "a gradient" if finite_loss else "the loss"
    return DivergenceError(
        f"training diverged at step {number + 1}: {culprit} of {quoted(roles)} is no longer a finite number, and "
        "nothing was updated with it; a smaller --lr is the first thing to try"
    )


def not_finite(names: Sequence[str]) -> DivergenceError:
    """In words, for tensors of these names."""
    more = f" and {len(names) - 1} others" if len(names) > 1 else ""
    return DivergenceError(
        f"training diverged: '{names[0]}'{more} holds numbers that are no longer finite, and the steps since the last "
        "checkpoint are not kept; a smaller --lr is the first thing to try"
    )


def _last(values: Sequence[object]) -> int:
    if len(values) > _SLOTS:
        raise NotReplayableError(f"more than {_SLOTS} numbers differ from step to step")
    return len(values) - 1
