"""Drawing samples from trained networks, in training and from a checkpoint alone.

Sample i is a function of the seed, of i and of its condition. So that this holds to the last bit, samples are always
computed in the same aligned chunks: the one at index i sits at the same place among the same number of others whatever
range was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genframe.analysis.placing import device_of, placed
from genframe.config import RunConfig
from genframe.interfaces import Condition, Dataset, Samples, Trained
from genframe.memory import refuse_too_large
from genframe.randomness import derive_key
from genframe.rundir.directory import RunDirectory, drawn_pictures
from genframe.shapes import Problem

#: How many samples are computed together, aligned to multiples of it.
CHUNK = 64

#: A piece of a stream has so many numbers: 16 MB in float32.
_PIECE = 2**22


class Conditions:
    """The known conditions of a problem, one for each index: classes take turns, and so do stored examples.

    Args:
        problem: what is generated from what.
        examples: some conditions of real samples by field, for the fields that cannot be enumerated.
    """

    def __init__(self, problem: Problem, examples: Condition) -> None:
        self._fields = problem.condition
        self._examples = examples

    def at(self, indices: Tensor) -> Condition:
        """The condition of each index."""
        if self._examples:
            return {name: values[indices % len(values)] for name, values in self._examples.items()}
        condition, period = {}, 1
        for name, field in self._fields.items():
            condition[name] = indices // period % field.width
            period *= field.width
        return condition


def needs_examples(problem: Problem) -> bool:
    """Whether some condition is more than a class, so that conditions of real samples must be kept."""
    return any(field.kind != "class" for field in problem.condition.values())


def draw(
    trained: Trained, first: int, count: int, seed: int, condition_at: Callable[[Tensor], Condition]
) -> Iterator[Samples]:
    """Samples `first` to `first + count - 1`, chunk by chunk.

    Args:
        trained: what generates.
        first: index of the first sample.
        count: how many.
        seed: of the noise.
        condition_at: the condition of each index, on the CPU.
    """
    device = device_of(trained.networks)
    key = derive_key(seed, "sample")
    for start in range(first - first % CHUNK, first + count, CHUNK):
        indices = torch.arange(start, start + CHUNK)
        condition = condition_at(indices)
        noise = trained.noise.draw(indices.to(device), key) if trained.noise else None
        with torch.inference_mode():
            output = trained.generator(noise, placed(condition, device, trained.problem)).float().cpu()
        kept = slice(max(first - start, 0), min(first + count - start, CHUNK))
        yield Samples(
            output=output[kept].clone(),
            condition={name: values[kept] for name, values in condition.items()},
            first=start + (kept.start or 0),
            seed=seed,
            noise=None if noise is None else noise[kept].cpu(),
        )


def refuse_too_many(count: int, problem: Problem) -> None:
    """Refuses samples that do not fit in memory together.

    Raises:
        ConfigError: so many do not.
    """
    numbers = math.prod(problem.output.shape) + math.prod(problem.noise_shape or (0,))
    refuse_too_large(4 * count * numbers, f"{count:,} samples at once", "ask for fewer")


def gathered(chunks: Iterator[Samples]) -> Samples:
    """All chunks in one."""
    parts = list(chunks)
    return Samples(
        output=torch.cat([part.output for part in parts]),
        condition={name: torch.cat([part.condition[name] for part in parts]) for name in parts[0].condition},
        first=parts[0].first,
        seed=parts[0].seed,
        noise=None if parts[0].noise is None else torch.cat([p.noise for p in parts if p.noise is not None]),
    )


def _unwatched(done: int, count: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What metrics, visualizers and observers see of a run; see `genframe.interfaces.RunView`.

    Attributes:
        trained: the networks.
        conditions: the known conditions.
        title: one line that says what is shown.
        seed: of the noise.
        find_dataset: finds the run's dataset, or raises DataError.
        directory: of the run; None for a checkpoint that lies in none.
        watch: told how many samples of how many have streamed by.
    """

    trained: Trained
    conditions: Conditions
    title: str
    seed: int
    find_dataset: Callable[[], Dataset]
    directory: RunDirectory | None = None
    watch: Callable[[int, int], None] = _unwatched

    @property
    def pictures(self) -> Sequence[Path]:
        """Those that the run itself has drawn so far."""
        return drawn_pictures(self.directory.samples) if self.directory else ()

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """What the run has logged so far."""
        return self.directory.rows("metrics.jsonl") if self.directory else ()

    def samples(self, count: int, *, first: int = 0, condition: Condition | None = None) -> Samples:
        """Samples `first` to `first + count - 1`; a given `condition` has `count` rows, one for each.

        Raises:
            ConfigError: so many do not fit in memory.
        """
        refuse_too_many(count, self.trained.problem)
        if condition is None:
            return gathered(draw(self.trained, first, count, self.seed, self.conditions.at))

        def given(indices: Tensor) -> Condition:
            return {name: values[(indices - first) % count] for name, values in condition.items()}

        return gathered(draw(self.trained, first, count, self.seed, given))

    def stream(self, count: int, *, first: int = 0) -> Iterator[Samples]:
        """The same samples in pieces, at most `_PIECE` numbers or `CHUNK` samples each."""
        numbers = math.prod(self.trained.problem.output.shape)
        piece = max(_PIECE // numbers // CHUNK, 1) * CHUNK
        for begin in range(first, first + count, piece):
            size = min(piece, first + count - begin)
            yield gathered(draw(self.trained, begin, size, self.seed, self.conditions.at))
            self.watch(begin + size - first, count)

    def dataset(self) -> Dataset:
        """The run's dataset."""
        return self.find_dataset()


def run_title(config: RunConfig, step: int) -> str:
    """``cdcgan on digits, step 1,500``."""
    return f"{config.recipe} on {config.data_name}, step {step:,}"
