"""The non-saturating loss of the first GAN paper (Goodfellow et al., 2014, section 3), in logits.

With D = sigmoid(logit), ``-log D = softplus(-logit)`` and ``-log(1 - D) = softplus(logit)``, without overflow.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from genframe.interfaces import Critique
from genframe.specs import NoSettings


class NonSaturating:
    """The critic minimises ``-log D(real) - log(1 - D(fake))``, the generator ``-log D(fake)``.

    Patches of a scale are averaged, then scales. Each loss is a scalar, float32 at least.
    """

    pairs = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar: 2 log 2 = 1.386 where the critic cannot tell real from fake."""
        return _called_real(real) + _called_fake(fake)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar: log 2 = 0.693 where the critic cannot tell real from fake."""
        return _called_real(fake)


def _called_real(critique: Critique) -> Tensor:
    return torch.stack([softplus(-_precise(logits)).mean() for logits in critique.logits]).mean()


def _called_fake(critique: Critique) -> Tensor:
    return torch.stack([softplus(_precise(logits)).mean() for logits in critique.logits]).mean()


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
