"""Real pictures as flat rows of raw pixels, for metrics that ask for no labels."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.analysis.fields import first_of, image_name
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Dataset, Part, RunView
from genframe.randomness import derive_key, random_bits


def real_part(view: RunView, metric: str, part: Part, fewest: int = 1) -> tuple[Dataset, str]:
    """A part of the run's data, and the field of its pictures.

    Raises:
        ConfigError: the run makes no pictures.
        DataError: the data is not there, is not what the run was trained on, or has fewer than `fewest`.
    """
    problem = view.trained.problem
    if problem.output.kind != "image":
        raise ConfigError(f"the metric '{metric}' compares pictures, and this run generates {problem.output.kind}")
    dataset = view.dataset()
    data = dataset.split(part)
    if len(data) < fewest:
        raise DataError(f"the metric '{metric}' needs at least {fewest} pictures in the part '{part}'; got {len(data)}")
    return data, image_name(dataset, problem)


def real_pixels(view: RunView, metric: str, part: Part, fewest: int = 1) -> Tensor:
    """All pictures of a part in their order, ``uint8 (N, C * H * W)``; raises what `real_part` raises."""
    data, name = real_part(view, metric, part, fewest)
    return first_of(data, name, len(data)).flatten(1)


def some_pixels(view: RunView, metric: str, part: Part, count: int) -> Tensor:
    """So many pictures of a part at random, or all, ``uint8 (N, C * H * W)``; raises what `real_part` raises."""
    data, name = real_part(view, metric, part)
    return data.read(random_order(len(data), metric)[:count].tolist(), epoch=0, seed=0)[name].flatten(1)


def random_order(count: int, purpose: str) -> Tensor:
    """The numbers below `count`, ``int64 (count,)``: files come sorted, by class or by writer, and no figure may."""
    return random_bits(torch.arange(count), 1, derive_key(0, f"order of {purpose}"))[:, 0].argsort(stable=True)
