"""Gradients with another rule at rectifiers: how deconvolution and guided backpropagation look into a network.

Going down through a network, a convolution's gradient is the transposed convolution with the same filters, and a max
pooling's gradient puts the signal back where the largest number was (its switches). So Zeiler and Fergus's deconvnet
("Visualizing and understanding convolutional networks", 2014) is the gradient but for the rectifiers, at which it
keeps what is positive of the *signal*; and guided backpropagation (Springenberg et al., "Striving for simplicity",
2015) keeps what is positive of it where the *input* was positive, too. BatchNorm by running statistics is a fixed
affine map, whose gradient is its scale. A leaky rectifier is taken for a plain one on the way down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from genframe.interfaces import Condition
from genframe_kernels import use_backend

Rule = Literal["gradient", "deconvnet", "guided"]

_PLAIN = frozenset({torch.relu, torch.relu_, F.relu, Tensor.relu, Tensor.relu_})
_LEAKY = frozenset({F.leaky_relu, F.leaky_relu_})
_DEFAULT_SLOPE = 0.01


@contextmanager
def rectifiers(rule: Rule) -> Iterator[None]:
    """Whatever runs inside and is differentiated, inside or later, has this rule at its rectifiers."""
    with use_backend("torch"), _Rectifying(rule):
        yield


def response_gradient(
    network: Callable[[Tensor, Condition], Any],
    layer: torch.nn.Module,
    images_BCHW: Tensor,
    condition: Condition,
    signal: Callable[[Tensor], Tensor],
    rule: Rule,
) -> Tensor:
    """What a signal at a layer's output is at the pictures, ``(B, C, H, W)``.

    Args:
        network: called with the pictures and the condition.
        layer: of the network.
        images_BCHW: float; the network is asked for each as it is.
        condition: theirs.
        signal: from the layer's output to what is sent down, of the same shape.
        rule: at rectifiers.
    """
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        with torch.enable_grad(), rectifiers(rule):
            images = images_BCHW.detach().clone().requires_grad_()
            network(images, condition)
            (output,) = outputs
            (gradient,) = torch.autograd.grad(output, images, signal(output.detach()))
    finally:
        handle.remove()
    return gradient


class _Rectifying(TorchFunctionMode):
    """Replaces rectifiers, in whatever way torch is asked for one."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self._rule = rule

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _PLAIN:
            return _Rectifier.apply(args[0], 0.0, self._rule)  # type: ignore[no-untyped-call]
        if func in _LEAKY:
            slope = args[1] if len(args) > 1 else kwargs.get("negative_slope", _DEFAULT_SLOPE)
            return _Rectifier.apply(args[0], slope, self._rule)  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)


class _Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, rule: Rule) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope, ctx.rule = slope, rule
        return torch.where(x > 0, x, slope * x)

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        if ctx.rule == "gradient":
            return torch.where(x > 0, signal, ctx.slope * signal), None, None
        kept = signal.clamp(min=0.0)
        return (kept if ctx.rule == "deconvnet" else kept * (x > 0)), None, None
