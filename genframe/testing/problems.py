"""What parts are tried on: problems of several sizes and labels, batches for them, and a critic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genframe.interfaces import Condition, Critique
from genframe.shapes import Field, FieldKind, Problem
from genframe.testing.tensors import generator

#: One class; two fields of classes; several labels at once; numbers.
LABELS: Mapping[str, Mapping[str, Field]] = {
    "one class": {"label": Field(kind="class", classes=("a", "b", "c"))},
    "two classes": {
        "label": Field(kind="class", classes=("a", "b", "c")),
        "style": Field(kind="class", classes=("plain", "bold")),
    },
    "labels": {"tags": Field(kind="multilabel", shape=(4,), classes=("p", "q", "r", "s"))},
    "numbers": {"pose": Field(kind="vector", shape=(5,))},
}

_NOISE = (16,)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A problem and a name for it.

    Attributes:
        problem: pictures from noise.
        labels: one of `LABELS`; empty without.
    """

    problem: Problem
    labels: str = ""

    @property
    def name(self) -> str:
        """``3x32x24, one class``."""
        size = "x".join(map(str, self.problem.output.shape))
        return f"{size}, {self.labels or 'no labels'}"


def case(channels: int, height: int, width: int, labels: str = "") -> Case:
    """Pictures of this size from 16 numbers of noise and these labels."""
    output = Field(kind="image", shape=(channels, height, width))
    condition = LABELS[labels] if labels else {}
    return Case(problem=Problem(output=output, condition=condition, noise_shape=_NOISE), labels=labels)


#: What architectures are tried on.
CASES: tuple[Case, ...] = (
    case(1, 8, 8),
    *(case(1, 8, 8, labels) for labels in LABELS),
    case(1, 28, 28),
    case(3, 32, 32),
    case(3, 32, 24),
    case(3, 32, 24, "one class"),
)


def label_kinds(labels: str) -> frozenset[FieldKind]:
    """The kinds of field that these labels are."""
    return frozenset(field.kind for field in LABELS[labels].values()) if labels else frozenset()


def condition_of(fields: Mapping[str, Field], count: int, shift: int = 0) -> Condition:
    """`count` conditions; those of another `shift` differ in every row."""
    return {name: _labels(field, count, shift) for name, field in fields.items()}


def noise_of(problem: Problem, count: int, seed: int = 0) -> Tensor:
    """Normal noise ``(count, *noise_shape)``."""
    assert problem.noise_shape is not None
    return torch.randn(count, *problem.noise_shape, generator=generator(seed))


def pictures_of(problem: Problem, count: int, seed: int = 0) -> Tensor:
    """Random pictures in [-1, 1], in the layout that training has."""
    pictures = torch.rand(count, *problem.output.shape, generator=generator(seed)) * 2.0 - 1.0
    return pictures.contiguous(memory_format=torch.channels_last)


def _labels(field: Field, count: int, shift: int) -> Tensor:
    places = torch.arange(count) + shift
    if field.kind == "class":
        return places % len(field.classes)
    if field.kind == "multilabel":
        return ((places[:, None] >> torch.arange(field.width)) % 2).float()
    return torch.randn(count, *field.shape, generator=generator(shift))


class SmallCritic(nn.Module):
    """A critic without BatchNorm that looks at its condition: a hidden layer of 8, smooth, and one logit.

    Args:
        problem: whose outputs it judges.
        patches: whether it has a second scale, of 2x2 patches.
    """

    def __init__(self, problem: Problem, patches: bool = False) -> None:
        super().__init__()
        self.patches = patches
        self.fields = dict(problem.labels)
        inputs = problem.output.width + sum(field.width for field in self.fields.values())
        self.hidden = nn.Parameter(torch.randn(8, inputs, generator=generator(0)) * 0.3)
        self.last = nn.Parameter(torch.randn(5 if patches else 1, 8, generator=generator(1)) * 0.3)

    def forward(self, output: Tensor, condition: Condition) -> Critique:
        """One logit a sample, and one a patch."""
        columns = [output.flatten(1)]
        for name, field in self.fields.items():
            values = condition[name]
            is_class = field.kind == "class"
            rows = (values[:, None] == torch.arange(field.width)).float() if is_class else values.flatten(1)
            columns.append(rows)
        hidden = nn.functional.softplus(nn.functional.linear(torch.cat(columns, dim=1), self.hidden))
        logits = nn.functional.linear(hidden, self.last)
        scalar_B = logits[:, 0]
        return Critique((scalar_B, logits[:, 1:].view(-1, 1, 2, 2)) if self.patches else (scalar_B,))
