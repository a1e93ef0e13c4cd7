"""Each check is worth its name: a part that keeps all promises passes it, and a planted fault fails it."""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import random
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

import genframe
from genframe import hookspecs
from genframe.experiments import Finding, Report, Table, Training
from genframe.interfaces import Critique, Measurement
from genframe.randomness import uniform
from genframe.shapes import Field
from genframe.specs import KINDS, SPEC_CLASSES, Choice, RecipeSpec, Slot
from genframe.testing import check, checks, common
from genframe_kernels import block

CLASSES = {spec_class.kind: spec_class for spec_class in SPEC_CLASSES}
COUNTER = itertools.count()


def examples(kind: str) -> dict[str, Any]:
    """What the example on the authors' page defines."""
    (code,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(getattr(hookspecs, CLASSES[kind].hook)), re.DOTALL)
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, f"<example of {kind}>", "exec"), namespace)
    return namespace


class Stateful:
    """Keeps a number of its own."""

    def __init__(self, settings):
        self.number = torch.zeros(2)

    def state(self):
        return {"number": self.number}

    def load_state(self, state):
        self.number = state["number"]


class Noise(Stateful):
    """Uniform numbers."""

    shape = (4,)
    bound = 1.0

    def draw(self, indices, key):
        return self.bound * (2.0 * uniform(indices, self.shape, key) - 1.0)

    def project(self, noise):
        return noise.clamp(-self.bound, self.bound)

    def truncated(self, bound):
        narrow = Noise(None)
        narrow.bound = min(self.bound, bound / 2)
        return narrow


class Objective(Stateful):
    """The non-saturating loss."""

    pairs = False

    def critic(self, real, fake):
        pairs = zip(real.logits, fake.logits, strict=True)
        return sum(F.softplus(-r.float()).mean() + F.softplus(f.float()).mean() for r, f in pairs)

    def generator(self, real, fake):
        return sum(F.softplus(-f.float()).mean() for f in fake.logits)


class Regularizer(Stateful):
    """The squared gradient at real samples."""

    def __call__(self, critic, real, fake, condition, rng):
        with torch.autocast("cpu", enabled=False):
            pictures = real.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(critic(pictures, condition).logits[0].sum(), pictures, create_graph=True)
            return self.scaled(slope.square().flatten(1).sum(1).mean())

    def scaled(self, penalty):
        return penalty


class Augmentation(Stateful):
    """Brightness."""

    def __call__(self, samples, rng):
        return samples + torch.empty(len(samples), 1, 1, 1).uniform_(-0.2, 0.2, generator=rng)


class Term(Stateful):
    """Distance to the target."""

    def __call__(self, batch, output, real, fake):
        return (output - batch["image"]).abs().mean()


class Scheme:
    """The label among the inputs of every layer."""

    def __init__(self, settings, problem):
        self.fields = problem.labels
        self.width = sum(field.width for field in self.fields.values())

    def encoder(self, role):
        return Encoder(self.fields)

    def block(self, spec):
        return block(spec, labels=self.width)

    def head(self, features, *, bias=True):
        return Head(features + self.width, bias)


class Encoder(nn.Module):
    def __init__(self, fields):
        super().__init__()
        self.fields = fields

    def forward(self, condition):
        return torch.cat([self.row(condition[name], field) for name, field in self.fields.items()], dim=1)

    def row(self, values, field):
        return (values[:, None] == torch.arange(field.width)).float() if field.kind == "class" else values


class Head(nn.Module):
    def __init__(self, features, bias):
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=bias)

    def forward(self, x, code):
        return Critique((self.linear(torch.cat([x, code], dim=1))[:, 0],))


class Onlooker:
    """Writes and remarks what a monitor may."""

    def __init__(self, settings):
        self.directory = Path()

    def started(self, run):
        self.directory = run["directory"]

    def logged(self, step, values):
        (self.directory / "seen.txt").write_text(f"{step}")

    def viewed(self, step, view):
        return f"step {step} is seen"

    def remarked(self, step, sentence):
        pass

    def sampled(self, step, view, picture):
        assert picture.is_file()

    def finished(self, outcome):
        pass


class Question:
    """Whether a branch errs less than its origin."""

    def __init__(self, settings):
        thin = {"architecture.width": 4, "architecture.hidden": 16}
        origin = Training(recipe="cdcgan", data="digits", steps=4, settings=thin)
        self.trainings = {"origin": origin, "branch": replace(origin, steps=8, origin="origin")}

    def conclude(self, evidence):
        errors = {name: evidence.measure(name, evidence.seeds[0], "nn1", count=20).value for name in self.trainings}
        return Report(question="Does it?", protocol="By the 1-NN error.", **self.found(errors))

    def found(self, errors):
        verdict = "confirmed" if errors["branch"] < errors["origin"] else "refuted"
        measured = f"{errors['branch']:.1%} after {errors['origin']:.1%}"
        finding = Finding(claim="It errs less.", source="a test", measured=measured, verdict=verdict, reason="Less.")
        rows = [(name, f"{error:.1%}") for name, error in errors.items()]
        return {"findings": [finding], "tables": [Table(title="Errors", columns=("", "error"), rows=rows)]}


