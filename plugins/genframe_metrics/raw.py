"""Real pictures as flat rows of raw pixels, for metrics that ask for no labels."""

from __future__ import annotations

from torch import Tensor

from genframe.analysis.fields import first_of, image_name
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Part, RunView


def real_pixels(view: RunView, metric: str, part: Part, fewest: int = 1) -> Tensor:
    """All pictures of a part, ``uint8 (N, C * H * W)``.

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
    return first_of(data, image_name(dataset, problem), len(data)).flatten(1)
