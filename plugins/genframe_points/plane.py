"""Points of a run, as its chart and its metrics see them."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.analysis.fields import first_of, image_name
from genframe.errors import ConfigError, DataError
from genframe.interfaces import RunView


def check_points(view: RunView, who: str, dimensions: int | None = None) -> None:
    """Refuses a run that makes no points, or points of another dimension.

    Args:
        view: of the run.
        who: is asking, as ``the metric 'modes'``.
        dimensions: that are wanted; None takes any.

    Raises:
        ConfigError: naming `who`.
    """
    output = view.trained.problem.output
    if output.kind != "points" or dimensions not in (None, *output.shape):
        wanted = "points" if dimensions is None else f"points of {dimensions} numbers"
        shape = "x".join(map(str, output.shape))
        raise ConfigError(
            f"{who} is about {wanted}, and this run generates {output.kind} of {shape}: train on points, say gan-2d"
        )


def heldout_points(view: RunView, count: int | None = None) -> Tensor:
    """The first `count` held-out points or all of them, ``float32 (N, D)``.

    Raises:
        DataError: the data is not there, or is not what the run was trained on.
    """
    dataset = view.dataset()
    heldout = dataset.split("heldout")
    return first_of(heldout, image_name(dataset, view.trained.problem), len(heldout) if count is None else count)


def generated_points(view: RunView, count: int) -> Tensor:
    """``float32 (count, D)``.

    Raises:
        DataError: one is not finite.
    """
    points_ND = torch.cat([piece.output for piece in view.stream(count)])
    if not points_ND.isfinite().all():
        raise DataError("a generated point is no number: this run's generator is broken, evaluate another step")
    return points_ND