def trained_for(**fields: Any) -> type:
    """The question with its last training changed."""

    class Changed(Question):
        def __init__(self, settings):
            super().__init__(settings)
            self.trainings["branch"] = replace(self.trainings["branch"], **fields)

    return Changed


def nothing(settings: Any) -> Question:
    question = Question(settings)
    question.trainings = {}
    return question


def finding(**fields: Any) -> type:
    """The question with its finding changed."""

    def found(self, errors):
        report = Question.found(self, errors)
        return report | {"findings": [replace(each, **fields) for each in report["findings"]]}

    return changed(Question, found=found)


def spread(self, errors):
    return statistics.stdev([errors["branch"]])  # of one seed


def rows_too_short(self, errors):
    report = Question.found(self, errors)
    return report | {"tables": [replace(each, columns=("", "error", "interval")) for each in report["tables"]]}


def asks_anew(self, evidence):
    evidence.remember("branch", 0, f"question {next(COUNTER)}", lambda view: view.title)
    return Question.conclude(self, evidence)


Perceptrons = examples("architecture")["Perceptrons"]
Regression, RegressionSettings = (examples("algorithm")[name] for name in ("Regression", "RegressionSettings"))
ExampleBars = examples("dataset")["Bars"]
Brightness = examples("metric")["Brightness"]
Mean = examples("visualizer")["Mean"]


class Bars(ExampleBars):
    """The example's, whose batches of nothing are of the right type, too."""

    def read(self, indices, *, epoch, seed):
        batch = super().read(indices, epoch=epoch, seed=seed)
        return batch | {"label": batch["label"].long()}


ROLES = frozenset({"generator", "critic"})


class FusedRegression(Regression):
    """One whose steps can be recorded."""

    def __init__(self, settings, parts):
        super().__init__(settings, parts)
        self.number = torch.zeros(())

    def optimizers(self, networks):
        return {"generator": torch.optim.Adam(networks["generator"].parameters(), lr=1e-3, fused=True)}

    def state(self):
        return {"number": self.number}

    def load_state(self, state):
        self.number = state["number"]


GOOD: dict[str, Any] = {
    "noise": Noise,
    "objective": Objective,
    "regularizer": Regularizer,
    "augmentation": Augmentation,
    "term": Term,
    "dataset": lambda settings: Bars(),
    "conditioning": Scheme,
    "architecture": Perceptrons,
    "algorithm": FusedRegression,
    "metric": Brightness,
    "visualizer": Mean,
    "observer": Onlooker,
    "experiment": Question,
}

FURTHER: dict[str, dict[str, Any]] = {
    "architecture": {"roles": ROLES},
    "conditioning": {"carries": frozenset({"class", "multilabel", "vector"})},
    "metric": {"better": "lower"},
    "algorithm": {
        "roles": frozenset({"generator"}),
        "generates": frozenset({"generator"}),
        "slots": {"noise": Slot(kind="noise")},
        "replayable": True,
        "settings": RegressionSettings,
    },
}

RECIPE = RecipeSpec(
    name="planted",
    summary="A small DCGAN",
    algorithm=Choice(name="adversarial"),
    architecture=Choice(name="dcgan", settings={"width": 4}),
    data=Choice(name="digits"),
    slots={"noise": Choice(name="gaussian"), "objective": Choice(name="non-saturating")},
)


def register(kind: str, factory: Any, **further: Any) -> None:
    """Makes a part known under the name ``planted``."""
    fields = FURTHER.get(kind, {}) | further
    genframe.register(CLASSES[kind](name="planted", summary="Planted", factory=factory, **fields))


def changed(base: type, **methods: Any) -> type:
    """The part with other methods."""
    return type(base.__name__, (base,), methods)


@dataclass(frozen=True)
class Fault:
    """A part that breaks one promise.

    Attributes:
        factory: makes it; of a recipe, the spec.
        says: what the reason says, as a pattern.
        further: fields of the spec.
    """

    factory: Any
    says: str
    further: Mapping[str, Any]


def fault(factory: Any, says: str, **further: Any) -> Fault:
    return Fault(factory, says, further)


def fail_the_third_time(base: type, method: str, is_it: Callable[..., bool]) -> type:
    def call(self, *arguments):
        if is_it(*arguments):
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls > 1:
                raise RuntimeError("tired")
        return getattr(base, method)(self, *arguments)

    return changed(base, **{method: call})


