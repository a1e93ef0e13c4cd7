"""Penalties of the critic: finite scalars that the critic learns from, drawn from the given generator alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe.interfaces import Condition, Critique, Regularizer
from genframe.testing.catalogue import Checks
from genframe.testing.problems import SmallCritic, case, condition_of, pictures_of
from genframe.testing.results import FaultError, Work, require
from genframe.testing.subject import Subject
from genframe.testing.tensors import generator, keeps_its_state, no_values, require_tensor, same

CHECKS = Checks()

_COUNT = 6


def made(subject: Subject) -> Regularizer:
    """A new one."""
    regularizer: Regularizer = subject.build()
    return regularizer


class _Recorded(nn.Module):
    """A critic that remembers what conditions it was called with."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic
        self.seen: list[Condition] = []

    def forward(self, output: Tensor, condition: Condition) -> Critique:
        """What the critic says."""
        self.seen.append(condition)
        critique: Critique = self.critic(output, condition)
        return critique


class _Scene:
    """A critic, real and fake pictures, and their labels.

    Args:
        labels: one of `genframe.testing.problems.LABELS`; empty without.
        patches: whether the critic has a second scale.
    """

    def __init__(self, labels: str = "one class", patches: bool = False) -> None:
        problem = case(3, 8, 6, labels).problem
        self.critic: nn.Module = SmallCritic(problem, patches)
        self.real, self.fake = (pictures_of(problem, _COUNT, seed) for seed in (0, 1))
        self.condition: Condition = condition_of(problem.condition, _COUNT)

    def penalty(self, regularizer: Regularizer, seed: int = 0) -> Tensor:
        """What the regularizer says of it."""
        return regularizer(self.critic, self.real, self.fake, self.condition, generator(seed))

    def gradients(self, penalty: Tensor) -> list[Tensor | None]:
        """Of the critic's parameters."""
        if not isinstance(penalty, Tensor) or not penalty.requires_grad:
            raise FaultError("the penalty has no graph to the critic's parameters: nothing is learnt from it")
        return list(torch.autograd.grad(penalty, list(self.critic.parameters()), allow_unused=True))


def work(subject: Subject) -> Work:
    """The penalty and its gradient."""
    regularizer, scene = made(subject), _Scene()
    return Work(run=lambda: scene.gradients(scene.penalty(regularizer)), count=1, unit="penalties with gradients")


@CHECKS.add("scalar", "the penalty is a finite float32 scalar, also under bfloat16 autocast")
def scalar(subject: Subject) -> None:
    """A penalty in bfloat16 has 8 bits. Samples are float32 there, too: so an algorithm hands them on."""
    regularizer, scene = made(subject), _Scene()
    require_tensor(scene.penalty(regularizer), "the penalty", ())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        require_tensor(scene.penalty(regularizer), "the penalty under bfloat16 autocast", ())


@CHECKS.add("gradients", "finite gradients reach the critic's parameters, through a double backward where there is one")
def gradients(subject: Subject) -> str:
    """At least one of them is not zero."""
    regularizer, scene = made(subject), _Scene()
    found = [each for each in scene.gradients(scene.penalty(regularizer)) if each is not None]
    require(all(torch.isfinite(each).all() for each in found), "a gradient of the penalty is not finite")
    reached = sum(bool(each.any()) for each in found)
    require(reached, "the penalty's gradient is zero for every parameter of the critic")
    return f"{reached} of {len(list(scene.critic.parameters()))} parameters"


@CHECKS.add("seeds", "equal generators give equal penalties")
def seeds(subject: Subject) -> None:
    """Whatever was drawn before."""
    scene = _Scene()
    first = scene.penalty(made(subject)).detach()
    torch.manual_seed(7)
    require(same(scene.penalty(made(subject)).detach(), first), "the same generator gave another penalty")


@CHECKS.add("critic", "the critic and the samples are left as they were")
def critic(subject: Subject) -> None:
    """Its weights, its gradients, its mode, its hooks; the pictures' values and whether they want gradients."""
    regularizer, scene = made(subject), _Scene()
    real, fake = scene.real.clone(), scene.fake.clone()
    before = [weights.detach().clone() for weights in scene.critic.parameters()]
    scene.gradients(scene.penalty(regularizer))
    parameters = list(scene.critic.parameters())
    require(all(map(same, before, (p.detach() for p in parameters))), "it changes the critic's weights")
    require(all(p.grad is None for p in parameters), "it leaves gradients in the critic's weights: use autograd.grad")
    require(all(p.requires_grad for p in parameters), "it switches off gradients of the critic's weights")
    require(scene.critic.training, "it puts the critic into evaluation mode")
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in scene.critic.modules())
    require(not hooks, "it leaves hooks on the critic")
    unchanged = same(scene.real.detach(), real) and same(scene.fake.detach(), fake)
    require(unchanged, "it changes the samples in place")
    wanting = scene.real.requires_grad or scene.fake.requires_grad
    require(not wanting, "it makes the given samples want gradients: detach and copy them first")


@CHECKS.add("condition", "the critic is given the labels that the penalty is given, or none where there are none")
def condition(subject: Subject) -> str:
    """The very tensors, or rows of them."""
    regularizer, scene = made(subject), _Scene()
    scene.critic = recorded = _Recorded(scene.critic)
    scene.penalty(regularizer)
    for given in recorded.seen:
        wrong = [name for name in scene.condition if name not in given]
        require(not wrong, f"it calls the critic without {', '.join(wrong)}")
        if len(given["label"]) % _COUNT == 0:  # of a part of the batch, nobody knows which
            rows = given["label"].reshape(-1, _COUNT)
            expected = scene.condition["label"].expand_as(rows)
            require(torch.equal(rows, expected), "it calls the critic with other labels than it was given")
    plain = _Scene("")
    require_tensor(plain.penalty(regularizer), "the penalty without labels", ())
    return f"the critic is called {len(recorded.seen)} times"


@CHECKS.add("scales", "a critic of several scales and of patches is served")
def scales(subject: Subject) -> None:
    """One logit a sample, and 2x2 patches."""
    regularizer, scene = made(subject), _Scene(patches=True)
    penalty = require_tensor(scene.penalty(regularizer), "the penalty of a critic of two scales", ())
    found = [each for each in scene.gradients(penalty) if each is not None]
    require(all(torch.isfinite(each).all() for each in found), "a gradient is not finite for a critic of two scales")


@CHECKS.add("values", "no tensor's value is read, so that steps can be recorded")
def values(subject: Subject) -> None:
    """The penalty and its gradient."""
    regularizer, scene = made(subject), _Scene()
    with no_values():
        scene.gradients(scene.penalty(regularizer))


@CHECKS.add("state", "numbers of its own are tensors, and another instance takes them back")
def state(subject: Subject) -> str:
    """As a checkpoint keeps them."""
    return keeps_its_state(lambda: made(subject), _Scene().penalty)
