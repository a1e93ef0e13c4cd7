"""What data looks like, before any tensor exists: fields of a dataset, and the problem made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FieldKind = Literal["image", "frames", "points", "class", "multilabel", "vector"]

#: Kinds that say something *about* a sample; a conditioning scheme brings them into the networks.
LABEL_KINDS: frozenset[FieldKind] = frozenset({"class", "multilabel", "vector"})

#: Kinds that hold pixels: ``uint8`` in a dataset, float in [-1, 1] in a network.
PIXEL_KINDS: frozenset[FieldKind] = frozenset({"image", "frames"})

_AXES: Mapping[FieldKind, str] = {
    "image": "CHW",
    "frames": "TCHW",
    "points": "D",
    "class": "",
    "multilabel": "K",
    "vector": "D",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One named tensor of a dataset, described for a single sample.

    Attributes:
        kind: what the numbers mean. Its axes: image CHW, frames TCHW, points D, class none, multilabel K, vector D.
        shape: the size of each axis, without the batch axis. Of a class field, ``()``.
        classes: the names of the classes (kind ``class``) or of the labels (kind ``multilabel``), in index order.
    """

    kind: FieldKind
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _AXES:
            raise ValueError(f"a field's kind is one of {', '.join(_AXES)}; got {self.kind!r}")
        axes = _AXES[self.kind]
        if len(self.shape) != len(axes) or any(size < 1 for size in self.shape):
            raise ValueError(f"a field of kind {self.kind!r} has the axes {axes or '(none)'}; got shape {self.shape}")
        if self.kind == "class" and not self.classes:
            raise ValueError("a class field names its classes")
        if self.kind == "multilabel" and len(self.classes) != self.shape[0]:
            raise ValueError(f"a multilabel field names each of its {self.shape[0]} labels; got {len(self.classes)}")

    @property
    def width(self) -> int:
        """How many numbers encode the field as a vector: one a class, one a label, one a value."""
        if self.kind == "class":
            return len(self.classes)
        size = 1
        for axis in self.shape:
            size *= axis
        return size


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is to be generated, from what.

    Attributes:
        output: the field that the generator makes.
        condition: the fields that it is given, by name; empty for unconditional generation.
        noise_shape: the shape of one noise sample, or ``None`` where the generator takes no noise.
    """

    output: Field
    condition: Mapping[str, Field] = field(default_factory=dict)
    noise_shape: tuple[int, ...] | None = None

    @property
    def labels(self) -> Mapping[str, Field]:
        """The part of the condition that a conditioning scheme carries."""
        return {name: f for name, f in self.condition.items() if f.kind in LABEL_KINDS}
