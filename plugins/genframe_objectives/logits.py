"""How a loss of single logits becomes one of a critique: patches of a scale are averaged, then scales."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genframe.interfaces import Critique


def mean(loss: Callable[..., Tensor], *critiques: Critique) -> Tensor:
    """A scalar, float32 at least.

    Args:
        loss: of logits, element by element; takes one tensor a critique.
        critiques: of the same scales and shapes.
    """
    scales = zip(*(critique.logits for critique in critiques), strict=True)
    return torch.stack([loss(*map(_precise, logits)).mean() for logits in scales]).mean()


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