@dataclass
class Loose:
    dim: int = 4


def with_unused_weight(module: nn.Module) -> nn.Module:
    module.register_parameter("spare", nn.Parameter(torch.zeros(2)))
    return module


class Wrapped(nn.Module):
    """A network whose output is changed."""

    def __init__(self, network, change):
        super().__init__()
        self.network, self.change = network, change

    def forward(self, *arguments):
        return self.change(self.network(*arguments))


class OnceIn(nn.Module):
    """A critic whose input can be differentiated once."""

    def __init__(self, critic):
        super().__init__()
        self.critic = critic

    def forward(self, output, condition):
        return self.critic(Once.apply(output), condition)


def one_scale(self, critic, real, fake, condition, rng):
    (logits,) = critic(real, condition).logits
    return logits.float().square().mean()


def networks(role: str, change: Callable[[nn.Module], nn.Module]) -> type:
    """Perceptrons of which one is changed."""

    def build(self, problem, conditioning):
        built = Perceptrons.build(self, problem, conditioning)
        return {**built, role: change(built[role])}

    return changed(Perceptrons, build=build)


class Once(torch.autograd.Function):
    """The identity, which is differentiated once."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        return slope


class Scaled(nn.Module):
    """A network with a number that is no part of its state."""

    def __init__(self, network):
        super().__init__()
        self.network, self.scale = network, float(torch.rand(()))

    def forward(self, *arguments):
        return self.network(*arguments) * self.scale


def refusing_colours(self, problem, conditioning):
    if problem.output.shape[0] == 3:
        raise ValueError("no colours")
    return Perceptrons.build(self, problem, conditioning)


def scheme(**methods: Any) -> type:
    return changed(Scheme, **methods)


def encoders(make: Callable[[Any], nn.Module]) -> type:
    return scheme(encoder=lambda self, role: make(Encoder(self.fields)))


def one_hot(self, role):
    def row(values, field):
        return F.one_hot(values, field.width).float() if field.kind == "class" else values

    encoder = Encoder(self.fields)
    encoder.row = row
    return encoder


def algorithm(**methods: Any) -> type:
    return changed(FusedRegression, **methods)


def loss_of(self, networks, batch, step):
    noise = self.noise.draw(step.indices, step.key("noise"))
    return (networks["generator"](noise, {}) - batch["image"]).square().mean()


def minimised(factor: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A step whose loss is multiplied by something."""

    def step(self, networks, batch, step):
        loss = loss_of(self, networks, batch, step) * factor(self, step)
        step.minimise(loss, "generator")
        return {"loss": loss.detach()}

    return step


def counted(self, step):
    self.steps = getattr(self, "steps", 0) + 1
    return self.steps


def backward_itself(self, networks, batch, step):
    loss = loss_of(self, networks, batch, step)
    loss.backward(retain_graph=True)
    step.minimise(loss, "generator")
    return {"loss": loss.detach()}


def autograd_backward(self, networks, batch, step):
    loss = loss_of(self, networks, batch, step)
    torch.autograd.backward([loss], retain_graph=True)
    step.minimise(loss, "generator")
    return {"loss": loss.detach()}


class Halving(FusedRegression):
    """One that augments what its network computes in bfloat16."""

    def __init__(self, settings, parts):
        super().__init__(settings, parts)
        self.augmentations = parts["augmentations"]

    def step(self, networks, batch, step):
        samples = networks["generator"](self.noise.draw(step.indices, step.key("noise")), {})
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        for augmentation in self.augmentations:
            samples = augmentation(samples.to(dtype), step.rng("augmentation"))
        loss = (samples - batch["image"]).square().mean()
        step.minimise(loss, "generator")
        return {"loss": loss.detach()}


class Needy(FusedRegression):
    """One that wants its objective to sample, too."""

    def __init__(self, settings, parts):
        super().__init__(settings, parts)
        self.objective = parts["objective"]

    def generator(self, networks):
        assert self.objective.pairs is False
        return super().generator(networks)


class Lopsided(FusedRegression):
    """One with an optimizer of a network that it never minimises."""

    def optimizers(self, networks):
        critic = torch.optim.Adam(networks["critic"].parameters(), lr=1e-3, fused=True)
        return {**super().optimizers(networks), "critic": critic}


class Remembering(nn.Module):
    """A generator whose samples grow paler from call to call."""

    def __init__(self, network):
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, noise, condition):
        self.calls += 1
        return self.network(noise, condition) / self.calls


def foreign_parameter(self, networks):
    own = list(networks["generator"].parameters())
    return {"generator": torch.optim.Adam([*own, nn.Parameter(torch.zeros(2))], lr=1e-3, fused=True)}


