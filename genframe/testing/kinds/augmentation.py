"""Augmentations: differentiable, each sample for itself, drawn from the given generator alone."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.interfaces import Augmentation
from genframe.testing.catalogue import Checks
from genframe.testing.problems import case, pictures_of
from genframe.testing.results import FaultError, Work, require
from genframe.testing.subject import Subject
from genframe.testing.tensors import generator, keeps_its_state, no_values, require_tensor, same

CHECKS = Checks()

_SIZES = ((1, 8, 8), (3, 32, 32), (3, 32, 24), (4, 9, 16))
_COUNT = 6
_TRIES = 4


def made(subject: Subject) -> Augmentation:
    """A new one."""
    augmentation: Augmentation = subject.build()
    return augmentation


def work(subject: Subject) -> Work:
    """Pictures of 32x32 and the gradient of theirs."""
    augmentation, count = made(subject), 64
    pictures = _pictures((3, 32, 32), count)

    def run() -> None:
        _slope(augmentation(pictures.requires_grad_(), generator()), pictures)

    return Work(run=run, count=count, unit="pictures of 32x32 with gradients")


@CHECKS.add("shape", "shape and type stay, and the given samples are not changed")
def shape(subject: Subject) -> None:
    """Grey and coloured, square and not, one sample and several."""
    augmentation = made(subject)
    for size in _SIZES:
        for count in (_COUNT, 1):
            pictures = _pictures(size, count)
            given = pictures.clone()
            name = f"augmented pictures of {'x'.join(map(str, size))}"
            require_tensor(augmentation(pictures, generator()), name, (count, *size))
            require(same(pictures, given), f"{name}: the given ones are changed in place")


@CHECKS.add("gradients", "finite gradients reach the samples")
def gradients(subject: Subject) -> None:
    """Of some seed at least: a cut-out may take a whole picture away."""
    augmentation, found = made(subject), False
    for seed in range(_TRIES):
        pictures = _pictures((3, 16, 12), _COUNT).requires_grad_()
        slope = _slope(augmentation(pictures, generator(seed)), pictures)
        require(torch.isfinite(slope).all(), "a gradient is not finite")
        found = found or bool(slope.any())
    require(found, "the gradient is zero everywhere: the generator learns nothing through it")


@CHECKS.add("seeds", "equal generators give equal changes")
def seeds(subject: Subject) -> None:
    """Whatever was drawn before."""
    pictures = _pictures((3, 16, 12), _COUNT)
    first = made(subject)(pictures, generator())
    torch.manual_seed(7)
    require(same(made(subject)(pictures, generator()), first), "the same generator changed the samples otherwise")


@CHECKS.add("independence", "what becomes of a sample does not depend on the others in the batch")
def independence(subject: Subject) -> None:
    """The last sample is another one, the others stay what they are."""
    augmentation = made(subject)
    for seed in range(_TRIES):
        pictures = _pictures((3, 16, 12), _COUNT)
        others = torch.cat([pictures[:-1], -pictures[-1:]])
        first, second = (augmentation(given, generator(seed))[:-1] for given in (pictures, others))
        near = torch.allclose(first, second, rtol=1e-5, atol=1e-6)
        require(near, "a sample becomes another one where a different one stands beside it")


@CHECKS.add("values", "no tensor's value is read, so that steps can be recorded")
def values(subject: Subject) -> None:
    """The change and its gradient."""
    augmentation = made(subject)
    pictures = _pictures((3, 16, 12), _COUNT).requires_grad_()
    with no_values():
        _slope(augmentation(pictures, generator()), pictures)


@CHECKS.add("state", "numbers of its own are tensors, and another instance takes them back")
def state(subject: Subject) -> str:
    """As a checkpoint keeps them."""
    pictures = _pictures((3, 16, 12), _COUNT)
    return keeps_its_state(lambda: made(subject), lambda augmentation: augmentation(pictures, generator()))


def _pictures(size: tuple[int, int, int], count: int) -> Tensor:
    return pictures_of(case(*size).problem, count)


def _slope(augmented: Tensor, pictures: Tensor) -> Tensor:
    if not augmented.requires_grad:
        raise FaultError("no gradient reaches the samples: the change is not differentiable")
    weights = torch.randn(augmented.shape, generator=generator(9))
    (slope,) = torch.autograd.grad((augmented * weights).sum(), pictures, allow_unused=True)
    if slope is None:
        raise FaultError("no gradient reaches the samples: the change is not differentiable")
    return slope
