"""What the schemes that carry labels share."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from genframe.errors import ConfigError
from genframe.shapes import Problem
from genframe_conditioning.blocks import ConditionalNormBlock
from genframe_conditioning.heads import ClassifierHead, Head, ProjectionHead
from genframe_conditioning.labels import LabelEmbedding, LabelRow
from genframe_kernels import Block


class LabelScheme:
    """A scheme for any mixture of labels.

    Args:
        name: of the scheme, for messages.
        problem: whose labels it carries.
        remedy: what to do about a network in which it finds no place for them.

    Raises:
        ConfigError: the problem has no labels.
    """

    def __init__(self, name: str, problem: Problem, remedy: str) -> None:
        self._name = name
        self._problem = problem
        self._remedy = remedy
        self.width = self._row().width

    def encoder(self, role: str) -> nn.Module:
        """``condition -> code_BK``; see `LabelRow`."""
        return self._row()

    def complete(self, networks: Mapping[str, nn.Module]) -> None:
        """The initial weights of the scheme's own layers.

        Raises:
            ConfigError: a network asks for labels and has no place for them.
        """
        for role, network in networks.items():
            modules = list(network.modules())
            for module in modules:
                if isinstance(module, ConditionalNormBlock | LabelEmbedding | ProjectionHead):
                    module.reset_parameters()
            asks = any(isinstance(module, LabelRow) for module in modules)
            if asks and not any(map(_takes_labels, modules)):
                raise ConfigError(
                    f"conditioning '{self._name}' finds no place for labels in the {role} of this architecture: "
                    f"{self._remedy}"
                )

    def _row(self) -> LabelRow:
        return LabelRow(self._name, self._problem)


def _takes_labels(module: nn.Module) -> bool:
    kinds = Block | ConditionalNormBlock | Head | ProjectionHead | ClassifierHead
    return isinstance(module, kinds) and module.labels > 0