class TextPicture:
    def save(self, path, info):
        path.write_text("a picture")


def sorted_read(self, indices, *, epoch, seed):
    return Bars.read(self, sorted(indices), epoch=epoch, seed=seed)


def counting_read(self, indices, *, epoch, seed):
    batch = Bars.read(self, indices, epoch=epoch, seed=seed)
    return batch | {"image": batch["image"] + (next(COUNTER) % 3 if epoch == 3 else 0)}


def overlapping(self, part):
    return replace(self, members=self.members[:128] if part == "train" else (0, 1) * 16)


def bars(**changes: Any) -> Callable[[Any], Any]:
    made = changed(Bars, **changes)
    return lambda settings: made()


def read_only_four(self, indices, *, epoch, seed):
    batch = Bars.read(self, indices, epoch=epoch, seed=seed)
    return batch | {"image": batch["image"].float()}


def nudged(self, step, view, picture):
    with torch.no_grad():
        for weights in view.trained.networks["critic"].parameters():
            weights.add_(0.1)


def writes_elsewhere(self, step, values):
    (Path(self.directory).parent / "elsewhere.txt").write_text("here")


FAULTS: dict[tuple[str, str], Fault] = {
    # Of every kind, planted in one.
    ("any", "settings"): fault(Noise, "Loose is not frozen", settings=Loose),
    ("any", "factory"): fault(changed(Noise, project=property()), "has no project"),
    ("any", "throughput"): fault(
        fail_the_third_time(Noise, "draw", lambda indices, key: len(indices) == 1000), r"RuntimeError: tired \(.*\d\)"
    ),
    ("noise", "shape"): fault(
        changed(Noise, draw=lambda self, i, key: Noise.draw(self, i, key).double()),
        r"a draw of 5 samples is of torch.float64",
    ),
    ("noise", "seeds"): fault(
        changed(Noise, draw=lambda self, i, key: Noise.draw(self, i, 3)), "another key gives the same numbers"
    ),
    ("noise", "independence"): fault(
        changed(Noise, draw=lambda self, i, key: Noise.draw(self, i, key) + (len(i) == 8) * 1e-3),
        "sample 0 alone differs",
    ),
    ("noise", "key"): fault(
        changed(Noise, draw=lambda self, i, key: Noise.draw(self, i, int(key))), "it reads a tensor's value.*\\.py:"
    ),
    ("noise", "projection"): fault(
        changed(Noise, project=lambda self, noise: 0.9 * noise.clamp(-1, 1)), "project moves samples of the law"
    ),
    ("noise", "truncation"): fault(
        changed(Noise, bound=3.0, truncated=lambda self, bound: self), "that is truncated at 1 reach (2.9|3)"
    ),
    ("objective", "scalars"): fault(
        changed(Objective, generator=lambda self, real, fake: sum(F.softplus(-f).mean() for f in fake.logits)),
        "the generator's loss of torch.bfloat16 logits is of torch.bfloat16",
    ),
    ("objective", "extremes"): fault(
        changed(Objective, generator=lambda self, real, fake: sum((-f.float()).exp().mean() for f in fake.logits)),
        "the generator's loss is inf for real logits",
    ),
    ("objective", "direction"): fault(
        changed(Objective, generator=lambda self, real, fake: sum(F.softplus(f.float()).mean() for f in fake.logits)),
        "does not raise the logits of its samples",
    ),
    ("objective", "scales"): fault(
        changed(Objective, generator=lambda self, real, fake: F.softplus(-fake.logits[0].float()).mean()),
        "the generator's loss leaves out a scale",
    ),
    ("objective", "pairs"): fault(changed(Objective, pairs=True), "does not depend on real samples"),
    ("objective", "values"): fault(
        changed(
            Objective,
            critic=lambda self, real, fake: (
                Objective.critic(self, real, fake) * (1 + 0 * float(real.logits[0].max().detach()))
            ),
        ),
        "it reads a tensor's value",
    ),
    ("regularizer", "scalar"): fault(
        changed(Regularizer, scaled=lambda self, penalty: penalty[None]), r"the penalty has the shape \(1,\)"
    ),
    ("regularizer", "gradients"): fault(
        changed(
            Regularizer,
            __call__=lambda self, critic, real, fake, condition, rng: (
                0.0 * critic(real, condition).logits[0].float().mean()
            ),
        ),
        "gradient is zero for every parameter",
    ),
    ("regularizer", "seeds"): fault(
        changed(Regularizer, scaled=lambda self, penalty: penalty * (1 + next(COUNTER))), "gave another penalty"
    ),
    ("regularizer", "critic"): fault(
        changed(
            Regularizer,
            __call__=lambda self, critic, real, fake, condition, rng: Regularizer.__call__(
                self, critic, real.requires_grad_(), fake, condition, rng
            ),
        ),
        "makes the given samples want gradients",
    ),
    ("regularizer", "condition"): fault(
        changed(
            Regularizer,
            __call__=lambda self, critic, real, fake, condition, rng: Regularizer.__call__(
                self, critic, real, fake, {name: values.flip(0) for name, values in condition.items()}, rng
            ),
        ),
        "with other labels",
    ),
    ("regularizer", "scales"): fault(
        changed(Regularizer, __call__=one_scale), r"ValueError: too many values to unpack.*test_faults.py:\d+"
    ),
    ("regularizer", "values"): fault(
        changed(Regularizer, scaled=lambda self, penalty: penalty if penalty > -1 else penalty * 2),
        "it reads a tensor's value",
    ),
    ("augmentation", "shape"): fault(
        changed(Augmentation, __call__=lambda self, samples, rng: samples.double()), "is of torch.float64"
    ),
    ("augmentation", "gradients"): fault(
        changed(Augmentation, __call__=lambda self, samples, rng: (samples * 8).round() / 8), "the gradient is zero"
    ),
    ("augmentation", "seeds"): fault(
        changed(
            Augmentation, __call__=lambda self, samples, rng: samples + (next(COUNTER) % 100) * self.step, step=0.01
        ),
        "changed the samples otherwise",
    ),
    ("augmentation", "independence"): fault(
        changed(Augmentation, __call__=lambda self, samples, rng: samples - samples.mean()), "a different one stands"
    ),
    ("augmentation", "values"): fault(
        changed(
            Augmentation,
            __call__=lambda self, samples, rng: samples * (2.0 if torch.rand((), generator=rng) > 0 else 1),
        ),
        "it reads a tensor's value",
    ),
    ("term", "scalar"): fault(
        changed(
            Term,
            __call__=lambda self, batch, output, real, fake: (
                Term.__call__(self, batch, output, real, fake) * (1 + next(COUNTER))
            ),
        ),
        "the same batch and output gave another value",
    ),
    ("term", "gradients"): fault(
        changed(Term, __call__=lambda self, batch, output, real, fake: (output * 0).sum()), "zero everywhere"
    ),
    ("term", "batch"): fault(
        changed(
            Term,
            __call__=lambda self, batch, output, real, fake: (
                (output - batch["image"].sub_(0.25)).mean() * 0 + output.mean()
            ),
        ),
        "changes image of the batch",
    ),
    ("term", "values"): fault(
        changed(Term, __call__=lambda self, batch, output, real, fake: output[output.detach() > 0].mean()),
        "it reads a tensor's value",
    ),
    ("dataset", "fields"): fault(
        bars(
            fields={"label": Field(kind="class", classes=("row", "column"))},
            read=lambda self, indices, *, epoch, seed: {"label": Bars.read(self, indices, epoch=0, seed=0)["label"]},
        ),
        "nothing can be generated",
    ),
    ("dataset", "types"): fault(
        bars(fields=Bars.fields | {"label": Field(kind="class", classes=("row",))}),
        "has classes from 0 to 1, and 1 names",
    ),
    ("dataset", "indices"): fault(bars(read=sorted_read), "sample 127 alone and among 'image' differ"),
    ("dataset", "purity"): fault(bars(read=counting_read), "the first and the second read of 'image' differ"),
    ("dataset", "split"): fault(bars(split=overlapping), "do not hold the samples of the whole"),
    ("conditioning", "codes"): fault(
        encoders(lambda encoder: Wrapped(encoder, lambda code: code[0])), "the generator's code"
    ),
    ("conditioning", "blocks"): fault(
        scheme(block=lambda self, spec: WithCode(Scheme.block(self, spec))), "has the shape"
    ),
    ("conditioning", "heads"): fault(
        scheme(
            head=lambda self, features, *, bias=True: Wrapped(
                Scheme.head(self, features, bias=bias), lambda said: said.logits[0]
            )
        ),
        "a head gives a Critique; this one a Tensor",
    ),
    ("conditioning", "labels"): fault(
        encoders(lambda encoder: Wrapped(encoder, torch.zeros_like)), "the label 'label' .* changes nothing"
    ),
    ("conditioning", "gradients"): fault(
        scheme(head=lambda self, features, *, bias=True: with_unused_weight(Scheme.head(self, features, bias=bias))),
        "such as .*spare",
    ),
    ("conditioning", "values"): fault(scheme(encoder=one_hot), "it reads a tensor's value"),
    ("conditioning", "state"): fault(encoders(Scaled), "loaded from its state, gives other outputs"),
    ("conditioning", "networks"): fault(
        scheme(complete=lambda self, networks: networks["decoder"]), "KeyError: 'decoder'"
    ),
    ("architecture", "problems"): fault(
        changed(Perceptrons, build=refusing_colours), r"ValueError: no colours \(.*test_faults.py:\d+\)"
    ),
    ("architecture", "outputs"): fault(
        networks("generator", lambda net: Wrapped(net, lambda x: x + 1.5)), r"beyond \[-1, 1\]"
    ),
    ("architecture", "autocast"): fault(
        networks(
            "generator",
            lambda net: Wrapped(
                net,
                lambda x: (
                    x / (not torch.is_autocast_enabled("cpu"))
                    if not torch.is_autocast_enabled("cpu")
                    else x * float("nan")
                ),
            ),
        ),
        "under autocast.* not finite",
    ),
    ("architecture", "gradients"): fault(
        networks("critic", with_unused_weight), "no gradient reaches spare of the critic"
    ),
    ("architecture", "double-backward"): fault(networks("critic", OnceIn), "depends on no parameter"),
    ("architecture", "batch-mates"): fault(
        networks("generator", lambda net: Wrapped(net, lambda x: (x - x.mean(0)) / 2)), "in a batch of its own"
    ),
    ("architecture", "seeds"): fault(
        networks(
            "generator",
            lambda net: net.apply(
                lambda m: [nn.init.constant_(p, 0.01 * next(COUNTER)) for p in m.parameters(recurse=False)]
            ),
        ),
        "differ between equal seeds",
    ),
    ("architecture", "state"): fault(networks("generator", Scaled), "loaded from its state, gives other outputs"),
    ("algorithm", "problem"): fault(FusedRegression, "generates names .*ghost", generates=frozenset({"ghost"})),
    ("algorithm", "optimizers"): fault(algorithm(optimizers=foreign_parameter), "has 1 parameters of other networks"),
    ("algorithm", "steps"): fault(
        algorithm(step=lambda self, networks, batch, step: {"loss": loss_of(self, networks, batch, step)}),
        "32 steps change no weight of generator",
    ),
    ("algorithm", "minimise"): fault(algorithm(step=backward_itself), "calls backward.. itself"),
    ("algorithm", "autocast"): fault(
        algorithm(step=minimised(lambda self, step: math.inf if torch.is_autocast_enabled("cpu") else 1.0)),
        "DivergenceError: .* no longer a finite number",
    ),
    ("algorithm", "seeds"): fault(
        algorithm(step=minimised(lambda self, step: 1 + next(COUNTER) % 7)), "from the same seed differ"
    ),
    ("algorithm", "resume"): fault(algorithm(step=minimised(counted)), "ends elsewhere"),
    ("algorithm", "samples"): fault(
        algorithm(
            generator=lambda self, networks: lambda noise, condition: networks["generator"](noise, condition) + 2
        ),
        r"beyond \[-1, 1\]",
    ),
    ("algorithm", "replay"): fault(
        algorithm(step=minimised(lambda self, step: 1 + step.number)), "it reads Step.number"
    ),
    ("metric", "value"): fault(
        changed(Brightness, measure=lambda self, view: Measurement(value=float("nan"), protocol={"n": 1})),
        "not a number",
    ),
    ("metric", "protocol"): fault(
        changed(Brightness, measure=lambda self, view: Measurement(value=1.0)), "the protocol is empty"
    ),
    ("metric", "seeds"): fault(
        changed(Brightness, measure=lambda self, view: Measurement(value=next(COUNTER), protocol={"n": 1})),
        "the same run measures",
    ),
    ("visualizer", "picture"): fault(changed(Mean, draw=lambda self, view: TextPicture()), "the file is no picture"),
    ("visualizer", "seeds"): fault(
        changed(Mean, draw=lambda self, view: Mean.draw(self, replace(view, title=f"{next(COUNTER)}"))), "other bytes"
    ),
    ("observer", "life"): fault(changed(Onlooker, viewed=lambda self, step, view: 7), r"it returned \[7\]"),
    ("observer", "onlooker"): fault(changed(Onlooker, sampled=nudged), "the networks of a run that it watches differ"),
    ("observer", "writes"): fault(changed(Onlooker, logged=writes_elsewhere), "elsewhere.txt"),
    ("experiment", "trainings"): fault(trained_for(steps=4), "ends after 4 steps, and its origin after 4"),
    ("experiment", "conclude"): fault(changed(Question, found=spread), "StatisticsError: .* at least two data points"),
    ("experiment", "report"): fault(finding(verdict="proved"), "a verdict is one of confirmed, .*; it is 'proved'"),
    ("experiment", "again"): fault(changed(Question, conclude=asks_anew), "it asks anew: branch, seed 0: question"),
    ("recipe", "parts"): fault(replace(RECIPE, data=Choice(name="dogits")), "no dataset is called 'dogits'"),
    ("recipe", "steps"): fault(
        replace(RECIPE, architecture=Choice(name="dcgan", settings={"depth": 9})),
        "ConfigError: architecture 'dcgan' got depth = 9",
    ),
}


