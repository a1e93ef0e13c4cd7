"""The critic's last layer: how it judges flat features, and what it asks of the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.interfaces import Critique
from genframe.shapes import Field, FieldKind
from genframe_kernels import initialise_weight, linear


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


class ProjectionHead(nn.Module):
    """``logit = w . features + b + embedding(code) . features``.

    Miyato and Koyama, "cGANs with projection discriminator", 2018, equation 3. The embedding is linear in the code: one
    row a class; those of several labels add up, values scale them.

    Args:
        features: how many a sample has.
        labels: how many numbers a code has.
        bias: whether there is a b.
    """

    def __init__(self, features: int, labels: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=bias)
        self.embedding = nn.Linear(labels, features, bias=False)
        self.labels = labels

    def reset_parameters(self) -> None:
        """An embedding of length one a class, on average, so that it neither drowns nor is drowned at first."""
        deviation = self.embedding.out_features**-0.5
        initialise_weight(self.embedding, lambda weight: nn.init.normal_(weight, std=deviation))

    def forward(self, features_BF: Tensor, code_BK: Tensor) -> Critique:
        """One logit a sample."""
        projected = (self.embedding(code_BK) * features_BF).sum(1)
        return Critique((self.linear(features_BF)[:, 0] + projected,))


class ClassifierHead(nn.Module):
    """One logit without the label, and a guess of each label beside it, whose error both sides minimise.

    Odena, Olah and Shlens, "Conditional image synthesis with auxiliary classifier GANs", 2017, section 3. Cross-entropy
    of a class, binary cross-entropy of each label of many, squared error of values.

    Args:
        features: how many a sample has.
        fields: the labels, in the order in which the code holds them.
        weight: of the error.
        bias: whether the logit has one.
    """

    def __init__(self, features: int, fields: Mapping[str, Field], weight: float, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=bias)
        self.fields = fields
        self.weight = weight
        self.labels = sum(field.width for field in fields.values())
        self.guess = nn.Linear(features, self.labels)

    def forward(self, features_BF: Tensor, code_BK: Tensor) -> Critique:
        """The guesses are ``aux``, by the label's name; their errors, float32, are ``losses``."""
        widths = [field.width for field in self.fields.values()]
        guesses = dict(zip(self.fields, torch.split(self.guess(features_BF).float(), widths, dim=1), strict=True))
        targets = dict(zip(self.fields, torch.split(code_BK, widths, dim=1), strict=True))
        errors = {
            f"{name}_error": self.weight * _ERRORS[field.kind](guesses[name], targets[name])
            for name, field in self.fields.items()
        }
        return Critique((self.linear(features_BF)[:, 0],), aux=guesses, losses=errors)


_ERRORS: Mapping[FieldKind, Callable[[Tensor, Tensor], Tensor]] = {
    "class": F.cross_entropy,
    "multilabel": F.binary_cross_entropy_with_logits,
    "vector": F.mse_loss,
}
