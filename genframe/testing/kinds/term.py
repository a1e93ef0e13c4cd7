"""Further terms of the generator's loss: scalars that the generator learns from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genframe.interfaces import Batch, Critique, Term
from genframe.testing.catalogue import Checks
from genframe.testing.problems import SmallCritic, case, condition_of, pictures_of
from genframe.testing.results import FaultError, SkippedError, Work, require
from genframe.testing.subject import Subject
from genframe.testing.tensors import keeps_its_state, no_values, require_tensor, same

CHECKS = Checks()

_COUNT = 6


def made(subject: Subject) -> Term:
    """A new one."""
    term: Term = subject.build()
    return term


class _Scene:
    """A batch of pictures with their class, outputs, and what a critic says of both."""

    def __init__(self) -> None:
        problem = case(3, 8, 6, "one class").problem
        condition = condition_of(problem.condition, _COUNT)
        critic = SmallCritic(problem)
        self.batch: Batch = {"image": pictures_of(problem, _COUNT), **condition}
        self.output = pictures_of(problem, _COUNT, seed=1).requires_grad_()
        self.real: Critique = critic(self.batch["image"], condition)
        self.fake: Critique = critic(self.output, condition)

    def value(self, term: Term) -> Tensor:
        """What the term says; a critique of real samples is there as in relativistic training."""
        try:
            return term(self.batch, self.output, self.real, self.fake)
        except KeyError as error:
            if error.args[0] in self.batch:
                raise
            fields = ", ".join(self.batch)
            raise SkippedError(f"it reads the field '{error.args[0]}', and the kit's batch has {fields}") from None

    def slope(self, value: Any) -> Tensor:
        """The gradient that reaches the output."""
        if not isinstance(value, Tensor) or not value.requires_grad:
            raise FaultError("the term has no graph to the output: nothing is learnt from it")
        (slope,) = torch.autograd.grad(value, self.output, allow_unused=True)
        if slope is None:
            raise FaultError("no gradient of the term reaches the output")
        return slope


def work(subject: Subject) -> Work:
    """The term and its gradient."""
    term = made(subject)

    def run() -> None:
        scene = _Scene()
        scene.slope(scene.value(term))

    return Work(run=run, count=1, unit="terms with gradients")


@CHECKS.add("scalar", "the term is a finite float32 scalar")
def scalar(subject: Subject) -> None:
    """And the same one the second time."""
    term, scene = made(subject), _Scene()
    value = require_tensor(scene.value(term), "the term", ())
    require(same(scene.value(term).detach(), value.detach()), "the same batch and output gave another value")


@CHECKS.add("gradients", "a finite gradient reaches the generator's output")
def gradients(subject: Subject) -> None:
    """And is not zero everywhere."""
    term, scene = made(subject), _Scene()
    slope = scene.slope(scene.value(term))
    require(torch.isfinite(slope).all(), "the gradient is not finite")
    require(slope.any(), "the gradient is zero everywhere")


@CHECKS.add("batch", "the batch and the output are left as they were")
def batch(subject: Subject) -> None:
    """Nothing is changed in place."""
    term, scene = made(subject), _Scene()
    before = {name: values.clone() for name, values in scene.batch.items()}
    output = scene.output.detach().clone()
    scene.value(term)
    changed = [name for name, values in before.items() if not same(scene.batch[name], values)]
    require(not changed, f"it changes {', '.join(changed)} of the batch in place")
    require(same(scene.output.detach(), output), "it changes the output in place")


@CHECKS.add("values", "no tensor's value is read, so that steps can be recorded")
def values(subject: Subject) -> None:
    """The term and its gradient."""
    term, scene = made(subject), _Scene()
    with no_values():
        scene.slope(scene.value(term))


@CHECKS.add("state", "numbers of its own are tensors, and another instance takes them back")
def state(subject: Subject) -> str:
    """As a checkpoint keeps them."""
    return keeps_its_state(lambda: made(subject), _Scene().value)