class WithCode(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, code):
        return self.layer(x, code)[..., :1]


class Forgetful:
    """Gives its numbers and does not take them back."""

    def load_state(self, state):
        pass


#: Further ways to fail the same check.
MORE: dict[str, tuple[str, str, Fault]] = {
    "autograd": ("algorithm", "minimise", fault(algorithm(step=autograd_backward), "calls backward.. itself")),
    "slots": (
        "algorithm",
        "samples",
        fault(
            Needy,
            "AttributeError: 'NoneType' object has no attribute 'pairs'",
            slots={"noise": Slot(kind="noise"), "objective": Slot(kind="objective", required=True)},
        ),
    ),
    "memory": (
        "algorithm",
        "samples",
        fault(algorithm(generator=lambda self, networks: Remembering(networks["generator"])), "drawn again, differ"),
    ),
    "type": (
        "algorithm",
        "autocast",
        fault(
            Halving,
            "it hands an augmentation torch.bfloat16 under bfloat16 autocast",
            slots={"noise": Slot(kind="noise"), "augmentations": Slot(kind="augmentation", many=True)},
        ),
    ),
    "idle network": (
        "algorithm",
        "steps",
        fault(Lopsided, "32 steps change no weight of critic$", roles=ROLES),
    ),
    "no training": ("experiment", "trainings", fault(nothing, "it names no training")),
    "no steps": ("experiment", "trainings", fault(trained_for(least=0), "of at least 1; one of them is 0")),
    "no recipe": ("experiment", "trainings", fault(trained_for(recipe="cdcgin"), "no recipe is called 'cdcgin'")),
    "no origin": ("experiment", "trainings", fault(trained_for(origin="root"), "branches from 'root', which is not")),
    "lost training": (
        "experiment",
        "trainings",
        fault(lambda settings: trained_for(least=next(COUNTER) + 1)(settings), "what was trained is lost"),
    ),
    "no finding": (
        "experiment",
        "report",
        fault(changed(Question, found=lambda self, errors: {"findings": []}), "the report has no finding"),
    ),
    "no reason": ("experiment", "report", fault(finding(reason=""), "the finding 'It errs less.' has no reason")),
    "short rows": (
        "experiment",
        "report",
        fault(changed(Question, found=rows_too_short), "has 3 columns, and a row of 2"),
    ),
    "other words": (
        "experiment",
        "again",
        fault(lambda settings: finding(reason=f"{next(COUNTER)}")(settings), "its findings are others the second time"),
    ),
}

