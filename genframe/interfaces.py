"""What core and plugins promise each other, as protocols: implement the methods, inherit from nothing.

Importing this module imports no torch. Tensor axes are written as suffixes: B batch, C channels, H height, W width,
Z noise, K one number a class or label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from genframe.shapes import Field, Problem

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor
    from torch.nn import Module

#: Named tensors of one batch; the first axis of each is the batch.
Batch = Mapping[str, "Tensor"]

#: Named tensors that steer generation; ``{}`` where nothing does.
Condition = Mapping[str, "Tensor"]

Part = Literal["train", "heldout"]


class Dataset(Protocol):
    """Samples, read by index."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """The named tensors of a sample. By custom the picture is called ``image`` and its class ``label``."""

    def __len__(self) -> int:
        """How many samples this part has."""

    def split(self, part: Part) -> Dataset:
        """The training or the held-out part. The division is fixed (it never depends on ``--seed``) and stratified."""

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        """A batch, which may be empty. A pure function of its arguments, random augmentation included.

        Pixels are ``uint8``, classes ``int64``, everything else ``float32``.
        """


class NoiseSampler(Protocol):
    """The law of z."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Samples ``(len(indices), *shape)``, float32, on the device of `indices`.

        The key is in [0, 2**63): a number, or ``int64 ()`` on the device in a step that is recorded and replayed.
        Sample i depends on ``(key, i)`` alone, whatever else is drawn with it; see `genframe.randomness`.
        """

    def project(self, noise: Tensor) -> Tensor:
        """The nearest point of the law's support; differentiable wherever that makes sense."""


@runtime_checkable
class Truncatable(Protocol):
    """What a noise sampler may have beside its other methods: a law near its own that keeps to its middle."""

    def truncated(self, bound: float) -> NoiseSampler:
        """The law with the coordinates beyond `bound` left out: less varied samples, and more typical ones.

        Raises:
            ConfigError: no such bound.
        """


@runtime_checkable
class Fitted(Protocol):
    """What a noise sampler has that only exists for a trained run: ``genframe sample --noise NAME``."""

    def fit(self, view: RunView) -> None:
        """Adapts the law to a trained run; a pure function of the run and of the sampler's settings.

        `RunView.trained` has the law of the training, and `RunView.samples` draws by it. Called once, before `draw` and
        `shape`, which raise a ConfigError otherwise.

        Raises:
            ConfigError: the run lacks what the law is fitted by.
        """


@runtime_checkable
class Stateful(Protocol):
    """What an algorithm, or a part in one of its slots, adds where it has numbers of its own.

    A fitted noise law, an adaptive augmentation, counts: a checkpoint holds them, and they are there again when the run
    is loaded.
    """

    def state(self) -> Mapping[str, Tensor]:
        """The numbers, by name."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `state` gave."""


class Generator(Protocol):
    """A differentiable map to samples in [-1, 1] (pixels) or to free numbers (points)."""

    def __call__(self, noise: Tensor | None, condition: Condition) -> Tensor:
        """Samples ``(B, *problem.output.shape)``, float.

        Args:
            noise: ``(B, *problem.noise_shape)``, or None where the problem has no noise.
            condition: what each sample is generated from; classes ``int64 (B,)``, pixels float in [-1, 1].
        """


@dataclass(frozen=True)
class Critique:
    """What a critic says of a batch.

    Attributes:
        logits: one tensor a scale, larger for more real; ``(B,)`` for a scalar critic, ``(B, 1, H, W)`` for patches.
        aux: further outputs by name, such as the logits of an auxiliary classifier.
        losses: further losses by name, float32 ``()``: whoever trains a critic adds those of real and of generated
            samples to the critic's loss, and those of generated samples to the generator's. What an auxiliary
            classifier gets wrong is one.
    """

    logits: tuple[Tensor, ...]
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    losses: Mapping[str, Tensor] = field(default_factory=dict)


class Critic(Protocol):
    """Judges outputs; the discriminator of a GAN is one."""

    def __call__(self, output: Tensor, condition: Condition) -> Critique:
        """What it says of ``output`` ``(B, *problem.output.shape)``, each sample with its own condition."""


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """One block of a network: [linear | convolution | transposed convolution], [BatchNorm], [activation], [dropout].

    Attributes:
        operation: ``linear`` takes ``(B, in_channels)``, the others ``(B, in_channels, H, W)``.
        in_channels, out_channels: without what a conditioning scheme adds.
        kernel, stride, padding, output_padding: of a (transposed) convolution, per axis (height, width).
        end_padding: the padding at the bottom and at the right, where it is larger (TensorFlow's "same").
        bias: of the operation; None is a bias exactly where no BatchNorm follows.
        norm: BatchNorm after the operation.
        affine: whether the BatchNorm has a gain and a shift.
        eps: what the BatchNorm adds to the variance.
        activation: after the norm.
        slope: of ``leaky_relu``.
        pieces: of ``maxout``: each of the `out_channels` is the largest of so many.
        dropout: the share of outputs that training sets to zero.
        role: of the network that the block is for: ``generator``, ``critic``, ...
        entry: whether labels come in here, where a scheme lets them in at one place of a network only.
    """

    operation: Literal["linear", "conv", "conv_transpose"]
    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (4, 4)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (1, 1)
    end_padding: tuple[int, int] | None = None
    output_padding: tuple[int, int] = (0, 0)
    bias: bool | None = None
    norm: bool = True
    affine: bool = True
    eps: float = 1e-5
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "maxout", "none"] = "relu"
    slope: float = 0.2
    pieces: int = 1
    dropout: float = 0.0
    role: str = ""
    entry: bool = False


