"""No conditioning: plain blocks, and a critic that ends in one linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from genframe.interfaces import BlockSpec, Condition, Critique
from genframe.shapes import Problem
from genframe.specs import NoSettings
from genframe_kernels import block


class Unconditional:
    """The scheme without labels; every code is ``None``."""

    def __init__(self, settings: NoSettings, problem: Problem) -> None:
        pass

    def encoder(self) -> nn.Module:
        """Ignores the condition."""
        return _NoCode()

    def block(self, spec: BlockSpec) -> nn.Module:
        """The plain block."""
        return block(spec)

    def head(self, features: int) -> nn.Module:
        """``Linear(features, 1)``, one logit ``(B,)`` a sample."""
        return _Head(features)


class _NoCode(nn.Module):
    def forward(self, condition: Condition) -> None:
        return None


class _Head(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features_BF: Tensor, code: None) -> Critique:
        return Critique((self.linear(features_BF)[:, 0],))
