"""Conditioning schemes: how labels enter the networks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.shapes import FieldKind
from genframe.specs import ConditioningSpec

#: How labels come into a block: as further inputs, or by its BatchNorm's gain and shift.
Way = Literal["concat", "batch-norm"]

_LABELS: frozenset[FieldKind] = frozenset({"class", "multilabel", "vector"})


@dataclass(frozen=True, kw_only=True)
class ConcatSettings:
    """Where the label joins.

    Attributes:
        layers: ``every`` layer of both networks, or only the ``entry`` that the architecture has for labels.
    """

    layers: Literal["every", "entry"] = "every"


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings:
    """The embedding, and where it joins.

    Attributes:
        dim: how many numbers a label becomes.
        layers: ``every`` layer of both networks, or only the ``entry`` that the architecture has for labels.

    Raises:
        ConfigError: fewer than one number.
    """

    dim: int = 32
    layers: Literal["every", "entry"] = "every"

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ConfigError(f"conditioning 'embedding' got dim = {self.dim} and needs at least 1; the default is 32")


@dataclass(frozen=True, kw_only=True)
class ProjectionSettings:
    """How labels come into the generator; into the critic by projection.

    Attributes:
        generator: ``concat``, as inputs of every layer; ``batch-norm``, by the gain and shift of each BatchNorm, as the
            paper has it: with the small networks here it takes many more steps until labels are heeded.
    """

    generator: Way = "concat"


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """How labels come into the generator, and how much the critic's guesses of them count.

    Attributes:
        generator: ``concat``, as inputs of every layer; ``batch-norm``, by the gain and shift of each BatchNorm.
        weight: of the guesses' error in both networks' losses.

    Raises:
        ConfigError: a weight that is not above 0.
    """

    generator: Way = "concat"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ConfigError(
                f"conditioning 'auxiliary-classifier' got weight = {self.weight}, and labels steer nothing without "
                "one above 0; the default is 1"
            )


@dataclass(frozen=True, kw_only=True)
class HiddenSettings:
    """The label's own hidden layer in each network; Mirza and Osindero's (2014) sizes are the defaults.

    Attributes:
        generator_units: of the generator's, with ReLU.
        critic_units: of the critic's, with maxout.
        critic_pieces: of that maxout.
        dropout: the share of units that training sets to zero.

    Raises:
        ConfigError: fewer than one unit or piece; a share that is not below 1.
    """

    generator_units: int = 1000
    critic_units: int = 50
    critic_pieces: int = 5
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("generator_units", "critic_units", "critic_pieces"):
            if getattr(self, name) < 1:
                raise ConfigError(f"conditioning 'hidden' got {name} = {getattr(self, name)} and needs at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"conditioning 'hidden' got dropout = {self.dropout}, which is a share in [0, 1)")


@genframe.hookimpl
def genframe_conditionings() -> Iterable[ConditioningSpec]:
    """No labels; labels as inputs; labels in BatchNorm; labels in the critic's last layer."""
    yield ConditioningSpec(
        name="none",
        summary="No labels: unconditional generation",
        factory="genframe_conditioning.none:Unconditional",
    )
    yield ConditioningSpec(
        name="concat",
        summary="The label joins the input of the layers of both networks",
        factory="genframe_conditioning.concat:Concatenation",
        settings=ConcatSettings,
        carries=_LABELS,
    )
    yield ConditioningSpec(
        name="embedding",
        summary="A learnt embedding of the label joins the input of the layers of both networks",
        factory="genframe_conditioning.concat:Embedding",
        settings=EmbeddingSettings,
        carries=_LABELS,
    )
    yield ConditioningSpec(
        name="hidden",
        summary="The label passes a hidden layer of its own and joins at the entry of both networks",
        factory="genframe_conditioning.hidden:HiddenLabel",
        settings=HiddenSettings,
        carries=_LABELS,
    )
    yield ConditioningSpec(
        name="conditional-batch-norm",
        summary="The label sets the generator's BatchNorm and joins the input of the critic's layers",
        factory="genframe_conditioning.batch_norm:ConditionalBatchNorm",
        carries=_LABELS,
    )
    yield ConditioningSpec(
        name="projection",
        summary="The critic's logit projects its features on the label (Miyato and Koyama 2018)",
        factory="genframe_conditioning.projection:Projection",
        settings=ProjectionSettings,
        carries=_LABELS,
    )
    yield ConditioningSpec(
        name="auxiliary-classifier",
        summary="The critic guesses the label, and both networks learn from the error (Odena et al. 2017)",
        factory="genframe_conditioning.projection:AuxiliaryClassifier",
        settings=ClassifierSettings,
        carries=_LABELS,
    )