class Conditioning(Protocol):
    """How labels enter the networks. An architecture asks it for its layers, so that every scheme fits every network.

    A code is what `encoder` makes of the condition once a forward pass; every block and head takes it.
    """

    def encoder(self, role: str) -> Module:
        """``forward(condition) -> code``, where the code is a tensor ``(B, ...)`` or ``None``.

        Args:
            role: of the network that it is part of: ``generator``, ``critic``, ...
        """

    def block(self, spec: BlockSpec) -> Module:
        """``forward(x, code) -> y``: the block, conditioned."""

    def head(self, features: int, *, bias: bool = True) -> Module:
        """``forward(features_BF, code) -> Critique``: the critic's last layer over flat features."""


@runtime_checkable
class Completing(Protocol):
    """What a conditioning scheme may have beside its other methods, to have the last word on the networks."""

    def complete(self, networks: Mapping[str, Module]) -> None:
        """Called once, when an architecture has built its networks and given all their layers initial weights.

        The scheme gives its own layers theirs, from torch's global generator.

        Raises:
            ConfigError: labels would not steer these networks; the sentence says what they lack.
        """


class Architecture(Protocol):
    """Builds networks for any problem it can serve."""

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, Module]:
        """The networks by role, initialised from torch's global generator, which the core has seeded.

        Raises:
            ConfigError: the problem cannot be served (a size, a kind of output); the sentence says why.
        """


class Objective(Protocol):
    """Both sides of an adversarial loss, each to be minimised."""

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """The critic's loss, float32 ``()``, from what it says of real and of generated samples."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """The generator's loss, float32 ``()``. `real` is given where ``pairs`` is true."""

    @property
    def pairs(self) -> bool:
        """Whether the generator's side looks at the critique of real samples too (relativistic objectives do)."""


class Regularizer(Protocol):
    """A penalty added to the critic's loss; `real` and `fake` are float32 of one shape, and so is what it returns."""

    def __call__(
        self, critic: Critic, real: Tensor, fake: Tensor, condition: Condition, rng: torch.Generator
    ) -> Tensor:
        """The penalty, float32 ``()``, its weight included.

        Args:
            critic: that is penalised.
            real: samples of the batch that it has just seen, ``(B, ...)``, augmented.
            fake: generated ones, likewise; no gradient goes on to the generator.
            condition: of both.
            rng: for everything random, on the device.
        """


class Augmentation(Protocol):
    """A differentiable change of real and generated samples alike, float32, before the critic sees them."""

    def __call__(self, samples: Tensor, rng: torch.Generator) -> Tensor:
        """The changed samples, of the same shape; everything random comes from `rng`, on the device."""


class Term(Protocol):
    """A further term of the generator's loss, such as the L1 distance to a target."""

    def __call__(self, batch: Batch, output: Tensor, real: Critique | None, fake: Critique | None) -> Tensor:
        """The loss, float32 ``()``, its weight included.

        Args:
            batch: from the dataset.
            output: what was generated from the batch's conditions.
            real: what the critic says of the batch, where it was asked: where the objective's ``pairs`` is true.
            fake: what the critic says of `output`; None where there is no critic.
        """


class Step(Protocol):
    """The core's side of one training step. Everything random in a step comes from here."""

    @property
    def number(self) -> int:
        """How many steps were completed before this one. Whoever reads it makes steps that cannot be replayed."""

    def turn(self, period: int) -> int:
        """The number modulo `period`, for work that takes turns."""

    @property
    def indices(self) -> Tensor:
        """``int64 (B,)``, on the device: the positions of this process's samples in the batch of all processes."""

    def key(self, purpose: str) -> int | Tensor:
        """The key of a random stream, from (seed, purpose, step); for `NoiseSampler.draw`."""

    def rng(self, purpose: str) -> torch.Generator:
        """A generator on the device, seeded by (seed, purpose, step, rank)."""

    def minimise(self, loss: Tensor, *roles: str) -> None:
        """Backward, the check that everything is finite, and the update of the networks with these roles.

        Other networks that the loss runs through get no gradients, and none are computed for their weights.

        Raises:
            DivergenceError: where the loss or a gradient is not finite; nothing is updated with it. On a device that
                computes ahead, at the latest when the step is logged.
        """