for slot_kind in ("noise", "objective", "regularizer", "augmentation", "term"):
    forgetful = type(slot_kind, (Forgetful, GOOD[slot_kind]), {})
    FAULTS[slot_kind, "state"] = fault(forgetful, "load_state does not take back number")


def reseeding(kind: str) -> Callable[..., Any]:
    def build(*arguments):
        random.seed(0)
        return GOOD[kind](*arguments)

    return build


for built_kind in GOOD:
    FAULTS[built_kind, "global-state"] = fault(reseeding(built_kind), "it changes the generator of the module random")

FILE = """
import genframe{imported}
from genframe.specs import NoiseSpec

def make(settings):
    import torch
    return torch.load("law.pt")

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="{name}", summary="Of a file", factory=make)
"""


def all_checks() -> set[tuple[str, str]]:
    found = {("any", entry.name) for entry in (*common.CHECKS, common.THROUGHPUT)} - {("any", "global-state")}
    found |= {(kind, "global-state") for kind in GOOD}
    for kind in KINDS:
        module = importlib.import_module(f"genframe.testing.kinds.{kind}")
        found |= {(kind, entry.name) for entry in module.CHECKS}
    return found


def plant(kind: str, planted: Fault) -> str:
    if kind == "recipe":
        genframe.register(planted.factory)
    else:
        register(kind, planted.factory, **planted.further)
    return f"{kind}/this-process/planted"


