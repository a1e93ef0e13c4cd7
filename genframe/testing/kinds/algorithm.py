"""Algorithms: a few steps of the core's own trainer, resumed, repeated and sampled from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor

from genframe.assembly import Assembly, assemble
from genframe.build import Builder
from genframe.config import RunConfig
from genframe.interfaces import Algorithm, Batch
from genframe.shapes import Problem
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice
from genframe.testing.catalogue import Checks
from genframe.testing.results import SkippedError, Work, require
from genframe.testing.runs import LABELLED, NETWORKS, UNLABELLED, assembled, stream_of, trial
from genframe.testing.subject import Subject, first_of
from genframe.testing.tensors import no_values, require_tensor, same, stored
from genframe.training.digests import Digests
from genframe.training.replay import unfused
from genframe.training.steps import Habits, RecordedStep, Slots, TrainingStep, Trouble

CHECKS = Checks()

_STEPS = 3

#: Within so many steps, every network that has an optimizer has had its turn.
_TURNS = 32


def made(subject: Subject) -> Algorithm:
    """A new one, its slots filled."""
    return Builder(_config(subject), subject.registry).algorithm()[0]


def work(subject: Subject) -> Work:
    """Steps of the core's trainer."""
    assembly = _assembled(subject)
    stream = stream_of(assembly)

    def run() -> None:
        assembly.trainer.step(0, next(stream))

    note = ", ".join(f"{role}: {count:,} parameters" for role, count in assembly.parameters().items())
    return Work(run=run, count=assembly.batch_size, unit="samples of 8x8 in training", note=note, draws=True)


@CHECKS.add("problem", "it says what it generates from what, with labels and without")
def problem(subject: Subject) -> str:
    """Or refuses with a ConfigError."""
    spec = _spec(subject)
    require(spec.generates <= spec.roles, f"generates names {sorted(spec.generates - spec.roles)}, which roles lacks")
    said = []
    for config in _configs(subject):
        found = _assembled(subject, config).problem
        require(isinstance(found, Problem), f"problem gives a {type(found).__name__}, and not a Problem")
        conditions = ", ".join(found.condition) or "nothing"
        said.append(f"a {found.output.kind} from {conditions}")
    return "; ".join(dict.fromkeys(said))


@CHECKS.add("optimizers", "optimizers are of its roles, over their parameters, and remember tensors and JSON")
def optimizers(subject: Subject) -> str:
    """After a step."""
    assembly, spec = _assembled(subject), _spec(subject)
    trainer = assembly.trainer
    _train(assembly, 1)
    unknown = sorted(trainer.optimizers.keys() - spec.roles)
    require(not unknown, f"it gives optimizers of {', '.join(unknown)}, which its spec does not name as roles")
    for role, optimizer in trainer.optimizers.items():
        require(isinstance(optimizer, torch.optim.Optimizer), f"the optimizer of the {role} is not one of torch.optim")
        own = {id(p) for p in trainer.networks[role].parameters()}
        strange = [p for group in optimizer.param_groups for p in group["params"] if id(p) not in own]
        require(not strange, f"the optimizer of the {role} has {len(strange)} parameters of other networks")
    stored(trainer.training_tensors(), "what the optimizers remember")
    json.dumps(trainer.training_state())
    return ", ".join(f"{role}: {type(each).__name__}" for role, each in trainer.optimizers.items())


@CHECKS.add("steps", f"within {_TURNS} steps every network that has an optimizer changes, and steps log finite scalars")
def steps(subject: Subject) -> str:
    """Of every configuration that it takes. Networks may take turns."""
    names: dict[str, None] = {}
    for config in _configs(subject):
        assembly = _assembled(subject, config)
        before = {whose: [each.clone() for each in weights] for whose, weights in _learnt(assembly).items()}
        for number, batch in zip(range(_TURNS), stream_of(assembly), strict=False):
            values = assembly.trainer.step(number, batch)
            for name, value in values.items():
                is_scalar = isinstance(value, Tensor) and value.shape == ()
                require(is_scalar, f"the logged '{name}' is no scalar tensor, but {value!r}")
                require(torch.isfinite(value), f"the logged '{name}' is {value.item()}")
            names |= dict.fromkeys(values)
            after = _learnt(assembly)
            still = [whose for whose, weights in before.items() if all(map(same, weights, after[whose]))]
            if number + 1 >= _STEPS and not still:
                break
        require(not still, f"{_TURNS} steps change no weight of {', '.join(still)}")
        assembly.trainer.check()
    return f"logs {', '.join(names) or 'nothing'}"


