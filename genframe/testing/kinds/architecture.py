"""Architectures: networks for problems of many sizes and labels, that train, are saved, and come back.

A generator is called ``generator(noise, condition)`` and a critic ``critic(output, condition)``. What networks of
other roles are called with, their algorithm alone knows: of these the kit looks at weights and states.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from genframe.assembly import Assembly, assemble
from genframe.build import build_part
from genframe.errors import ConfigError, PluginError
from genframe.interfaces import Architecture, Completing, Condition, Critique
from genframe.registry import Registered
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice
from genframe.testing.catalogue import Checks
from genframe.testing.problems import CASES, Case, condition_of, noise_of, pictures_of
from genframe.testing.results import FaultError, SkippedError, Work, require
from genframe.testing.runs import LABELLED, UNLABELLED, stream_of, trial
from genframe.testing.subject import Subject, first_of
from genframe.testing.tensors import require_tensor, same, stored

CHECKS = Checks()

_COUNT = 4
_KNOWN = ("generator", "critic")


@dataclass(frozen=True, kw_only=True)
class Built:
    """The networks of a problem, and inputs for them.

    Attributes:
        case: the problem.
        networks: by role, in the layout that training has.
        noise, condition, pictures: of a batch.
    """

    case: Case
    networks: Mapping[str, nn.Module]
    noise: Tensor
    condition: Condition
    pictures: Tensor

    def output(self, role: str) -> Tensor:
        """What a generator makes, or the logits of a critic side by side."""
        if role == "generator":
            generated: Tensor = self.networks[role](self.noise, self.condition)
            return generated
        return _joined(self.networks[role](self.pictures, self.condition))

    def known(self) -> list[str]:
        """The roles whose inputs the kit knows."""
        return [role for role in _KNOWN if role in self.networks]


def made(subject: Subject) -> Architecture:
    """A new one."""
    architecture: Architecture = subject.build()
    return architecture


def work(subject: Subject) -> Work:
    """A forward and a backward pass of each network, or a step of an algorithm that knows how to call them."""
    built = _built(made(subject), subject, _some(subject)[0].case)
    counts = [
        f"{role}: {sum(p.numel() for p in net.parameters()):,} parameters" for role, net in built.networks.items()
    ]
    note = f"at {built.case.name}; {', '.join(counts)}"
    if not built.known():
        assembly = _assembled(subject)
        batch = next(stream_of(assembly))
        step = partial(assembly.trainer.step, 0, batch)
        return Work(run=step, count=assembly.batch_size, unit="samples of a training step", note=note, draws=True)

    def run() -> None:
        for role in built.known():
            built.output(role).sum().backward()  # type: ignore[no-untyped-call]

    return Work(run=run, count=_COUNT, unit="samples forward and backward", note=note, draws=True)


@CHECKS.add("problems", "networks are built for a problem, or it is refused by a ConfigError in a sentence")
def problems(subject: Subject) -> str:
    """Sizes from 8x8, square and not, grey and coloured, with and without labels; with all the roles of the spec."""
    spec = subject.spec
    assert isinstance(spec, ArchitectureSpec)
    served, refusals = _served(subject)
    for built in served:
        missing = sorted(spec.roles - built.networks.keys())
        require(not missing, f"it builds no {', '.join(missing)} for {built.case.name}, which its spec names")
        others = [role for role, network in built.networks.items() if not isinstance(network, nn.Module)]
        require(not others, f"what it builds as {', '.join(others)} is no torch.nn.Module")
    for name, sentence in refusals.items():
        require(len(sentence.split()) > 3, f"it refuses {name} without a sentence: {sentence!r}")
    said = f"builds {len(_some(subject))} of {len(served) + len(refusals)}"
    return f"{said}; refuses {', '.join(refusals)}" if refusals else said


@CHECKS.add("outputs", "samples are float32 in [-1, 1] of the problem's shape, and a critic gives a Critique")
def outputs(subject: Subject) -> None:
    """In training and in evaluation. Networks of other roles are tried by an algorithm that knows how to call them."""
    if not _some(subject)[0].known():
        assembly = _stepped(subject)
        drawn = assembly.view(1).samples(_COUNT).output
        _require_in_range(require_tensor(drawn, "a batch of samples", (_COUNT, *assembly.problem.output.shape)), "")
        return
    for built in _with(subject, *_KNOWN):
        for mode in (True, False):
            for network in built.networks.values():
                network.train(mode)
            for role in built.known():
                (_require_samples if role == "generator" else _require_critique)(built)


@CHECKS.add("autocast", "under bfloat16 autocast the outputs stay finite and keep their shape")
def autocast(subject: Subject) -> None:
    """As on a GPU."""
    for built in _with(subject, *_KNOWN):
        for role in built.known():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                mixed = built.output(role)
            shape = tuple(built.output(role).shape)
            require_tensor(mixed.float(), f"the {role}'s output under autocast, {built.case.name},", shape)


@CHECKS.add("gradients", "finite gradients reach every parameter")
def gradients(subject: Subject) -> str:
    """From the generator's samples and the critic's logits and losses; of other roles in an algorithm's step."""
    if not _some(subject)[0].known():
        return _reached_by(_stepped(subject))
    reached = 0
    for built in _with(subject, *_KNOWN):
        for role in built.known():
            named = [(name, p) for name, p in built.networks[role].named_parameters() if p.requires_grad]
            loss = _loss(built, role)
            require(loss.requires_grad, f"no gradient reaches the {role} of {built.case.name}")
            slopes = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
            unreached = [name for (name, _), slope in zip(named, slopes, strict=True) if slope is None]
            said = f"the {role} of {built.case.name}"
            require(not unreached, f"no gradient reaches {', '.join(unreached)} of {said}")
            finite = all(bool(torch.isfinite(slope).all()) for slope in slopes if slope is not None)
            require(finite, f"a gradient of {said} is not finite")
            reached += len(named)
    return f"{reached} parameters"


