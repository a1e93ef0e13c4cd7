"""The labels as numbers: what the schemes' encoders make of a condition."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genframe.errors import ConfigError
from genframe.interfaces import Condition
from genframe.shapes import Field, Problem
from genframe_kernels import initialise_weight


class LabelRow(nn.Module):
    """``condition -> code_BK``, float32: one-hot classes, 0 or 1 a label of many, values as they are.

    Labels stand side by side in the order of their names.

    Args:
        scheme: that asks, for the message.
        problem: whose labels are meant.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, scheme: str, problem: Problem) -> None:
        super().__init__()
        if not problem.labels:
            raise ConfigError(
                f"conditioning '{scheme}' got data without labels and needs a class, multilabel or vector field; "
                "choose labelled data or --conditioning none"
            )
        self.fields: Mapping[str, Field] = {name: problem.labels[name] for name in sorted(problem.labels)}
        self.width = sum(field.width for field in self.fields.values())

    def forward(self, condition: Condition) -> Tensor:
        """The row of each sample."""
        return torch.cat([_encoded(field, condition[name]) for name, field in self.fields.items()], dim=1)


class LabelEmbedding(nn.Module):
    """``condition -> code_BE``: a learnt row of numbers for each class; those of several labels add up, values scale.

    Args:
        row: the labels as numbers.
        dim: how many numbers E a code has.
    """

    def __init__(self, row: LabelRow, dim: int) -> None:
        super().__init__()
        self.row = row
        self.table = nn.Linear(row.width, dim, bias=False)

    def reset_parameters(self) -> None:
        """Standard normal rows, as an ``nn.Embedding`` begins."""
        initialise_weight(self.table, nn.init.normal_)

    def forward(self, condition: Condition) -> Tensor:
        """The code of each sample."""
        code: Tensor = self.table(self.row(condition))
        return code


def _encoded(field: Field, values: Tensor) -> Tensor:
    if field.kind != "class":
        return values.float()
    # Unlike `one_hot` this reads no value, so that a step can be recorded on every device.
    return (values[:, None] == torch.arange(field.width, device=values.device)).float()