@CHECKS.add("minimise", "it minimises by Step.minimise alone, and what it logs is detached")
def minimise(subject: Subject) -> None:
    """What an algorithm logs must not keep a step's graph alive."""
    assembly, habits = _assembled(subject), Habits()
    batch = _prepared(assembly, next(stream_of(assembly)))
    step = TrainingStep(assembly.trainer, 0, torch.arange(assembly.batch_size), 0, habits)
    foreign: list[str] = []
    ours: list[bool] = []
    trainer: Any = assembly.trainer
    update, backward = trainer.update, torch.autograd.backward

    def updating(loss: Tensor, roles: Sequence[str], step: TrainingStep) -> None:
        ours.append(True)
        update(loss, roles, step)
        ours.pop()

    def watched(*arguments: Any, **keywords: Any) -> None:
        if not ours:
            foreign.append("backward")
        backward(*arguments, **keywords)

    trainer.update = updating
    with patch.object(torch.autograd, "backward", watched):  # which Tensor.backward calls, too
        values = assembly.algorithm.step(trainer.networks, batch, step)
    require(not foreign, "it calls backward() itself: minimise by Step.minimise, which checks what comes of it")
    attached = [name for name, value in values.items() if isinstance(value, Tensor) and value.requires_grad]
    require(not attached, f"the logged {', '.join(attached)} keep their graph: detach them")


@CHECKS.add("autocast", "two steps under bfloat16 autocast stay finite, and hand samples on in float32")
def autocast(subject: Subject) -> None:
    """As on a GPU: the training setting ``precision``. Regularizers and augmentations are handed float32."""
    for config in _configs(subject):
        assembly = assembled(config, subject.registry, precision="bfloat16")
        for values in _train(assembly, 2):
            wrong = [name for name, value in values.items() if not torch.isfinite(value).all()]
            require(not wrong, f"the logged {', '.join(wrong)} are not finite under bfloat16 autocast")
        assembly.trainer.check()
        handed = _handed(subject, assembly)
        other = [f"{kind} {dtype}" for kind, dtype in handed if dtype != torch.float32]
        require(not other, f"it hands {', '.join(dict.fromkeys(other))} under bfloat16 autocast: float32 is wanted")


@CHECKS.add("seeds", "equal seeds give equal bits after some steps, another seed others")
def seeds(subject: Subject) -> None:
    """Networks, running averages, and what the optimizers remember."""
    first, again, other = (_digest(_run(subject, seed)) for seed in (0, 0, 1))
    require(first == again, f"two runs from the same seed differ after {_STEPS} steps")
    require(first != other, f"runs from different seeds are the same after {_STEPS} steps")


@CHECKS.add("resume", "a run that goes on from its state is the run that never stopped")
def resume(subject: Subject) -> str:
    """Through safetensors and JSON; numbers of its own come back by state and load_state."""
    straight = _run(subject, 0)
    halted = _assembled(subject)
    stream = stream_of(halted)
    for number in range(_STEPS - 1):
        halted.trainer.step(number, next(stream))
    networks = stored(halted.network_tensors(), "what a checkpoint keeps")
    training = stored(halted.trainer.training_tensors(), "what the optimizers remember")
    state = json.loads(json.dumps(halted.trainer.training_state()))
    goes_on = _assembled(subject)
    goes_on.trainer.restore(networks, training, state, settings=True)
    for name, part in goes_on.stateful.items():
        prefix = f"part.{name}."
        part.load_state({key.removeprefix(prefix): v for key, v in networks.items() if key.startswith(prefix)})
    goes_on.trainer.step(_STEPS - 1, next(stream))
    same_end = _digest(goes_on) == _digest(straight)
    require(same_end, "a run that went on from its state ends elsewhere: give the numbers that it keeps by state()")
    return f"{len(networks) + len(training)} tensors"


@CHECKS.add("samples", "samples have the problem's shape and range, and are the same when they are drawn again")
def samples(subject: Subject) -> None:
    """Drawn as the core draws them from a checkpoint: from an algorithm whose other slots are empty.

    The core's samplers draw in batches, by index. So samples that are drawn again show what a generator remembers of
    those before, and nothing else of what they depend on.
    """
    assembly = _run(subject, 0)
    bare, parts = Builder(assembly.config, subject.registry).algorithm(training=False)
    for name, part in Builder.stateful(bare, parts).items():
        part.load_state(stored(assembly.stateful[name].state(), f"the state of {name}"))
    view = dataclasses.replace(assembly, algorithm=bare, noise=parts.get("noise")).view(_STEPS)
    drawn = view.samples(70).output
    output = assembly.problem.output
    require_tensor(drawn, "70 samples", (70, *output.shape))
    if output.kind in ("image", "frames"):
        most = float(drawn.abs().max())
        require(most <= 1.0, f"samples reach {most:.3g}, beyond [-1, 1]")
    later = view.samples(10, first=60).output
    require(same(later, drawn[60:]), "samples 60 to 69, drawn again, differ from themselves among the first 70")


@CHECKS.add("replay", "where the spec says so, a step can be recorded: it reads no value and no step number")
def replay(subject: Subject) -> None:
    """A step whose keys are tensors, as on a GPU, made on the CPU."""
    if not _spec(subject).replayable:
        raise SkippedError("its spec does not say that its steps can be replayed")
    assembly, habits = _assembled(subject), Habits()
    if obstacle := unfused(assembly.trainer.optimizers.values()):
        raise SkippedError(f"{obstacle}, and such steps are not recorded")
    batch, indices = next(stream_of(assembly)), torch.arange(assembly.batch_size)
    fields = {name: batch[name] for name in _fields(assembly)}
    assembly.trainer.run(fields, TrainingStep(assembly.trainer, 0, indices, 0, habits))
    require(not habits.reads_number, "it reads Step.number: where work takes turns, Step.turn can be replayed")
    streams = {purpose: torch.Generator().manual_seed(0) for purpose in habits.purposes}
    device = indices.device
    step = RecordedStep(assembly.trainer, 1, indices, 0, Slots(device), streams, Trouble(device))
    with no_values():
        assembly.trainer.run(fields, step)


