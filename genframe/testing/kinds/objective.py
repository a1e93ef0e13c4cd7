"""Adversarial objectives: scalars that push the right way, whatever the logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genframe.interfaces import Critique, Objective
from genframe.testing.catalogue import Checks
from genframe.testing.results import Work, require
from genframe.testing.subject import Subject
from genframe.testing.tensors import generator, keeps_its_state, no_values, require_tensor

CHECKS = Checks()

#: A scalar critic; patches; both at once.
_SCALES: tuple[tuple[tuple[int, ...], ...], ...] = (((6,),), ((6, 1, 3, 5),), ((6,), (6, 1, 4, 4), (6, 1, 2, 3)))
_EXTREME = 1e4


def made(subject: Subject) -> Objective:
    """A new one."""
    objective: Objective = subject.build()
    return objective


def work(subject: Subject) -> Work:
    """Both sides and their gradients."""
    objective = made(subject)

    def run() -> None:
        real, fake = _random(((64,),), 0), _random(((64,),), 1)
        for _, loss in _sides(objective, real, fake):
            torch.autograd.grad(loss, [*real, *fake], allow_unused=True)

    return Work(run=run, count=1, unit="updates of both sides")


@CHECKS.add("scalars", "both sides are float32 scalars, also of bfloat16 logits")
def scalars(subject: Subject) -> None:
    """Float32 at least: a loss in bfloat16 has 8 bits."""
    objective = made(subject)
    for dtype in (torch.float32, torch.bfloat16):
        real, fake = ([logits.detach().to(dtype) for logits in _random(((6,),), seed)] for seed in (0, 1))
        for side, loss in _sides(objective, real, fake):
            require_tensor(loss, f"the {side}'s loss of {dtype} logits", ())


@CHECKS.add("extremes", "logits of 10,000 in size, right or wrong, have finite losses and gradients")
def extremes(subject: Subject) -> None:
    """In float32 and bfloat16."""
    objective = made(subject)
    for dtype in (torch.float32, torch.bfloat16):
        for real_sign, fake_sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            real, fake = (
                [torch.full((4,), sign * _EXTREME, dtype=dtype, requires_grad=True)] for sign in (real_sign, fake_sign)
            )
            said = f"for real logits of {real_sign * _EXTREME:g} and fake ones of {fake_sign * _EXTREME:g} in {dtype}"
            for side, loss in _sides(objective, real, fake):
                require(torch.isfinite(loss).all(), f"the {side}'s loss is {loss.item()} {said}")
                slopes = torch.autograd.grad(loss, [*real, *fake], allow_unused=True)
                finite = all(torch.isfinite(slope).all() for slope in slopes if slope is not None)
                require(finite, f"the {side}'s gradient is not finite {said}")


@CHECKS.add("direction", "the generator's step raises fake logits, the critic's raises real above fake")
def direction(subject: Subject) -> None:
    """The critic's where it has no opinion, the generator's where the critic is a little right."""
    objective = made(subject)
    real, fake = _level(0.0), _level(0.0)
    slope_real, slope_fake = _slopes(_critic_loss(objective, real, fake), real, fake)
    require(slope_fake > slope_real, "a step of the critic does not raise its logits of real samples above fake ones")
    real, fake = _level(0.25), _level(-0.25)
    _, slope_fake = _slopes(_generator_loss(objective, real, fake), real, fake)
    require(slope_fake < 0, "a step of the generator does not raise the logits of its samples")


@CHECKS.add("scales", "critics of one logit, of patches and of several scales are served")
def scales(subject: Subject) -> None:
    """Gradients reach every scale."""
    objective = made(subject)
    for shapes in _SCALES:
        real, fake = _random(shapes, 0), _random(shapes, 1)
        said = f"with logits of the shapes {', '.join(map(str, shapes))}"
        critic = require_tensor(_critic_loss(objective, real, fake), f"the critic's loss {said}", ())
        require(_reaches(critic, [*real, *fake]), f"the critic's loss leaves out a scale {said}")
        generator_loss = require_tensor(_generator_loss(objective, real, fake), f"the generator's loss {said}", ())
        require(_reaches(generator_loss, fake), f"the generator's loss leaves out a scale {said}")


@CHECKS.add("pairs", "pairs says whether the generator's side looks at real samples")
def pairs(subject: Subject) -> str:
    """Where it is false, there is no critique of real samples, and none is missed."""
    objective = made(subject)
    require(isinstance(objective.pairs, bool), f"pairs is True or False; it is {objective.pairs!r}")
    fake = _random(((6,),), 1)
    if not objective.pairs:
        require_tensor(objective.generator(None, Critique(tuple(fake))), "the generator's loss", ())
        return "the generator's side looks at fake samples alone"
    losses = [_generator_loss(objective, _random(((6,),), seed), fake).detach() for seed in (0, 2)]
    require(not torch.equal(*losses), "pairs is true, and the generator's side does not depend on real samples")
    return "the generator's side looks at real samples, too"


@CHECKS.add("values", "no tensor's value is read, so that steps can be recorded")
def values(subject: Subject) -> None:
    """Both sides and their gradients."""
    objective = made(subject)
    real, fake = _random(((6,),), 0), _random(((6,),), 1)
    with no_values():
        for _, loss in _sides(objective, real, fake):
            torch.autograd.grad(loss, [*real, *fake], allow_unused=True)


@CHECKS.add("state", "numbers of its own are tensors, and another instance takes them back")
def state(subject: Subject) -> str:
    """As a checkpoint keeps them."""
    real, fake = _random(((6,),), 0), _random(((6,),), 1)
    return keeps_its_state(lambda: made(subject), lambda objective: _sides(objective, real, fake))


def _random(shapes: Sequence[tuple[int, ...]], seed: int) -> list[Tensor]:
    rng = generator(seed)
    return [torch.randn(shape, generator=rng).requires_grad_() for shape in shapes]


def _level(value: float) -> list[Tensor]:
    return [torch.full((4,), value, requires_grad=True)]


def _critic_loss(objective: Objective, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    return objective.critic(Critique(tuple(real)), Critique(tuple(fake)))


def _generator_loss(objective: Objective, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    seen = Critique(tuple(logits.detach() for logits in real)) if objective.pairs else None
    return objective.generator(seen, Critique(tuple(fake)))


def _sides(objective: Objective, real: Sequence[Tensor], fake: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return [
        ("critic", _critic_loss(objective, real, fake)),
        ("generator", _generator_loss(objective, real, fake)),
    ]


def _slopes(loss: Tensor, *logits: Sequence[Tensor]) -> list[float]:
    """The sum of the gradient at each side; 0 where the loss does not depend on it."""
    slopes = torch.autograd.grad(loss, [each for side in logits for each in side], allow_unused=True)
    return [0.0 if slope is None else float(slope.sum()) for slope in slopes]


def _reaches(loss: Tensor, logits: Sequence[Tensor]) -> bool:
    slopes = torch.autograd.grad(loss, list(logits), allow_unused=True, retain_graph=True)
    return all(slope is not None and bool(slope.any()) for slope in slopes)
