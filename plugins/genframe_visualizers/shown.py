"""The pictures that a network is shown: real ones with their own labels, or generated ones with theirs."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.errors import DataError
from genframe.interfaces import Condition, RunView
from genframe.shapes import PIXEL_KINDS
from genframe_visualizers.grids import first_class

_CHUNK = 1024


def shown(view: RunView, kind: str, count: int, visualizer: str) -> tuple[Tensor, Condition]:
    """Float pictures in [-1, 1], at most `count` of them, and their conditions.

    Args:
        view: of the run.
        kind: ``real`` for held-out ones, ``generated``.
        count: how many.
        visualizer: its name, for messages.

    Raises:
        DataError: real ones are wanted and the run's data is not there, or has none.
    """
    if kind == "generated":
        samples = view.samples(count)
        return samples.output, samples.condition
    problem, dataset = view.trained.problem, view.dataset().split("heldout")
    names = [n for n, field in dataset.fields.items() if field == problem.output and n not in problem.condition]
    if not names or len(dataset) == 0 or not problem.condition.keys() <= dataset.fields.keys():
        raise DataError(
            f"the visualizer '{visualizer}' shows real held-out pictures, and the run's data has none that fit: "
            "take --set images=generated"
        )
    places = range(min(count, len(dataset)))
    batches = [dataset.read(places[first : first + _CHUNK], epoch=0, seed=0) for first in places[::_CHUNK]]
    values = {name: torch.cat([batch[name] for batch in batches]) for name in (names[0], *problem.condition)}
    condition = {name: _signed(values[name], field.kind) for name, field in problem.condition.items()}
    return _signed(values[names[0]], problem.output.kind), condition


def class_names(view: RunView, condition: Condition, count: int) -> list[str]:
    """The class of each picture; empty where there is none."""
    field = first_class(view.trained.problem)
    if field is None:
        return [""] * count
    (name, *_) = condition
    return [field.classes[int(label)] for label in condition[name]]


def _signed(values: Tensor, kind: str) -> Tensor:
    return values.float() / 127.5 - 1.0 if kind in PIXEL_KINDS else values