def _spec(subject: Subject) -> AlgorithmSpec:
    return cast(AlgorithmSpec, subject.spec)


def _configs(subject: Subject) -> list[RunConfig]:
    """A configuration with labels and one without, as far as it takes them."""
    return subject.once("configs", lambda: list(_possible(subject)))


def _possible(subject: Subject) -> Iterator[RunConfig]:
    def tried(conditioning: Choice, seed: int = 0) -> RunConfig:
        config = _resolved(subject, conditioning)
        assemble(config, subject.registry)
        return config

    first = first_of((lambda: tried(LABELLED), lambda: tried(UNLABELLED)))
    yield first
    if first.parts["conditioning"].name == LABELLED.name:
        try:
            yield first_of((lambda: tried(UNLABELLED),))
        except SkippedError:
            return


def _config(subject: Subject) -> RunConfig:
    return _configs(subject)[0]


def _resolved(subject: Subject, conditioning: Choice) -> RunConfig:
    architecture = _architecture(subject)
    return trial(subject.registry, subject.choice, _spec(subject).slots, architecture, conditioning)


def _architecture(subject: Subject) -> Choice:
    """Networks of all its roles: genframe's own in small, else one of its own plugin, else any."""
    roles = _spec(subject).roles
    if roles <= {"generator", "critic"}:
        return NETWORKS
    offered = [
        each for each in subject.registry.all("architecture") if roles <= cast(ArchitectureSpec, each.spec).roles
    ]
    offered.sort(key=lambda each: each.plugin != subject.found.plugin)
    if not offered:
        raise SkippedError(f"no architecture that is installed builds {', '.join(sorted(roles))}")
    return Choice(name=offered[0].qualified_name)


def _assembled(subject: Subject, config: RunConfig | None = None, seed: int = 0) -> Assembly:
    return assemble(dataclasses.replace(config or _config(subject), seed=seed), subject.registry)


def _train(assembly: Assembly, count: int) -> list[Mapping[str, Tensor]]:
    """What so many steps log."""
    stream = stream_of(assembly)
    return [assembly.trainer.step(number, next(stream)) for number in range(count)]


def _run(subject: Subject, seed: int) -> Assembly:
    assembly = _assembled(subject, seed=seed)
    _train(assembly, _STEPS)
    return assembly


def _handed(subject: Subject, assembly: Assembly) -> list[tuple[str, torch.dtype]]:
    """What regularizers and augmentations are given in two further steps: their kind, and the samples' type."""
    handed: list[tuple[str, torch.dtype]] = []

    def augmentation(samples: Tensor, rng: torch.Generator) -> Tensor:
        handed.append(("an augmentation", samples.dtype))
        return samples

    def regularizer(critic: Any, real: Tensor, fake: Tensor, condition: Any, rng: torch.Generator) -> Tensor:
        handed.extend(("a regularizer", each.dtype) for each in (real, fake))
        return torch.zeros(())

    watching = {"augmentation": augmentation, "regularizer": regularizer}
    _, parts = assembly.builder.algorithm()
    watched = {
        name: (watching[slot.kind],) if slot.many else watching[slot.kind]
        for name, slot in _spec(subject).slots.items()
        if slot.kind in watching
    }
    if not watched:
        return handed
    algorithm: Algorithm = subject.build({**parts, **watched})
    indices, stream = torch.arange(assembly.batch_size), stream_of(assembly)
    for number in range(2):
        step = TrainingStep(assembly.trainer, number, indices, 0, Habits())
        with assembly.compute.autocast():
            algorithm.step(assembly.trainer.networks, _prepared(assembly, next(stream)), step)
    return handed


def _digest(assembly: Assembly) -> str:
    parts = [
        f"{name}.{key}.{value.double().sum().item() if value.numel() else math.nan}"
        for name, part in assembly.stateful.items()
        for key, value in part.state().items()
    ]
    return Digests(assembly.trainer).now() + "".join(parts)


def _learnt(assembly: Assembly) -> Mapping[str, list[Tensor]]:
    """The weights that each optimizer changes; without any optimizer, all that the networks hold."""
    trainer = assembly.trainer
    if not trainer.optimizers:
        return {"any network": list(trainer.network_tensors().values())}
    return {role: [p.detach() for p in trainer.networks[role].parameters()] for role in trainer.optimizers}


def _fields(assembly: Assembly) -> Mapping[str, Any]:
    return assembly.builder.fields(assembly.data.fields)


def _prepared(assembly: Assembly, batch: Batch) -> Batch:
    return assembly.compute.prepare(batch, dict(_fields(assembly)))
