"""No conditioning: plain blocks, and a critic that ends in one linear layer."""

from __future__ import annotations

from torch import nn

from genframe.interfaces import BlockSpec, Condition
from genframe.shapes import Problem
from genframe.specs import NoSettings
from genframe_conditioning.heads import Head
from genframe_kernels import block


class Unconditional:
    """The scheme without labels; every code is ``None``."""

    def __init__(self, settings: NoSettings, problem: Problem) -> None:
        pass

    def encoder(self, role: str) -> nn.Module:
        """Ignores the condition."""
        return _NoCode()

    def block(self, spec: BlockSpec) -> nn.Module:
        """The plain block."""
        return block(spec)

    def head(self, features: int, *, bias: bool = True) -> nn.Module:
        """``Linear(features, 1)``, one logit ``(B,)`` a sample."""
        return Head(features, 0, bias)


class _NoCode(nn.Module):
    def forward(self, condition: Condition) -> None:
        return None