@CHECKS.add("double-backward", "a penalty of the critic's gradient at its input has a gradient of its own")
def double_backward(subject: Subject) -> None:
    """What gradient penalties need."""
    for built in _with(subject, "critic"):
        critic = built.networks["critic"].train()
        pictures = built.pictures.clone().requires_grad_()
        logits = _joined(critic(pictures, built.condition))
        (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True, allow_unused=True)
        said = f"of the critic of {built.case.name}"
        if slope is None:
            raise FaultError(f"the logits {said} do not depend on its input")
        parameters = [p for p in critic.parameters() if p.requires_grad]
        penalty = slope.square().sum()
        require(penalty.requires_grad, f"the gradient at the input {said} has no gradient itself")
        second = torch.autograd.grad(penalty, parameters, allow_unused=True)
        found = [each for each in second if each is not None]
        require(found, f"the gradient at the input {said} depends on no parameter")
        require(all(torch.isfinite(each).all() for each in found), f"a second gradient {said} is not finite")


@CHECKS.add("batch-mates", "in evaluation a sample does not depend on the others in its batch")
def batch_mates(subject: Subject) -> None:
    """Of the generator, to the accuracy of float32; BatchNorm then uses its running statistics."""
    for built in _with(subject, "generator"):
        network = built.networks["generator"].eval()
        with torch.no_grad():
            together = built.output("generator")
            condition = {name: values[2:3] for name, values in built.condition.items()}
            alone = network(built.noise[2:3], condition)
        gap = float((alone - together[2:3]).abs().max())
        require(gap < 1e-4, f"a sample of {built.case.name} differs by {gap:.3g} from itself in a batch of its own")


@CHECKS.add("seeds", "initial weights follow torch's global generator")
def seeds(subject: Subject) -> None:
    """Equal seeds, equal weights; other seeds, others."""
    architecture, case = made(subject), _some(subject)[0].case
    first, again, other = (_built(architecture, subject, case, seed).networks for seed in (0, 0, 1))
    for role in first:
        states = [network[role].state_dict() for network in (first, again, other)]
        differing = [name for name in states[0] if not same(states[0][name], states[1][name])]
        require(not differing, f"{', '.join(differing)} of the {role} differ between equal seeds")
        if any(True for _ in first[role].parameters()):
            moved = any(not same(states[0][name], states[2][name]) for name in states[0])
            require(moved, f"the weights of the {role} are the same for another seed")


@CHECKS.add("state", "networks come back from safetensors, and copies of them work")
def state(subject: Subject) -> None:
    """Into networks that began from another seed: equal bits of outputs in evaluation. Averages are deep copies."""
    architecture = made(subject)
    for built in copy.deepcopy(_some(subject)):
        other = _built(architecture, subject, built.case, seed=1)
        copies = {role: copy.deepcopy(network) for role, network in built.networks.items()}
        for role, network in built.networks.items():
            saved = stored(network.state_dict(), f"the state of the {role}")
            other.networks[role].load_state_dict(saved)
            back = other.networks[role].state_dict()
            lost = [name for name in saved if not same(back[name], saved[name])]
            require(not lost, f"the {role} does not take back {', '.join(lost)} of its state")
        for role in built.known():
            for name, networks in (("loaded from its state", other.networks), ("copied", copies)):
                for network in (built.networks[role], networks[role]):
                    network.eval()
                with torch.no_grad():
                    expected, found = built.output(role), Built(**{**vars(built), "networks": networks}).output(role)
                require(same(found, expected), f"the {role} of {built.case.name}, {name}, gives other outputs")


def _served(subject: Subject) -> tuple[Sequence[Built], Mapping[str, str]]:
    """The problems for which networks are built, and the refusals of the others."""
    return subject.once("served", lambda: _attempted(subject))


def _attempted(subject: Subject) -> tuple[Sequence[Built], Mapping[str, str]]:
    architecture, served, refusals = made(subject), [], {}
    for case in CASES:
        try:
            served.append(_built(architecture, subject, case))
        except ConfigError as error:
            refusals[case.name] = str(error)
    return served, refusals


def _some(subject: Subject) -> Sequence[Built]:
    """What is served, to be looked at and left alone.

    Raises:
        SkippedError: nothing is.
    """
    served, refusals = _served(subject)
    if not served:
        raise SkippedError(f"it refuses all of the kit's problems: {next(iter(refusals.values()))}")
    return served


