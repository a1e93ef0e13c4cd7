"""A run before its first step: the configuration as live objects, ready to train, and nothing written yet."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genframe.build import Builder
from genframe.config import RunConfig
from genframe.errors import ConfigError
from genframe.interfaces import (
    Algorithm,
    Condition,
    Dataset,
    Metric,
    NoiseSampler,
    Observer,
    Stateful,
    Trained,
    Visualizer,
)
from genframe.loading import begin_with, problem_to_json
from genframe.randomness import derive_key
from genframe.registry import Registry
from genframe.rundir.directory import RunDirectory
from genframe.sampling import Conditions, View, needs_examples, run_title
from genframe.shapes import Problem
from genframe.specs import AlgorithmSpec, MetricSpec
from genframe.training.averages import Averages
from genframe.training.batches import batches_per_epoch
from genframe.training.device import Compute, thread_count
from genframe.training.trainer import Trainer
from genframe.training_settings import TrainingSettings

#: How many conditions of held-out samples are kept for sampling, where they cannot be enumerated.
EXAMPLES = 64


#: Samples a step, where nothing else is asked for and there are as many.
DEFAULT_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Everything that a run is made of.

    Attributes:
        config: with the number of steps settled.
        builder: builds the remaining parts.
        data, train, heldout: the dataset and its parts.
        problem: what is generated from what.
        algorithm, noise, trainer, compute: what trains.
        stateful: the algorithm and the parts that have numbers of their own, by name.
        examples: conditions of held-out samples.
        preview, metrics, observers: what draws, measures and watches.
        better: which direction is better, ``lower`` or ``higher``, by metric.
        source: the checkpoint and the digest of the networks that these began as, where they did.
    """

    config: RunConfig
    builder: Builder
    data: Dataset
    train: Dataset
    heldout: Dataset
    problem: Problem
    algorithm: Algorithm
    noise: NoiseSampler | None
    stateful: Mapping[str, Stateful]
    trainer: Trainer
    compute: Compute
    examples: Condition
    preview: Visualizer
    metrics: Mapping[str, Metric]
    observers: Sequence[Observer]
    better: Mapping[str, str]
    source: Mapping[str, str]

    @property
    def batch_size(self) -> int:
        """Samples a step, as it was settled."""
        assert self.config.training.batch_size is not None
        return self.config.training.batch_size

    def view(self, step: int, directory: RunDirectory | None = None) -> View:
        """The run as it is now, by the running averages where there are any; with what lies in its directory."""
        networks = {**self.trainer.networks, **self.trainer.averages.networks}
        trained = Trained(
            problem=self.problem, generator=self.algorithm.generator(networks), networks=networks, noise=self.noise
        )
        return View(
            trained=trained,
            conditions=Conditions(self.problem, self.examples),
            title=run_title(self.config, step),
            seed=self.config.seed,
            find_dataset=lambda: self.data,
            directory=directory,
        )

    def parameters(self) -> dict[str, int]:
        """The number of trained parameters of each network."""
        return {role: sum(p.numel() for p in net.parameters()) for role, net in self.trainer.networks.items()}

    def network_tensors(self) -> dict[str, Tensor]:
        """Everything that sampling needs, as a checkpoint names it."""
        examples = {f"examples.{name}": values for name, values in self.examples.items()}
        parts = {f"part.{name}.{key}": v for name, part in self.stateful.items() for key, v in part.state().items()}
        return self.trainer.network_tensors() | examples | parts

    def storage(self) -> tuple[int, int]:
        """The size of a checkpoint in bytes, and how many of them there will be at once.

        An optimizer is taken to remember two numbers a parameter, as Adam does.
        """
        tensors = sum(tensor.nbytes for tensor in self.network_tensors().values())
        training = self.config.training
        copies = training.keep_last + 1 + training.keep_best
        return tensors + 8 * sum(self.parameters().values()), copies

    def state(self) -> dict[str, Any]:
        """What a checkpoint says about the run, as JSON."""
        return {"config": self.config.tree(), "problem": problem_to_json(self.problem)}


