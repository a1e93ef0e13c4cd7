"""What several schemes are made of: the labels as one row of numbers, layers that read it and layers that do not."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genframe.errors import ConfigError
from genframe.interfaces import Condition, Critique
from genframe.shapes import Field, Problem
from genframe_kernels import linear


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
        self.labels: Mapping[str, Field] = {name: problem.labels[name] for name in sorted(problem.labels)}
        self.width = sum(field.width for field in self.labels.values())

    def forward(self, condition: Condition) -> Tensor:
        """The row of each sample."""
        return torch.cat([_encoded(field, condition[name]) for name, field in self.labels.items()], dim=1)


def _encoded(field: Field, values: Tensor) -> Tensor:
    if field.kind != "class":
        return values.float()
    # Unlike `one_hot` this reads no value, so that a step can be recorded on every device.
    return (values[:, None] == torch.arange(field.width, device=values.device)).float()


class Unlabelled(nn.Module):
    """A layer that leaves the code aside.

    Args:
        layer: what it runs.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        """The layer's output."""
        y: Tensor = self.layer(x)
        return y


class Head(nn.Module):
    """The critic's last layer, with or without the label among its inputs."""

    def __init__(self, features: int, labels: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features + labels, 1, bias=bias)
        self.labels = labels

    def forward(self, features_BF: Tensor, code_BK: Tensor | None) -> Critique:
        """One logit a sample."""
        code = code_BK if self.labels else None
        return Critique((linear(features_BF, self.linear.weight, self.linear.bias, code)[:, 0],))