def _with(subject: Subject, *roles: str) -> list[Built]:
    """Fresh copies of those with a network of one of these roles.

    Raises:
        SkippedError: there are none.
    """
    served = _some(subject)
    chosen = [built for built in served if built.networks.keys() & set(roles)]
    if not chosen:
        have = ", ".join(sorted(served[0].networks))
        raise SkippedError(f"it builds {have}, and this is asked of a {' or a '.join(roles)}")
    return copy.deepcopy(chosen)


def _assembled(subject: Subject) -> Assembly:
    """These networks in the hands of an algorithm that trains such roles.

    Raises:
        SkippedError: none is installed, or none takes them.
    """
    roles = set(_some(subject)[0].networks)
    known = [each for each in subject.registry.all("algorithm") if cast(AlgorithmSpec, each.spec).roles <= roles]
    known.sort(key=lambda each: each.plugin != subject.found.plugin)
    if not known:
        raise SkippedError(f"no algorithm that is installed trains {', '.join(sorted(roles))}")

    def attempt(found: Registered, conditioning: Choice) -> Assembly:
        slots = cast(AlgorithmSpec, found.spec).slots
        algorithm = Choice(name=found.qualified_name)
        config = trial(subject.registry, algorithm, slots, subject.choice, conditioning)
        return assemble(config, subject.registry)

    return first_of(partial(attempt, found, scheme) for found in known for scheme in (LABELLED, UNLABELLED))


def _stepped(subject: Subject) -> Assembly:
    """The same after a step."""
    assembly = _assembled(subject)
    assembly.trainer.step(0, next(stream_of(assembly)))
    return assembly


def _reached_by(assembly: Assembly) -> str:
    trained = {role: assembly.trainer.networks[role] for role in assembly.trainer.optimizers}
    if not trained:
        raise SkippedError("the algorithm that trains such networks minimises none of them")
    for role, network in trained.items():
        unreached = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
        require(not unreached, f"no gradient reaches {', '.join(unreached)} of the {role}")
    return f"{sum(len(list(network.parameters())) for network in trained.values())} parameters"


def _built(architecture: Architecture, subject: Subject, case: Case, seed: int = 0) -> Built:
    """The networks of a problem as the core builds them; the scheme is one of genframe's own."""
    choice = LABELLED if case.labels else UNLABELLED
    try:
        scheme: Any = build_part(subject.registry, "conditioning", choice, "conditioning", case.problem)
    except PluginError as error:
        raise SkippedError(f"the kit's conditioning scheme is not there: {error}") from None
    torch.manual_seed(seed)
    networks = architecture.build(case.problem, scheme)
    if isinstance(scheme, Completing):
        scheme.complete(networks)
    for network in networks.values():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Built(
        case=case,
        networks=networks,
        noise=noise_of(case.problem, _COUNT),
        condition=condition_of(case.problem.condition, _COUNT),
        pictures=pictures_of(case.problem, _COUNT),
    )


def _require_samples(built: Built) -> None:
    shape = (_COUNT, *built.case.problem.output.shape)
    samples = require_tensor(built.output("generator").detach(), f"a batch of samples of {built.case.name}", shape)
    _require_in_range(samples, f" of {built.case.name}")


def _require_in_range(samples: Tensor, of: str) -> None:
    least, most = float(samples.min()), float(samples.max())
    inside = least >= -1.0 and most <= 1.0
    require(inside, f"samples{of} go from {least:.3g} to {most:.3g}, beyond [-1, 1]")


def _require_critique(built: Built) -> None:
    critique = built.networks["critic"](built.pictures, built.condition)
    require(isinstance(critique, Critique), f"a critic gives a Critique; this one a {type(critique).__name__}")
    require(critique.logits, "the critique holds no logits")
    for logits in critique.logits:
        shape = tuple(logits.shape)
        fits = shape == (_COUNT,) or (len(shape) == 4 and shape[:2] == (_COUNT, 1))
        require(fits, f"logits of {built.case.name} have the shape {shape}; (B,) or (B, 1, H, W) is wanted")
        require_tensor(logits, f"the logits of {built.case.name}", shape)
    for name, loss in critique.losses.items():
        require_tensor(loss, f"the critic's loss '{name}'", ())


def _loss(built: Built, role: str) -> Tensor:
    """Something that depends on all that the network gives."""
    if role == "generator":
        return built.output(role).square().sum()
    critique = built.networks[role](built.pictures, built.condition)
    return torch.stack([each.float().sum() for each in _all_of(critique)]).sum()


def _all_of(critique: Any) -> Iterator[Tensor]:
    require(isinstance(critique, Critique), f"a critic gives a Critique; this one a {type(critique).__name__}")
    yield from critique.logits
    yield from critique.aux.values()
    yield from critique.losses.values()


def _joined(critique: Any) -> Tensor:
    require(isinstance(critique, Critique), f"a critic gives a Critique; this one a {type(critique).__name__}")
    return torch.cat([logits.flatten(1) if logits.dim() > 1 else logits[:, None] for logits in critique.logits], dim=1)
