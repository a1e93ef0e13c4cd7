"""Conditioning by concatenation: the label is part of the input of every layer, in both networks.

This is the conditional DCGAN of the two published MNIST codes (Newmu/dcgan_code, ``train_cond_dcgan.py``;
zhangqianhui/Conditional-Gans): a label joins a vector as K further numbers, a picture as K further constant channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.errors import ConfigError
from genframe.interfaces import BlockSpec, Condition, Critique
from genframe.shapes import Field, Problem
from genframe.specs import NoSettings
from genframe_kernels import block, linear


class Concatenation:
    """The scheme for any mixture of labels; the code ``(B, K)`` holds them side by side, in the order of their names.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: NoSettings, problem: Problem) -> None:
        if not problem.labels:
            raise ConfigError(
                "conditioning 'concat' got data without labels and needs a class, multilabel or vector field; "
                "choose labelled data or --conditioning none"
            )
        self.labels = {name: problem.labels[name] for name in sorted(problem.labels)}
        self.width = sum(field.width for field in self.labels.values())

    def encoder(self) -> nn.Module:
        """``condition -> code_BK``, float32: one-hot classes, 0 or 1 a label of many, values as they are."""
        return _Encoder(self.labels)

    def block(self, spec: BlockSpec) -> nn.Module:
        """The block over ``[x, code]``."""
        return block(spec, labels=self.width)

    def head(self, features: int) -> nn.Module:
        """``Linear(features + K, 1)`` over ``[features, code]``, one logit ``(B,)`` a sample."""
        return _Head(features, self.width)


class _Encoder(nn.Module):
    def __init__(self, labels: Mapping[str, Field]) -> None:
        super().__init__()
        self.labels = labels

    def forward(self, condition: Condition) -> Tensor:
        return torch.cat([_encoded(field, condition[name]) for name, field in self.labels.items()], dim=1)


def _encoded(field: Field, values: Tensor) -> Tensor:
    return (F.one_hot(values, field.width) if field.kind == "class" else values).float()


class _Head(nn.Module):
    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features + labels, 1)

    def forward(self, features_BF: Tensor, code_BK: Tensor) -> Critique:
        return Critique((linear(features_BF, self.linear.weight, self.linear.bias, code_BK)[:, 0],))
