"""Conditioning schemes: layers for every operation and every kind of label, which labels then steer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genframe.build import build_part
from genframe.errors import ConfigError, PluginError
from genframe.interfaces import BlockSpec, Completing, Condition, Conditioning, Critique
from genframe.specs import ConditioningSpec
from genframe.testing.catalogue import Checks
from genframe.testing.problems import LABELS, Case, case, condition_of, label_kinds, noise_of, pictures_of
from genframe.testing.results import SkippedError, Work, require
from genframe.testing.runs import NETWORKS
from genframe.testing.subject import Subject
from genframe.testing.tensors import generator, no_values, require_tensor, same, stored

CHECKS = Checks()

_COUNT = 4
_FEATURES = 6

_OPERATIONS: Mapping[Literal["linear", "conv", "conv_transpose"], tuple[tuple[int, ...], tuple[int, ...]]] = {
    "linear": ((6,), (8,)),
    "conv": ((6, 8, 4), (8, 4, 2)),
    "conv_transpose": ((6, 4, 2), (8, 8, 4)),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layers:
    """A scheme's layers of every sort, as some network would ask for them.

    Attributes:
        case: the problem.
        encoders: by role.
        blocks: each with its role and what it takes and gives, without the batch.
        head: of the critic.
    """

    case: Case
    encoders: nn.ModuleDict
    blocks: list[tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]]
    head: nn.Module

    def modules(self) -> nn.ModuleList:
        """All of them."""
        return nn.ModuleList([self.encoders, *(module for _, module, _, _ in self.blocks), self.head])

    def codes(self, condition: Condition | None = None) -> dict[str, Any]:
        """What the encoders make of a condition, by role."""
        given = self.condition() if condition is None else condition
        return {role: encoder(given) for role, encoder in self.encoders.items()}

    def condition(self, shift: int = 0) -> Condition:
        """Labels of a batch; those of another `shift` differ in every row."""
        return condition_of(self.case.problem.condition, _COUNT, shift)

    def outputs(self, condition: Condition | None = None) -> Iterator[tuple[str, Tensor]]:
        """All that the layers give for a condition, with a name each."""
        codes = self.codes(condition)
        for number, (role, module, shape, _) in enumerate(self.blocks):
            inputs = torch.randn(_COUNT, *shape, generator=generator(number))
            yield f"a block of the {role}", module(inputs, codes[role])
        critique = self.head(torch.randn(_COUNT, _FEATURES, generator=generator(99)), codes["critic"])
        for values in (critique.logits, critique.aux.values(), critique.losses.values()):
            yield from (("the head", each) for each in values)


def made(subject: Subject) -> Conditioning:
    """A new one, for the first problem that suits it."""
    return _scheme(subject, _cases(subject)[0])


def work(subject: Subject) -> Work:
    """Every layer, forward and backward."""
    layers = _layers(subject, _cases(subject)[0])

    def run() -> None:
        outputs = [values.float().sum() for _, values in layers.outputs() if values.requires_grad]
        torch.stack(outputs).sum().backward()  # type: ignore[no-untyped-call]

    count = _COUNT * (len(layers.blocks) + 1)
    return Work(run=run, count=count, unit="samples through a layer, forward and backward", draws=True)


@CHECKS.add("codes", "an encoder gives a tensor with a row for each sample, or None")
def codes(subject: Subject) -> str:
    """For every kind of label that the scheme carries, also several fields of it, or a ConfigError says why not."""
    cases, refusals = _served(subject)
    if not cases:
        raise SkippedError(f"it refuses all of the kit's labels: {next(iter(refusals.values()))}")
    for each in cases:
        for role, code in _layers(subject, each).codes().items():
            fits = code is None or (isinstance(code, Tensor) and code.dim() > 0 and len(code) == _COUNT)
            shape = tuple(code.shape) if isinstance(code, Tensor) else type(code).__name__
            require(fits, f"the {role}'s code of {each.labels or 'no labels'} is {shape}; (B, ...) or None is wanted")
    said = ", ".join(each.labels or "no labels" for each in cases)
    return f"{said}; refuses {', '.join(refusals)}" if refusals else said


@CHECKS.add("blocks", "blocks of every operation give the shape that their spec says")
def blocks(subject: Subject) -> None:
    """Linear, convolution and transposed convolution, with and without BatchNorm, for both networks."""
    for each in _cases(subject):
        layers = _layers(subject, each)
        codes = layers.codes()
        for number, (role, module, before, after) in enumerate(layers.blocks):
            require(isinstance(module, nn.Module), f"a block is a torch.nn.Module; this one a {type(module).__name__}")
            output = module(torch.randn(_COUNT, *before, generator=generator(number)), codes[role])
            require_tensor(output, f"a block of the {role} over {each.labels or 'no labels'}", (_COUNT, *after))


@CHECKS.add("heads", "a head gives a Critique with one logit a sample, or patches, and scalar losses")
def heads(subject: Subject) -> None:
    """With a bias and without."""
    for each in _cases(subject):
        scheme, layers = _scheme(subject, each), _layers(subject, each)
        code = layers.codes()["critic"]
        for bias in (True, False):
            critique = scheme.head(_FEATURES, bias=bias)(torch.randn(_COUNT, _FEATURES, generator=generator()), code)
            require(isinstance(critique, Critique), f"a head gives a Critique; this one a {type(critique).__name__}")
            require(critique.logits, "the critique holds no logits")
            for logits in critique.logits:
                require_tensor(logits, "the logits", (_COUNT,) if logits.dim() < 2 else tuple(logits.shape))
            for name, loss in critique.losses.items():
                require_tensor(loss, f"the loss '{name}'", ())


@CHECKS.add("labels", "another label changes what some layer gives, for every kind of label")
def labels(subject: Subject) -> str:
    """With random weights in all layers: some begin where labels change nothing."""
    cases = [each for each in _cases(subject) if each.labels]
    if not cases:
        raise SkippedError("it carries no labels")
    steered: list[str] = []
    for each in cases:
        layers = _layers(subject, each)
        _randomise(layers.modules())
        for name in each.problem.condition:
            changed = _changed_by(layers, name)
            require(changed, f"the label '{name}' ({each.labels}) changes nothing in any block, nor in the head")
            steered += changed
    return f"labels steer {' and '.join(dict.fromkeys(steered))}"


@CHECKS.add("gradients", "finite gradients reach every parameter of the scheme's layers")
def gradients(subject: Subject) -> None:
    """Encoders, blocks and head."""
    for each in _cases(subject):
        layers = _layers(subject, each)
        modules = layers.modules()
        named = [(name, p) for name, p in modules.named_parameters() if p.requires_grad]
        loss = torch.stack([values.float().square().sum() for _, values in layers.outputs()]).sum()
        slopes = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
        unreached = [name for (name, _), slope in zip(named, slopes, strict=True) if slope is None]
        said = each.labels or "no labels"
        require(not unreached, f"no gradient reaches {len(unreached)} parameters over {said}, such as {unreached[:1]}")
        finite = all(bool(torch.isfinite(slope).all()) for slope in slopes if slope is not None)
        require(finite, f"a gradient over {said} is not finite")


@CHECKS.add("values", "no layer reads a tensor's value, so that steps can be recorded")
def values(subject: Subject) -> None:
    """``torch.nn.functional.one_hot`` does, for one."""
    for each in _cases(subject):
        layers = _layers(subject, each)
        with no_values():
            for _ in layers.outputs():
                pass


@CHECKS.add("state", "layers come back from safetensors and give the same bits")
def state(subject: Subject) -> None:
    """Into layers that began from another seed."""
    for each in _cases(subject):
        first, second = _layers(subject, each, 0), _layers(subject, each, 1)
        second.modules().load_state_dict(stored(first.modules().state_dict(), "the state of the layers"))
        for layers in (first, second):
            layers.modules().eval()
        for (name, expected), (_, found) in zip(first.outputs(), second.outputs(), strict=True):
            require(same(found.detach(), expected.detach()), f"{name}, loaded from its state, gives other outputs")


@CHECKS.add("networks", "genframe's own DCGAN can be built with it; its weights follow torch's global generator")
def networks(subject: Subject) -> str:
    """Completed as the core does it; a network in which labels find no place is refused by a ConfigError."""
    built = 0
    for each in _cases(subject):
        first, again = (_networks(subject, each) for _ in range(2))
        for role, network in first.items():
            pairs = zip(network.state_dict().values(), again[role].state_dict().values(), strict=True)
            require(all(same(*pair) for pair in pairs), f"the weights of the {role} differ between equal seeds")
        condition = condition_of(each.problem.condition, _COUNT)
        samples = first["generator"](noise_of(each.problem, _COUNT), condition)
        require_tensor(samples, "samples of the DCGAN", (_COUNT, *each.problem.output.shape))
        critique = first["critic"](pictures_of(each.problem, _COUNT), condition)
        require(isinstance(critique, Critique), "the DCGAN's critic gives no Critique")
        built += 1
    return f"{built} problems"


def _networks(subject: Subject, each: Case) -> Mapping[str, nn.Module]:
    scheme = _scheme(subject, each)
    try:
        architecture: Any = build_part(subject.registry, "architecture", NETWORKS, "architecture")
    except PluginError as error:
        raise SkippedError(f"the kit's architecture is not there: {error}") from None
    torch.manual_seed(0)
    try:
        built: Mapping[str, nn.Module] = architecture.build(each.problem, scheme)
        if isinstance(scheme, Completing):
            scheme.complete(built)
    except ConfigError as error:
        raise SkippedError(str(error)) from None
    return built


def _served(subject: Subject) -> tuple[list[Case], dict[str, str]]:
    """The problems that the scheme is for, less those that it refuses with a sentence."""
    spec = subject.spec
    assert isinstance(spec, ConditioningSpec)
    wanted = [name for name in LABELS if label_kinds(name) <= spec.carries] or [""]
    cases, refusals = [], {}
    for name in wanted:
        each = case(1, 8, 8, name)
        try:
            build_part(subject.registry, "conditioning", subject.choice, subject.name, each.problem)
            cases.append(each)
        except ConfigError as error:
            refusals[name] = str(error)
    return cases, refusals


def _cases(subject: Subject) -> list[Case]:
    cases, refusals = _served(subject)
    if not cases:
        raise SkippedError(f"it refuses all of the kit's labels: {next(iter(refusals.values()))}")
    return cases


def _scheme(subject: Subject, each: Case) -> Conditioning:
    scheme: Conditioning = subject.build(each.problem)
    return scheme


def _layers(subject: Subject, each: Case, seed: int = 0) -> Layers:
    scheme = _scheme(subject, each)
    torch.manual_seed(seed)
    return Layers(
        case=each,
        encoders=nn.ModuleDict({role: scheme.encoder(role) for role in ("generator", "critic")}),
        blocks=[
            (spec.role, scheme.block(spec), before, after)
            for role in ("generator", "critic")
            for operation, (before, after) in _OPERATIONS.items()
            for norm in (True, False)
            for spec in [_spec(operation, role, norm)]
        ],
        head=scheme.head(_FEATURES),
    )


def _spec(operation: Literal["linear", "conv", "conv_transpose"], role: str, norm: bool) -> BlockSpec:
    before, after = _OPERATIONS[operation]
    return BlockSpec(
        operation=operation, in_channels=before[0], out_channels=after[0], norm=norm, role=role, entry=True
    )


def _randomise(modules: nn.Module) -> None:
    with torch.no_grad():
        for number, weights in enumerate(modules.parameters()):
            weights.copy_(torch.randn(weights.shape, generator=generator(number)) * 0.5)


def _changed_by(layers: Layers, name: str) -> list[str]:
    """The layers that give something else where only the label `name` is another one."""
    moved = {**layers.condition(0), name: layers.condition(1)[name]}
    pairs = zip(layers.outputs(), layers.outputs(moved), strict=True)
    return [said for (said, first), (_, second) in pairs if not same(first, second)]