#: Kinds whose checks are slow: of these the planted fault's own check runs alone.
SLOW = frozenset({"algorithm", "observer", "recipe", "architecture", "conditioning", "experiment"})

#: What a fault cannot but break as well.
ALSO: dict[tuple[str, str], set[str]] = {
    ("noise", "shape"): {"projection"},
    ("regularizer", "scalar"): {"condition", "scales"},
    ("augmentation", "seeds"): {"independence"},
}


def test_every_check_has_a_planted_fault():
    assert set(FAULTS) | {("any", "registration"), ("any", "no-pickling")} == all_checks()


@pytest.mark.parametrize(("kind", "name"), [pytest.param(*key, id="-".join(key)) for key in FAULTS])
def test_a_planted_fault_fails_its_check_and_no_other(kind, name):
    part_kind = "noise" if kind == "any" else kind
    part = plant(part_kind, FAULTS[kind, name])
    wanted = [each for each in checks(part) if part_kind not in SLOW or each.name == name]
    results = {each.name: each() for each in wanted}
    failed = {result.name: result.reason for result in results.values() if result.outcome == "failed"}
    assert re.search(FAULTS[kind, name].says, failed.get(name, "")), results[name]
    assert set(failed) - ALSO.get((kind, name), set()) == {name}, failed


