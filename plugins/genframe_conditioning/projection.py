"""A critic that sees labels in its last layer alone: by projection, or as an auxiliary classifier."""

from __future__ import annotations

from torch import nn

from genframe.interfaces import BlockSpec
from genframe.shapes import Problem
from genframe_conditioning import ClassifierSettings, ProjectionSettings, Way
from genframe_conditioning.blocks import Unlabelled, labelled_block
from genframe_conditioning.heads import ClassifierHead, ProjectionHead
from genframe_conditioning.scheme import LabelScheme
from genframe_kernels import block


class _LabelsInTheHead(LabelScheme):
    def __init__(self, name: str, problem: Problem, way: Way) -> None:
        super().__init__(name, problem, "it has no BatchNorm, so take --set conditioning.generator=concat")
        self._way = way

    def block(self, spec: BlockSpec) -> nn.Module:
        """The critic's plain, the others' with labels."""
        return Unlabelled(block(spec)) if spec.role == "critic" else labelled_block(spec, self._way, self.width)


class Projection(_LabelsInTheHead):
    """The critic's logit has the inner product of its features and an embedding of the label; see `ProjectionHead`.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: ProjectionSettings, problem: Problem) -> None:
        super().__init__("projection", problem, settings.generator)

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """One logit ``(B,)`` a sample."""
        return ProjectionHead(features, self.width, bias)


class AuxiliaryClassifier(_LabelsInTheHead):
    """The critic does not see labels, it guesses them; see `ClassifierHead`.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, settings: ClassifierSettings, problem: Problem) -> None:
        super().__init__("auxiliary-classifier", problem, settings.generator)
        self._weight = settings.weight

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """One logit ``(B,)`` a sample, the guesses and their errors."""
        return ClassifierHead(features, self._row().fields, self._weight, bias)
