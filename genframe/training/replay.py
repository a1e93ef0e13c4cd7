"""Steps recorded and replayed: on a CUDA device the hundreds of launches of a step become the one of a CUDA graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from genframe.errors import GenframeError
from genframe.interfaces import Batch
from genframe.training.steps import (
    Habits,
    RecordedStep,
    Slots,
    TrainingStep,
    Trouble,
    Updates,
    generator_key,
)
from genframe_kernels.graphs import recording

#: A step is made so often before it is recorded, so that all is there that a first step makes.
_BEFORE = 3


class Graph(Protocol):
    """Work on a device that can be repeated."""

    def record(self, generators: Sequence[torch.Generator]) -> AbstractContextManager[None]:
        """Within, work is recorded and not done; `generators` are drawn from in it."""

    def replay(self) -> None:
        """Does it on what its tensors hold now."""


class CudaGraph:
    """A CUDA graph.

    Args:
        device: where.
        pool: of ``torch.cuda.graph_pool_handle()``: one for all graphs of a run, which are never replayed at once.
    """

    def __init__(self, device: torch.device, pool: Any) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._device = device
        self._pool = pool

    @contextmanager
    def record(self, generators: Sequence[torch.Generator]) -> Iterator[None]:
        """Within, work is recorded and not done."""
        for generator in generators:
            self._graph.register_generator_state(generator)
        # Threads of observers or of data readers may go on using the device meanwhile.
        with recording(self._graph, self._device, self._pool, "thread_local"):
            yield

    def replay(self) -> None:
        """Does it."""
        self._graph.replay()


class Replayable(Updates, Protocol):
    """What steps are made of."""

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]: ...  # noqa: D102

    def run(self, batch: Batch, step: TrainingStep) -> Mapping[str, Tensor]:
        """The work of a step on a batch that is on the device; scalars to log."""


@dataclass(frozen=True)
class _Recording:
    graph: Graph
    slots: Slots
    indices: Tensor
    generators: Mapping[str, torch.Generator]
    batch: Batch
    values: Mapping[str, Tensor]


class Steps:
    """Makes the steps of a run, and replays them where that is possible.

    Args:
        trainer: what they are made of.
        device: where.
        seed: of every random stream.
        obstacle: why these steps are not to be recorded; None if they may be.
        new_graph: records; by default a CUDA graph.
    """

    def __init__(
        self,
        trainer: Replayable,
        device: torch.device,
        seed: int,
        obstacle: str | None,
        new_graph: Callable[[], Graph] | None = None,
    ) -> None:
        self.obstacle = obstacle
        self._trainer = trainer
        self._device = device
        self._seed = seed
        if new_graph is None and obstacle is None:
            new_graph = partial(CudaGraph, device, torch.cuda.graph_pool_handle())
        self._new_graph = new_graph
        self._habits = Habits()
        self._made: Counter[tuple[object, ...]] = Counter()
        self._recordings: dict[tuple[object, ...], _Recording] = {}
        self._trouble = Trouble(device)

    def make(self, number: int, batch: Batch) -> Mapping[str, Tensor]:
        """Makes one step and returns scalars to log; the next step may write over them.

        Args:
            number: of the step, from 0.
            batch: what it learns from, anywhere.
        """
        kind = self._kind(number, batch)
        if kind not in self._recordings and self.obstacle is None and self._made[kind] >= _BEFORE:
            self._record(kind, number, batch)
        if kind in self._recordings:
            return self._replay(self._recordings[kind], number, batch)
        self.check()
        values = self._trainer.run(batch, self._step(number, batch))
        self._made[kind] += 1
        if self._habits.reads_number and self.obstacle is None:
            self.obstacle = "the algorithm reads Step.number"
        return values

    @property
    def summary(self) -> str:
        """Whether steps were recorded, and if not all, why, in words."""
        if self._recordings:
            return f"replayed, but not all: {self.obstacle}" if self.obstacle else "replayed"
        return f"none: {self.obstacle or 'too few steps of one kind'}"

    def check(self) -> None:
        """Reads what replayed steps have noticed.

        Raises:
            DivergenceError: an update was not finite; it and all later ones were left out.
        """
        if self._recordings:
            self._trouble.check()

    def _kind(self, number: int, batch: Batch) -> tuple[object, ...]:
        """Steps of one kind do the same work."""
        shapes = ((name, values.shape, values.dtype) for name, values in batch.items())
        return (number % math.lcm(*self._habits.periods), *shapes)

    def _step(self, number: int, batch: Batch) -> TrainingStep:
        return TrainingStep(self._trainer, number, self._indices(batch), self._seed, self._habits)

    def _indices(self, batch: Batch) -> Tensor:
        return torch.arange(len(next(iter(batch.values()))), device=self._device)

    def _record(self, kind: tuple[object, ...], number: int, batch: Batch) -> None:
        assert self._new_graph is not None
        optimizers = list(self._trainer.optimizers.values())
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        capturable = [(group, group["capturable"]) for group in groups if "capturable" in group]
        try:
            static = {name: values.to(self._device, copy=True) for name, values in batch.items()}
            generators = {purpose: torch.Generator(device=self._device) for purpose in sorted(self._habits.purposes)}
            graph, slots, indices = self._new_graph(), Slots(self._device), self._indices(batch)
            step = RecordedStep(self._trainer, number, indices, self._seed, slots, generators, self._trouble)
            for group, _ in capturable:  # PyTorch's Adam wants to be told while it is recorded, and only then
                group["capturable"] = True
            with graph.record(list(generators.values())):
                values = self._trainer.run(static, step)
            self._recordings[kind] = _Recording(graph, slots, indices, generators, static, values)
        except GenframeError:
            raise
        except Exception as failure:  # whatever it is, the step itself will meet it too, or can be made
            error: BaseException = failure
            while error.__context__ is not None:  # ending a recording that has failed fails too
                error = error.__context__
            self.obstacle = str(error).partition("\n")[0] or type(error).__name__
        finally:
            for group, before in capturable:
                group["capturable"] = before
            for optimizer in optimizers:
                optimizer.found_inf = None  # type: ignore[attr-defined]
                optimizer.zero_grad(set_to_none=True)

    def _replay(self, recording: _Recording, number: int, batch: Batch) -> Mapping[str, Tensor]:
        for name, values in batch.items():
            recording.batch[name].copy_(values, non_blocking=True)
        for purpose, generator in recording.generators.items():
            generator.manual_seed(generator_key(self._seed, purpose, number))
        recording.slots.fill(number)
        recording.graph.replay()
        return recording.values


def unfused(optimizers: Iterable[torch.optim.Optimizer]) -> str | None:
    """Why these steps are not to be recorded: only fused optimizers know the flag that keeps them from an update."""
    for optimizer in optimizers:
        if not all(group.get("fused") for group in optimizer.param_groups):
            return f"the optimizer {type(optimizer).__name__} is not fused"
    return None
