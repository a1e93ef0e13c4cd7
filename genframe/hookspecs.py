"""The hooks: the one page that a plugin author reads.

A plugin is a module named by an entry point of the group ``genframe``:

```toml
[project.entry-points.genframe]
fog = "genframe_fog"
```

or a ``.py`` file in a folder that ``--plugins-dir`` names, without any packaging. It implements any of the hooks below.
Each takes no arguments and returns specs; each example is a whole module that works.

A package's module must import quickly and without torch. Where the code behind a spec is heavy, its factory is written
``"package.module:attribute"`` and is imported only when a run needs it; where it is light, as in these examples, the
class itself will do. What a factory returns is written down in `genframe.interfaces`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from genframe.specs import (
    AlgorithmSpec,
    ArchitectureSpec,
    AugmentationSpec,
    ConditioningSpec,
    DatasetSpec,
    ExperimentSpec,
    MetricSpec,
    NoiseSpec,
    ObjectiveSpec,
    ObserverSpec,
    RecipeSpec,
    RegularizerSpec,
    TermSpec,
    VisualizerSpec,
)

hookspec = pluggy.HookspecMarker("genframe")

#: Marks a function of a plugin as the implementation of the hook of that name.
hookimpl = pluggy.HookimplMarker("genframe")


@hookspec
def genframe_recipes() -> Iterable[RecipeSpec]:
    """Recipes: what ``genframe run --plugin NAME`` runs.

    ```python
    import genframe
    from genframe.specs import Choice, RecipeSpec


    @genframe.hookimpl
    def genframe_recipes():
        yield RecipeSpec(
            name="small-cdcgan",
            summary="A conditional DCGAN of half the width, trained for longer",
            algorithm=Choice(name="adversarial", settings={"learning_rate": 1e-4}),
            architecture=Choice(name="dcgan", settings={"width": 32}),
            conditioning=Choice(name="concat"),
            data=Choice(name="digits"),
            slots={"noise": Choice(name="gaussian"), "objective": Choice(name="non-saturating")},
            training={"steps": 3000},
            metrics=(Choice(name="nn1"),),
        )
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_algorithms() -> Iterable[AlgorithmSpec]:
    """Training algorithms.

    ```python
    from dataclasses import dataclass

    import genframe
    from genframe.shapes import Problem
    from genframe.specs import AlgorithmSpec, Slot


    @dataclass(frozen=True, kw_only=True)
    class RegressionSettings:
        learning_rate: float = 1e-3


    class Regression:
        \"\"\"From noise to the picture that shares its index: the simplest thing that trains and samples.\"\"\"

        def __init__(self, settings, parts):
            self.settings, self.noise = settings, parts["noise"]

        def problem(self, fields):
            return Problem(output=fields["image"], noise_shape=self.noise.shape)

        def optimizers(self, networks):
            from torch.optim import Adam

            return {"generator": Adam(networks["generator"].parameters(), lr=self.settings.learning_rate)}

        def step(self, networks, batch, step):
            noise = self.noise.draw(step.indices, step.key("noise"))
            loss = (networks["generator"](noise, {}) - batch["image"]).square().mean()
            step.minimise(loss, "generator")
            return {"loss": loss.detach()}

        def generator(self, networks):
            return networks["generator"]


    @genframe.hookimpl
    def genframe_algorithms():
        yield AlgorithmSpec(
            name="regression",
            summary="Least squares from noise to pictures",
            factory=Regression,
            settings=RegressionSettings,
            slots={"noise": Slot(kind="noise")},
            roles=frozenset({"generator"}),
            generates=frozenset({"generator"}),
        )
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_architectures() -> Iterable[ArchitectureSpec]:
    """Architectures: families of networks, built for the problem at hand.

    ```python
    import math

    import genframe
    from genframe.specs import ArchitectureSpec


    class Perceptrons:
        \"\"\"A generator and a critic of one layer each.\"\"\"

        def __init__(self, settings):
            pass

        def build(self, problem, conditioning):
            from torch import nn

            from genframe.interfaces import BlockSpec

            pixels = math.prod(problem.output.shape)

            class Generator(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.encoder = conditioning.encoder("generator")
                    self.layer = conditioning.block(
                        BlockSpec(
                            operation="linear",
                            in_channels=math.prod(problem.noise_shape),
                            out_channels=pixels,
                            norm=False,
                            activation="tanh",
                        )
                    )

                def forward(self, noise, condition):
                    flat = self.layer(noise.flatten(1), self.encoder(condition))
                    return flat.unflatten(1, problem.output.shape)

            class Critic(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.encoder = conditioning.encoder("critic")
                    self.head = conditioning.head(pixels)

                def forward(self, output, condition):
                    return self.head(output.flatten(1), self.encoder(condition))

            return {"generator": Generator(), "critic": Critic()}


    @genframe.hookimpl
    def genframe_architectures():
        yield ArchitectureSpec(
            name="perceptrons",
            summary="One layer each, for tests",
            factory=Perceptrons,
            roles=frozenset({"generator", "critic"}),
        )
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_conditionings() -> Iterable[ConditioningSpec]:
    """Conditioning schemes: how labels enter the networks.

    ```python
    import genframe
    from genframe.errors import ConfigError
    from genframe.specs import ConditioningSpec


    class LogitOffset:
        \"\"\"The label moves the critic's logit and nothing else.\"\"\"

        def __init__(self, settings, problem):
            if len(problem.labels) != 1:
                raise ConfigError(f"'logit-offset' carries one class, and the data has {', '.join(problem.labels)}")
            ((self.name, self.field),) = problem.labels.items()

        def encoder(self, role):
            from torch import nn

            name = self.name

            class Label(nn.Module):
                def forward(self, condition):
                    return condition[name]

            return Label()

        def block(self, spec):
            from torch import nn

            from genframe_kernels import block

            class Plain(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layers = block(spec)

                def forward(self, x, code):
                    return self.layers(x)

            return Plain()

        def head(self, features, *, bias=True):
            from torch import nn

            from genframe.interfaces import Critique

            classes = self.field.width

            class Head(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.linear = nn.Linear(features, 1, bias=bias)
                    self.offset = nn.Embedding(classes, 1)

                def forward(self, x, code):
                    return Critique((self.linear(x)[:, 0] + self.offset(code)[:, 0],))

            return Head()


    @genframe.hookimpl
    def genframe_conditionings():
        yield ConditioningSpec(
            name="logit-offset",
            summary="The label moves the critic's logit",
            factory=LogitOffset,
            carries=frozenset({"class"}),
        )
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_noise_samplers() -> Iterable[NoiseSpec]:
    """Noise samplers, laws of z: ``--noise signs --set noise.dim=32``.

    ```python
    from dataclasses import dataclass

    import genframe
    from genframe.specs import NoiseSpec


    @dataclass(frozen=True, kw_only=True)
    class SignSettings:
        dim: int = 64


    class Signs:
        \"\"\"Each coordinate is -1 or 1.\"\"\"

        def __init__(self, settings):
            self.shape = (settings.dim,)

        def draw(self, indices, key):
            from genframe.randomness import uniform

            return self.project(uniform(indices, self.shape, key) - 0.5)

        def project(self, noise):
            return noise.sign() + (noise == 0)


    @genframe.hookimpl
    def genframe_noise_samplers():
        yield NoiseSpec(name="signs", summary="Corners of a cube", factory=Signs, settings=SignSettings)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_objectives() -> Iterable[ObjectiveSpec]:
    """Adversarial objectives: ``--objective difference``.

    ```python
    import genframe
    from genframe.specs import ObjectiveSpec


    class Difference:
        \"\"\"The critic raises real above fake, the generator raises fake.\"\"\"

        pairs = False

        def __init__(self, settings):
            pass

        def critic(self, real, fake):
            return sum(f.float().mean() - r.float().mean() for r, f in zip(real.logits, fake.logits, strict=True))

        def generator(self, real, fake):
            return -sum(f.float().mean() for f in fake.logits)


    @genframe.hookimpl
    def genframe_objectives():
        yield ObjectiveSpec(name="difference", summary="Difference of the mean logits", factory=Difference)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_regularizers() -> Iterable[RegularizerSpec]:
    """Penalties of the critic: ``--regularizer drift --set regularizers.0.weight=0.01``.

    ```python
    from dataclasses import dataclass

    import genframe
    from genframe.specs import RegularizerSpec


    @dataclass(frozen=True, kw_only=True)
    class DriftSettings:
        weight: float = 1e-3


    class Drift:
        \"\"\"Keeps the logits of real samples near zero.\"\"\"

        def __init__(self, settings):
            self.weight = settings.weight

        def __call__(self, critic, real, fake, condition, rng):
            return self.weight * sum(logits.float().square().mean() for logits in critic(real, condition).logits)


    @genframe.hookimpl
    def genframe_regularizers():
        yield RegularizerSpec(name="drift", summary="Small logits", factory=Drift, settings=DriftSettings)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_augmentations() -> Iterable[AugmentationSpec]:
    """Differentiable augmentations of what the critic sees: ``--augmentation brightness``.

    ```python
    import genframe
    from genframe.specs import AugmentationSpec


    class Brightness:
        \"\"\"Adds one random number to each sample.\"\"\"

        def __init__(self, settings):
            pass

        def __call__(self, samples, rng):
            import torch

            shape = (len(samples),) + (1,) * (samples.ndim - 1)
            return samples + torch.empty(shape, device=samples.device).uniform_(-0.2, 0.2, generator=rng)


    @genframe.hookimpl
    def genframe_augmentations():
        yield AugmentationSpec(name="brightness", summary="Random brightness", factory=Brightness)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_terms() -> Iterable[TermSpec]:
    """Further terms of the generator's loss: ``--set 'terms=["distance"]'``.

    ```python
    from dataclasses import dataclass

    import genframe
    from genframe.specs import TermSpec


    @dataclass(frozen=True, kw_only=True)
    class DistanceSettings:
        weight: float = 100.0


    class Distance:
        \"\"\"The L1 distance to the batch's own picture.\"\"\"

        def __init__(self, settings):
            self.weight = settings.weight

        def __call__(self, batch, output, real, fake):
            return self.weight * (output - batch["image"]).abs().mean()


    @genframe.hookimpl
    def genframe_terms():
        yield TermSpec(name="distance", summary="L1 to the target", factory=Distance, settings=DistanceSettings)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_datasets() -> Iterable[DatasetSpec]:
    """Datasets: ``--data bars``.

    ```python
    from dataclasses import dataclass, replace

    import genframe
    from genframe.shapes import Field
    from genframe.specs import DatasetSpec


    @dataclass(frozen=True, kw_only=True)
    class Bars:
        \"\"\"Pictures with one bright row or one bright column.\"\"\"

        fields = {
            "image": Field(kind="image", shape=(1, 8, 8)),
            "label": Field(kind="class", classes=("row", "column")),
        }
        members: tuple = tuple(range(160))

        def __len__(self):
            return len(self.members)

        def split(self, part):
            heldout = [i for i in self.members if i % 10 < 2]
            return replace(self, members=tuple(i for i in self.members if (i in heldout) == (part == "heldout")))

        def read(self, indices, *, epoch, seed):
            import torch

            members = torch.tensor([self.members[i] for i in indices], dtype=torch.int64)
            images = torch.zeros(len(members), 1, 8, 8, dtype=torch.uint8)
            for image, member in zip(images[:, 0], members, strict=True):
                (image if member % 2 == 0 else image.T)[member // 2 % 8] = 255
            return {"image": images, "label": members % 2}


    @genframe.hookimpl
    def genframe_datasets():
        yield DatasetSpec(name="bars", summary="Rows and columns", factory=lambda settings: Bars())
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_metrics() -> Iterable[MetricSpec]:
    """Metrics: ``genframe evaluate RUN --metric brightness``.

    ```python
    import genframe
    from genframe.interfaces import Measurement
    from genframe.specs import MetricSpec


    class Brightness:
        \"\"\"How far the mean pixel of samples is from that of the held-out data, of 255.\"\"\"

        def __init__(self, settings):
            pass

        def measure(self, view):
            heldout = view.dataset().split("heldout")
            real = heldout.read(range(len(heldout)), epoch=0, seed=0)["image"].float().mean()
            fake = (view.samples(256).output.mean() + 1) * 127.5
            return Measurement(value=abs(float(real - fake)), protocol={"samples": 256, "seed": view.seed})


    @genframe.hookimpl
    def genframe_metrics():
        yield MetricSpec(name="brightness", summary="Error of the mean pixel", factory=Brightness, better="lower")
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_visualizers() -> Iterable[VisualizerSpec]:
    """Visualizers: ``genframe visualize RUN mean``.

    ```python
    import genframe
    from genframe.specs import VisualizerSpec


    class Mean:
        \"\"\"The mean of 256 samples.\"\"\"

        def __init__(self, settings):
            pass

        def draw(self, view):
            from genframe.pictures import Row, sheet

            mean = view.samples(256).output.mean(0, keepdim=True)
            return sheet([Row(label="mean", images=mean)], title=view.title)


    @genframe.hookimpl
    def genframe_visualizers():
        yield VisualizerSpec(name="mean", summary="The mean sample", factory=Mean)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_observers() -> Iterable[ObserverSpec]:
    """Observers: they watch a run at log cadence: ``--set 'observers=["best"]'``.

    ```python
    import genframe
    from genframe.specs import ObserverSpec


    class Best:
        \"\"\"Remembers the smallest generator loss and writes it beside the run.\"\"\"

        def __init__(self, settings):
            self.best = float("inf")

        def started(self, run):
            self.file = run["directory"] / "best.txt"

        def logged(self, step, values):
            self.best = min(self.best, values.get("generator_loss", self.best))

        def sampled(self, step, view, picture):
            pass

        def finished(self, outcome):
            self.file.write_text(f"{self.best}\\n")


    @genframe.hookimpl
    def genframe_observers():
        yield ObserverSpec(name="best", summary="The smallest generator loss", factory=Best)
    ```
    """
    raise AssertionError("a specification is never called")


@hookspec
def genframe_experiments() -> Iterable[ExperimentSpec]:
    """Experiments: ``genframe reproduce width --budget 5``.

    ```python
    import genframe
    from genframe.experiments import Finding, Report, Training
    from genframe.specs import ExperimentSpec


    class Width:
        \"\"\"Whether networks of twice the width err less.\"\"\"

        def __init__(self, settings):
            self.trainings = {
                f"width {width}": Training(recipe="cdcgan", steps=1000, settings={"architecture.width": width})
                for width in (16, 32)
            }

        def conclude(self, evidence):
            narrow, wide = (
                sum(evidence.measure(name, seed, "nn1").value for seed in evidence.seeds) / len(evidence.seeds)
                for name in self.trainings
            )
            finding = Finding(
                claim="Wider networks err less.",
                source="folklore",
                measured=f"{narrow:.1%} and {wide:.1%}",
                verdict="confirmed" if wide < narrow else "refuted",
                reason="The means of all seeds are compared.",
            )
            return Report(question="Does width help?", protocol="1-NN error.", findings=[finding])


    @genframe.hookimpl
    def genframe_experiments():
        yield ExperimentSpec(name="width", summary="Does width help?", factory=Width)
    ```
    """
    raise AssertionError("a specification is never called")
