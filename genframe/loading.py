"""A trained generator loaded from disk: a run directory or one checkpoint is all it needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genframe.build import Builder
from genframe.config import RunConfig, stored
from genframe.errors import CheckpointError, ConfigError, PluginError, nearest, quoted
from genframe.interfaces import Condition, Dataset, Samples, Trained
from genframe.pictures import to_uint8
from genframe.registry import Registry
from genframe.rundir.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, understood
from genframe.rundir.directory import RunDirectory
from genframe.sampling import Conditions, View, draw, gathered, refuse_too_many, run_title
from genframe.shapes import PIXEL_KINDS, Field, Problem
from genframe.training.device import find_device
from genframe.training.trainer import below
from genframe_kernels import compile_inference

#: Indices of samples stay below this.
_MOST = 2**62


@dataclass(frozen=True, kw_only=True)
class LoadedGenerator:
    """A trained generator, loaded from a run directory or a checkpoint. It needs no dataset and no GPU.

    Attributes:
        config: the configuration of its run.
        trained: the networks.
        conditions: the known conditions.
        step: after how many steps it was saved.
        digest: SHA-256 of its networks.
        path: the checkpoint.
        law: the law of z where it is not that of the training, in the words that ask for it: ``noise``, ``noise.dim``
            and so on, ``truncation``.
    """

    config: RunConfig
    trained: Trained
    conditions: Conditions
    step: int
    digest: str
    path: Path
    law: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """One line that says what this is."""
        law = [f"{key} {self.law[key]}" for key in ("noise", "truncation") if key in self.law]
        return ", ".join([run_title(self.config, self.step), *law])

    def sample(
        self,
        count: int,
        *,
        labels: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        first: int = 0,
    ) -> Tensor:
        """Pictures ``uint8 (count, H, W, C)``; other outputs as float32.

        Args:
            count: how many.
            labels: classes by name or index that take turns; all of them where it is None.
            seed: of the noise.
            first: the index of the first; sample i is the same in every call with the same seed and label.
        """
        refuse_too_many(count, self.trained.problem)
        output = gathered(self.draw(count, labels=_sequence(labels), seed=seed, first=first)).output
        if self.trained.problem.output.kind not in PIXEL_KINDS:
            return output
        return to_uint8(output).movedim(-3, -1)

    def draw(self, count: int, *, labels: Sequence[int | str] = (), seed: int = 0, first: int = 0) -> Iterator[Samples]:
        """The same, chunk by chunk, with conditions and in [-1, 1]."""
        if count < 1 or first < 0 or first + count >= _MOST:
            raise ConfigError(f"at least one sample, from index 0 on and below 2**62; got {count} from index {first}")
        if not 0 <= seed < 2**63:
            raise ConfigError(f"a seed is a whole number from 0 to 2**63 - 1; got {seed}")
        name, chosen = self._chosen(labels)

        def condition_at(indices: Tensor) -> Condition:
            condition = dict(self.conditions.at(indices))
            if chosen:
                condition[name] = torch.tensor(chosen)[indices % len(chosen)]
            return condition

        return draw(self.trained, first, count, seed, condition_at)

    def view(self, seed: int, find_dataset: Callable[[], Dataset]) -> View:
        """For metrics and visualizers."""
        return View(
            trained=self.trained,
            conditions=self.conditions,
            title=self.title,
            seed=seed,
            find_dataset=find_dataset,
            directory=RunDirectory(self.path.parent.parent),
        )

    def _chosen(self, labels: Sequence[int | str]) -> tuple[str, list[int]]:
        if not labels:
            return "", []
        classes = [(name, field) for name, field in self.trained.problem.condition.items() if field.kind == "class"]
        if not classes:
            given = quoted(self.trained.problem.condition)
            raise ConfigError(f"this run has no classes to choose from; it generates from the conditions {given}")
        name, field = classes[0]
        return name, [class_index(field, label) for label in labels]


def class_index(field: Field, label: int | str) -> int:
    """The index of a class given by name or index; a name wins over an index that reads the same.

    Raises:
        ConfigError: there is no such class.
    """
    names = [unicodedata.normalize("NFC", name) for name in field.classes]
    if isinstance(label, str) and unicodedata.normalize("NFC", label) in names:
        return names.index(unicodedata.normalize("NFC", label))
    if (isinstance(label, int) or label.isdecimal()) and 0 <= int(label) < len(field.classes):
        return int(label)
    shown = quoted(field.classes[:20]) + (" ..." if len(field.classes) > 20 else "")
    raise ConfigError(f"there is no class '{label}'; known are {shown}.{nearest(str(label), field.classes)}")


def load_generator(
    path: Path,
    registry: Registry,
    *,
    average: bool = True,
    batch_statistics: bool = False,
    device: str = "cpu",
    compiled: bool = False,
) -> LoadedGenerator:
    """The generator of a run directory or of one checkpoint.

    Args:
        path: either.
        registry: where its plugins are found.
        average: the running average of the weights (where there is one) or the weights themselves.
        batch_statistics: BatchNorm by the statistics of each chunk instead of the running ones.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        compiled: generate by copies of the networks that `genframe_kernels.compile_inference` makes: sooner on a GPU,
            and out of reach of hooks and of later changes of the weights.

    Raises:
        CheckpointError: nothing complete and undamaged lies there.
        ConfigError: there is no such device.
        PluginError: a plugin that it was made with is missing.
    """
    folder, place = find_checkpoint(path), find_device(device)
    checkpoint = load_checkpoint(folder)
    with _origin_told(checkpoint):
        config = _configuration(checkpoint, folder, registry)
        with understood(folder):
            problem = problem_from_json(checkpoint.state["problem"])
        builder = Builder(config, of_runs(registry))
        algorithm, parts = builder.algorithm(training=False)
        with torch.random.fork_rng(devices=[]):
            networks = builder.networks(problem)
    for role, network in networks.items():
        _restore(network, checkpoint.networks, role, folder, average)
        network.train(batch_statistics).to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for name, part in builder.stateful(algorithm, parts).items():
        part.load_state(below(checkpoint.networks, f"part.{name}."))
    generating = {role: compile_inference(network) for role, network in networks.items()} if compiled else networks
    return LoadedGenerator(
        config=config,
        trained=Trained(
            problem=problem, generator=algorithm.generator(generating), networks=networks, noise=parts.get("noise")
        ),
        conditions=Conditions(problem, below(checkpoint.networks, "examples.")),
        step=checkpoint.step,
        digest=checkpoint.digest,
        path=folder,
    )


def configuration_of(folder: Path, registry: Registry) -> RunConfig:
    """The configuration of the run that wrote a checkpoint.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        PluginError: a plugin that it was made with is missing.
    """
    return _configuration(load_checkpoint(folder), folder, registry)


def _configuration(checkpoint: Checkpoint, folder: Path, registry: Registry) -> RunConfig:
    with understood(folder):
        return stored(checkpoint.state["config"], of_runs(registry).find_spec)


def of_runs(registry: Registry) -> Registry:
    """Where the parts of earlier runs are found, which name genframe's own without saying so."""
    return registry.preferring("genframe")