def assemble(config: RunConfig, registry: Registry, *, initialise: bool = True) -> Assembly:
    """Builds everything; whatever can be refused without training is refused here.

    Args:
        config: what to build.
        registry: where its parts come from.
        initialise: begin with ``training.init_from``; not where a checkpoint will say how the networks are.

    Raises:
        GenframeError: the sentence says what does not fit.
    """
    _refuse_more_processes()
    builder = Builder(config, registry)
    data = builder.dataset()
    train, heldout = data.split("train"), data.split("heldout")
    algorithm, parts = builder.algorithm()
    fields = builder.fields(data.fields)
    problem = algorithm.problem(fields)
    config = dataclasses.replace(config, training=_settled(config.training, len(train), problem))
    size = math.prod(problem.output.shape)
    compute = Compute.choose(config.training.device, config.training.precision, size)
    networks, source = _networks(config, builder, problem, compute, initialise)
    metrics = builder.metrics()
    if config.training.evaluate_every and not metrics:
        raise ConfigError("--evaluate-every has nothing to measure: name a --metric")
    spec = _algorithm_spec(config, registry)
    averages = Averages(networks, spec.generates, config.training.ema)
    return Assembly(
        config=config,
        builder=builder,
        data=data,
        train=train,
        heldout=heldout,
        problem=problem,
        algorithm=algorithm,
        noise=parts.get("noise"),
        stateful=builder.stateful(algorithm, parts),
        trainer=Trainer(
            algorithm, networks, fields, compute, averages, config.training, config.seed, replayable=spec.replayable
        ),
        compute=compute,
        examples=_examples(problem, heldout),
        preview=builder.preview(),
        metrics=metrics,
        observers=builder.observers(),
        better=_better(metrics, registry),
        source=source,
    )


def _refuse_more_processes() -> None:
    """Several processes would each train a run of their own."""
    ranks = os.environ.get("WORLD_SIZE") or "1"
    if ranks != "1":
        raise ConfigError(f"training on {ranks} processes is not supported yet: start one process (WORLD_SIZE=1)")


def _networks(
    config: RunConfig, builder: Builder, problem: Problem, compute: Compute, initialise: bool
) -> tuple[dict[str, nn.Module], Mapping[str, str]]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_key(config.seed, "initialisation"))
        built = builder.networks(problem)
    source = {}
    if initialise and config.training.init_from:
        source = begin_with(built, Path(config.training.init_from))
    return {role: compute.place(network) for role, network in built.items()}, source


def _better(metrics: Mapping[str, Metric], registry: Registry) -> dict[str, str]:
    specs = {name: registry.find_spec("metric", name) for name in metrics}
    return {name: spec.better for name, spec in specs.items() if isinstance(spec, MetricSpec)}


def _algorithm_spec(config: RunConfig, registry: Registry) -> AlgorithmSpec:
    spec = registry.find("algorithm", config.parts["algorithm"].name).spec
    assert isinstance(spec, AlgorithmSpec)
    return spec


def _settled(training: TrainingSettings, samples: int, problem: Problem) -> TrainingSettings:
    """The settings with everything decided that was left to the data."""
    batch_size = min(DEFAULT_BATCH, samples) if training.batch_size is None else training.batch_size
    per_epoch = batches_per_epoch(samples, batch_size)
    steps = training.steps if training.epochs is None else max(1, round(training.epochs * per_epoch))
    if training.minutes is not None:
        steps = None
    elif steps is None:
        raise ConfigError("a run needs a length: give --steps, --epochs or --minutes")
    threads = thread_count(training.threads, math.prod(problem.output.shape))
    return dataclasses.replace(training, steps=steps, epochs=None, batch_size=batch_size, threads=threads)


def _examples(problem: Problem, heldout: Dataset) -> Condition:
    if not needs_examples(problem):
        return {}
    if not len(heldout):
        raise ConfigError("this problem keeps conditions of held-out samples, and the data holds none out")
    batch = heldout.read(range(min(EXAMPLES, len(heldout))), epoch=0, seed=0)
    return {name: batch[name] for name in problem.condition}
