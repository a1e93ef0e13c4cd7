"""A run to measure and to draw that needs no training, and the real data files where they are at hand."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genframe.errors import DataError
from genframe.interfaces import Condition, Dataset, Samples, Trained
from genframe.shapes import Problem


@dataclass(frozen=True, kw_only=True)
class PoolView:
    """A generator that knows its samples by heart: sample i is entry i of a pool, which begins anew at its end."""

    problem: Problem
    pool: Tensor
    conditions: Mapping[str, Tensor] = field(default_factory=dict)
    data: Dataset | None = None
    title: str = "a pool, step 0"
    seed: int = 7
    pictures: Sequence[Path] = ()
    history: Sequence[Mapping[str, float]] = ()

    @property
    def trained(self) -> Trained:
        return Trained(problem=self.problem, generator=lambda noise, condition: self.pool, networks={}, noise=None)

    def samples(self, count: int, *, first: int = 0, condition: Condition | None = None) -> Samples:
        assert condition is None, "a pool cannot be steered"
        places = torch.arange(first, first + count) % len(self.pool)
        condition = {name: values[places] for name, values in self.conditions.items()}
        return Samples(output=self.pool[places], condition=condition, first=first, seed=self.seed)

    def stream(self, count: int, *, first: int = 0) -> Iterator[Samples]:
        for begin in range(first, first + count, 1000):
            yield self.samples(min(1000, first + count - begin), first=begin)

    def dataset(self) -> Dataset:
        if self.data is None:
            raise DataError("the pool has no dataset")
        return self.data


@pytest.fixture(scope="session")
def pool_view() -> Callable[..., PoolView]:
    return PoolView


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data files: ``GENFRAME_TEST_DATA``, else ``shared/data`` beside the repository."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("GENFRAME_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set GENFRAME_TEST_DATA to a folder that holds it")
    return folder