@contextmanager
def _origin_told(checkpoint: Checkpoint) -> Iterator[None]:
    """Where a part of a run is missing, the message says what the run was made with."""
    try:
        yield
    except PluginError as error:
        made_with = checkpoint.state.get("environment", {}).get("plugins", {})
        said = ", ".join(f"{name} {version}".rstrip() for name, version in made_with.items())
        raise PluginError(f"{error} The run was made with {said}." if said else str(error)) from None


def begin_with(networks: Mapping[str, nn.Module], path: Path) -> dict[str, str]:
    """Gives networks the weights that another run's networks of the same roles have (not their running averages).

    Args:
        networks: by role.
        path: a run directory or one checkpoint.

    Returns:
        Which ``checkpoint`` it was, and the SHA-256 ``digest`` of its networks.

    Raises:
        CheckpointError: nothing complete and undamaged lies there, a role is missing, or a network does not fit.
    """
    folder = find_checkpoint(path)
    checkpoint = load_checkpoint(folder)
    for role, network in networks.items():
        if not any(name.startswith(f"{role}.") for name in checkpoint.networks):
            raise CheckpointError(f"{folder} has no network '{role}' to begin with: name a run of a like recipe")
        _restore(network, checkpoint.networks, role, folder, average=False)
    return {"checkpoint": str(folder), "digest": checkpoint.digest}


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """The problem as JSON has it."""

    def plain(field: Field) -> dict[str, Any]:
        return {"kind": field.kind, "shape": list(field.shape), "classes": list(field.classes)}

    return {
        "output": plain(problem.output),
        "condition": {name: plain(field) for name, field in problem.condition.items()},
        "condition_order": list(problem.condition),
        "noise_shape": None if problem.noise_shape is None else list(problem.noise_shape),
    }


def problem_from_json(content: Mapping[str, Any]) -> Problem:
    """The inverse of `problem_to_json`."""

    def field(plain: Mapping[str, Any]) -> Field:
        return Field(kind=plain["kind"], shape=tuple(plain["shape"]), classes=tuple(plain["classes"]))

    return Problem(
        output=field(content["output"]),
        condition={name: field(content["condition"][name]) for name in content["condition_order"]},
        noise_shape=None if content["noise_shape"] is None else tuple(content["noise_shape"]),
    )


def _restore(network: nn.Module, tensors: Mapping[str, Tensor], role: str, folder: Path, average: bool) -> None:
    averaged = any(name.startswith(f"ema.{role}.") for name in tensors)
    prefix = f"ema.{role}." if average and averaged else f"{role}."
    try:
        network.load_state_dict(below(tensors, prefix))
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"{folder} does not fit the network '{role}' as the plugin builds it now: {detail}"
        ) from None


def _sequence(labels: int | str | Sequence[int | str] | None) -> Sequence[int | str]:
    if labels is None:
        return ()
    return [labels] if isinstance(labels, (int, str)) else labels