@pytest.mark.parametrize(("kind", "name", "planted"), MORE.values(), ids=MORE)
def test_a_further_fault_fails_its_check(kind, name, planted):
    (result,) = [each() for each in checks(plant(kind, planted)) if each.name == name]
    assert result.outcome == "failed"
    assert re.search(planted.says, result.reason), result.reason


def by_turns(self, networks, batch, step):
    role = ("generator", "critic")[step.turn(12) // 11]
    if role == "generator":
        return FusedRegression.step(self, networks, batch, step)
    loss = networks["critic"](batch["image"], {}).logits[0].float().square().mean()
    step.minimise(loss, "critic")
    return {"critic_loss": loss.detach()}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"least": 301, "steps": 400}, "it is not run: its trainings make at least 304 steps, and a check 300"),
        ({"data": "mnist"}, "it is not run: training 'branch' is on 'mnist', which is downloaded; set other data"),
    ],
)
def test_an_experiment_that_takes_long_or_a_download_is_planned_and_not_run(fields, reason):
    register("experiment", trained_for(**fields))
    results = {each.name: each() for each in checks("experiment/this-process/planted")}
    assert results["trainings"].outcome == "passed", results["trainings"]
    assert {results[name].reason for name in ("conclude", "report", "again", "global-state")} == {reason}


def test_networks_that_take_turns_pass_steps():
    register("algorithm", changed(Lopsided, step=by_turns), roles=ROLES)
    (result,) = [each() for each in checks("algorithm/this-process/planted") if each.name == "steps"]
    assert result.outcome == "passed", result.reason
    assert result.reason.endswith("critic_loss")


def test_a_regularizer_may_call_the_critic_by_keywords():
    def call(self, critic, real, fake, condition, rng):
        return critic(output=real, condition=condition).logits[0].float().square().mean()

    register("regularizer", changed(Regularizer, __call__=call))
    results = {each.name: each() for each in checks("regularizer/this-process/planted")}
    assert [each.reason for each in results.values() if each.outcome == "failed"] == []
    assert results["condition"].reason == "the critic is called 1 times"


def test_the_check_of_an_architectures_state_leaves_the_shared_networks_in_training():
    register("architecture", Perceptrons)
    found = [each for each in checks("architecture/this-process/planted") if each.name == "state"]
    (subject,) = [each.examine.args[1] for each in found]
    assert [each().outcome for each in found] == ["passed"]
    served, _ = subject.once("served", lambda: pytest.fail("nothing is shared"))
    assert all(network.training for built in served for network in built.networks.values())


def test_a_module_that_imports_torch_fails_registration(tmp_path):
    (tmp_path / "heavy.py").write_text(FILE.format(name="heavy", imported=", torch"))
    (result,) = [each() for each in checks("noise/heavy", plugins_dirs=[tmp_path]) if each.name == "registration"]
    assert result.outcome == "failed"
    assert "the plugin's module 'heavy' imports torch" in result.reason


def test_code_that_pickles_fails_by_its_line(tmp_path):
    (tmp_path / "pickler.py").write_text(FILE.format(name="pickler", imported=""))
    found = [each for each in checks("noise/pickler", plugins_dirs=[tmp_path]) if each.name != "factory"][:4]
    results = {result.name: result for result in (each() for each in found)}
    assert results["registration"].outcome == "passed"
    assert results["no-pickling"].outcome == "failed"
    assert re.search(r"it calls torch.load: write safetensors \(.*pickler.py:7\)", results["no-pickling"].reason)


@pytest.mark.parametrize("kind", list(GOOD))
def test_a_part_that_keeps_its_promises_passes_every_check(kind):
    register(kind, GOOD[kind])
    outcomes = {result.name: (result.outcome, result.reason) for result in check(f"{kind}/this-process/planted")}
    assert outcomes.pop("registration")[0] == "skipped"
    assert {name: said for name, said in outcomes.items() if said[0] != "passed"} == {}


def test_a_recipe_that_works_passes_every_check():
    genframe.register(RECIPE)
    outcomes = {result.name: result.outcome for result in check("recipe/planted")}
    assert outcomes == {"registration": "skipped", "parts": "passed", "steps": "passed"}