class Algorithm(Protocol):
    """A training algorithm: what is learnt from a batch, and how samples come out."""

    def problem(self, fields: Mapping[str, Field]) -> Problem:
        """What to generate from what. `fields` are the dataset's, less the labels that no conditioning scheme carries.

        Raises:
            ConfigError: the data does not fit the algorithm.
        """

    def optimizers(self, networks: Mapping[str, Module]) -> Mapping[str, torch.optim.Optimizer]:
        """One optimizer for each role that is ever minimised. The networks are on their device already."""

    def step(self, networks: Mapping[str, Module], batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """One training step; returns scalars to log, detached, still on the device.

        Never calls ``backward()`` itself: `Step.minimise` does.
        """

    def generator(self, networks: Mapping[str, Module]) -> Generator:
        """The generator made of these networks (the trained ones, or their running averages)."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Everything that sampling needs.

    Attributes:
        problem: what is generated from what.
        generator: made of `networks`.
        networks: all of them by role; the running averages of those that the algorithm's ``generates`` names.
        noise: the law of z; None without noise.
    """

    problem: Problem
    generator: Generator
    networks: Mapping[str, Module]
    noise: NoiseSampler | None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Generated samples.

    Attributes:
        output: float32 on the CPU, ``(N, *problem.output.shape)``; pixels in [-1, 1].
        condition: what each was generated from.
        first: the index of the first one; sample i depends on (seed, i) and its condition alone.
        seed: of the noise.
        noise: what each was generated from, on the CPU, ``(N, *problem.noise_shape)``; None without noise.
    """

    output: Tensor
    condition: Condition
    first: int
    seed: int
    noise: Tensor | None = None


class RunView(Protocol):
    """What metrics, visualizers and observers may ask of a run, in training or later from its checkpoint."""

    @property
    def trained(self) -> Trained:
        """The networks and the law of z."""

    @property
    def title(self) -> str:
        """One line that says what is shown: recipe, data, step."""

    @property
    def seed(self) -> int:
        """Of the noise of `samples`."""

    @property
    def pictures(self) -> Sequence[Path]:
        """The pictures that the run itself has drawn so far, in the order of their steps."""

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """What the run has logged so far: ``step`` and the values of each logged step, in order."""

    def samples(self, count: int, *, first: int = 0, condition: Condition | None = None) -> Samples:
        """Samples ``first`` to ``first + count - 1``. Without `condition`, the known conditions take turns."""

    def stream(self, count: int, *, first: int = 0) -> Iterator[Samples]:
        """The same samples in pieces of a few megabytes, for more of them than memory holds.

        The user is shown how far it is, where somebody watches.
        """

    def dataset(self) -> Dataset:
        """The run's dataset, both parts.

        Raises:
            DataError: it is not there; a run can be sampled without its data.
        """


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A figure and how it was taken.

    Attributes:
        value: the figure; what is not finite is shown as none.
        protocol: samples, reference set, seed, and whatever else the reader needs to repeat it; JSON values.
        interval: in which the true figure lies with 95% confidence, lower and upper end; how it was taken is said in
            the protocol's ``interval``. None where the metric gives none.
    """

    value: float
    protocol: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    interval: tuple[float, float] | None = None


class Metric(Protocol):
    """A number about a run."""

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the metric does not fit the run; it is skipped, with this reason.
            DataError: the run's data is not there; likewise.
        """


class Picture(Protocol):
    """Something that can be saved. `genframe.pictures.Raster` is one."""

    def save(self, path: Path, info: Mapping[str, str]) -> None:
        """Write the format that the path's ending names, with `info` as metadata where the format has room for it."""


class Visualizer(Protocol):
    """A picture of a run."""

    def draw(self, view: RunView) -> Picture:
        """The picture.

        Raises:
            ConfigError: the run has nothing of the kind to show.
        """


class Observer(Protocol):
    """Watches a run at log cadence, never per step: a logger, a health monitor."""

    def started(self, run: Mapping[str, Any]) -> None:
        """`run` is the content of ``run.json``, with ``directory`` beside it."""

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """`values` are what the algorithm's step returned, as numbers; or figures of metrics, under their names."""

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """The run has drawn a picture of this step and written it there."""

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """`outcome` is the final content of ``run.json``."""


class Monitor(Protocol):
    """What an observer may have beside its other methods, to look at the networks and to warn."""

    def viewed(self, step: int, view: RunView) -> str | None:
        """Called at log cadence after `Observer.logged`, in training only.

        Returns:
            What the user should know now, in a sentence that names the step: it goes to the terminal, ``log.txt`` and
            ``run.json``.

        Raises:
            DivergenceError: the run is not worth going on with; it stops, and its checkpoints stay.
        """


class Listener(Protocol):
    """What an observer may have beside its other methods, to be told of the remarks of others."""

    def remarked(self, step: int, sentence: str) -> None:
        """A `Monitor` has said this."""
