"""The records that plugins offer, one class a kind. Importing them imports no torch.

A spec is small and typed: a name, a summary, the class of the settings, and where the factory is, as
``"package.module:attribute"``. The core reads specs to list, check and combine parts; it imports a factory's module
only when a run needs the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from genframe.errors import nearest, quoted
from genframe.shapes import LABEL_KINDS, FieldKind

if TYPE_CHECKING:
    from pathlib import Path

#: The version of the contracts that this release speaks. A spec with a higher one is refused.
API_VERSION = 1

#: ``"package.module:attribute"``, imported when the part is built. In a notebook, the callable itself.
Factory = str | Callable[..., Any]

#: What users type.
NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


def _check_among(what: str, given: Collection[str], known: Collection[str]) -> None:
    wrong = [each for each in given if each not in known]
    if wrong:
        raise ValueError(f"{what} is of {quoted(sorted(known))}; got {quoted(wrong)}.{nearest(wrong[0], known)}")


@dataclass(frozen=True, kw_only=True)
class NoSettings:
    """The settings of a part that has none."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A part chosen by name.

    Attributes:
        name: of the part, or ``distribution/name`` where several plugins offer it.
        settings: those that differ from its defaults.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place of an algorithm that a part fills.

    Attributes:
        kind: the kind of part that fits.
        many: whether any number of parts fits (a regularizer, say) or exactly one.
        required: whether a part must be chosen; a slot for many never requires one.
    """

    kind: str
    many: bool = False
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every spec says.

    Attributes:
        name: what users type: lower case, digits, ``-`` and ``.``.
        summary: one line, for listings.
        api: the version of the contracts that the plugin was written for.
    """

    kind: ClassVar[str]
    hook: ClassVar[str]

    name: str
    summary: str
    api: int = 1

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"the name of {self.kind} {self.name!r} is not of lower case letters, digits, '-' and '.'")
        if not isinstance(self.api, int) or self.api < 1:
            raise ValueError(f"the api of {self.kind} {self.name!r} is a version from 1 on; got {self.api!r}")
        if not self.summary or "\n" in self.summary:
            raise ValueError(f"the summary of {self.kind} {self.name!r} is one line of text")


@dataclass(frozen=True, kw_only=True)
class PartSpec(Spec):
    """A spec of something that is built.

    Attributes:
        factory: called with the validated settings; the kinds that are given more say so.
        settings: a frozen, keyword-only dataclass whose fields all have defaults.
    """

    factory: Factory
    settings: type = NoSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_dataclass(self.settings):
            raise ValueError(f"the settings of {self.kind} {self.name!r} are a dataclass; got {self.settings!r}")
        if any(f.name == "name" for f in fields(self.settings)):
            raise ValueError(f"a setting of {self.kind} {self.name!r} is called 'name', and that is the part's own key")
        bare = [f.name for f in fields(self.settings) if f.default is MISSING and f.default_factory is MISSING]
        if bare:
            raise ValueError(f"every setting of {self.kind} {self.name!r} has a default; {', '.join(bare)} has none")
        if isinstance(self.factory, str) and self.factory.count(":") != 1:
            raise ValueError(
                f"the factory of {self.kind} {self.name!r} is written 'package.module:attribute'; got {self.factory!r}"
            )


@dataclass(frozen=True, kw_only=True)
class AlgorithmSpec(PartSpec):
    """A training algorithm: ``factory(settings, parts)``, where `parts` holds what fills each slot, by slot.

    A slot for many gets a tuple; an optional slot that is empty gets ``None``. Where a run is only sampled, every slot
    but those for noise is empty.

    Attributes:
        slots: the places that parts fill, by name.
        roles: the networks that it needs.
        generates: the roles that sampling needs; their running averages are kept.
        replayable: each step is the same work on other numbers, so that a GPU may record it once and replay it: what
            it does depends on the step's number at most through `Step.turn`, and it neither reads a tensor's value nor
            keeps numbers of its own outside tensors. Nor does what fills its slots.
    """

    kind: ClassVar[str] = "algorithm"
    hook: ClassVar[str] = "genframe_algorithms"

    slots: Mapping[str, Slot] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    generates: frozenset[str] = frozenset()
    replayable: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec(PartSpec):
    """A family of networks: ``factory(settings) -> Architecture``.

    Attributes:
        roles: the networks that it builds.
    """

    kind: ClassVar[str] = "architecture"
    hook: ClassVar[str] = "genframe_architectures"

    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ConditioningSpec(PartSpec):
    """A conditioning scheme: ``factory(settings, problem) -> Conditioning``.

    Attributes:
        carries: the kinds of label that it brings into the networks. A scheme that carries none leaves the dataset's
            labels out of the problem.
    """

    kind: ClassVar[str] = "conditioning"
    hook: ClassVar[str] = "genframe_conditionings"

    carries: frozenset[FieldKind] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_among(f"what conditioning {self.name!r} carries", self.carries, LABEL_KINDS)


@dataclass(frozen=True, kw_only=True)
class NoiseSpec(PartSpec):
    """A noise sampler: ``factory(settings) -> NoiseSampler``."""

    kind: ClassVar[str] = "noise"
    hook: ClassVar[str] = "genframe_noise_samplers"


@dataclass(frozen=True, kw_only=True)
class ObjectiveSpec(PartSpec):
    """An adversarial objective: ``factory(settings) -> Objective``."""

    kind: ClassVar[str] = "objective"
    hook: ClassVar[str] = "genframe_objectives"


@dataclass(frozen=True, kw_only=True)
class RegularizerSpec(PartSpec):
    """A penalty of the critic: ``factory(settings) -> Regularizer``."""

    kind: ClassVar[str] = "regularizer"
    hook: ClassVar[str] = "genframe_regularizers"


@dataclass(frozen=True, kw_only=True)
class AugmentationSpec(PartSpec):
    """A differentiable augmentation: ``factory(settings) -> Augmentation``."""

    kind: ClassVar[str] = "augmentation"
    hook: ClassVar[str] = "genframe_augmentations"


@dataclass(frozen=True, kw_only=True)
class TermSpec(PartSpec):
    """A further term of the generator's loss: ``factory(settings) -> Term``."""

    kind: ClassVar[str] = "term"
    hook: ClassVar[str] = "genframe_terms"


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(PartSpec):
    """A dataset: ``factory(settings) -> Dataset``.

    Attributes:
        opens: for a dataset that reads users' files: whether it reads this path. Its settings then have a ``path``.
            Must be cheap and must not import torch.
    """

    kind: ClassVar[str] = "dataset"
    hook: ClassVar[str] = "genframe_datasets"

    opens: Callable[[Path], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class MetricSpec(PartSpec):
    """A metric: ``factory(settings) -> Metric``.

    Attributes:
        better: which direction is better.
        percent: whether the figure is a fraction that reads best as a percentage.
    """

    kind: ClassVar[str] = "metric"
    hook: ClassVar[str] = "genframe_metrics"

    better: Literal["lower", "higher"]
    percent: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_among(f"what is better of metric {self.name!r}", [self.better], ("lower", "higher"))


@dataclass(frozen=True, kw_only=True)
class VisualizerSpec(PartSpec):
    """A visualizer: ``factory(settings) -> Visualizer``.

    Attributes:
        ending: of the file, where the user names none: ``.png``, ``.gif`` ...
    """

    kind: ClassVar[str] = "visualizer"
    hook: ClassVar[str] = "genframe_visualizers"

    ending: str = ".png"


@dataclass(frozen=True, kw_only=True)
class ObserverSpec(PartSpec):
    """An observer: ``factory(settings) -> Observer``."""

    kind: ClassVar[str] = "observer"
    hook: ClassVar[str] = "genframe_observers"


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec(PartSpec):
    """An experiment: ``factory(settings) -> Experiment``; see `genframe.experiments`."""

    kind: ClassVar[str] = "experiment"
    hook: ClassVar[str] = "genframe_experiments"


@dataclass(frozen=True, kw_only=True)
class RecipeSpec(Spec):
    """What ``genframe run --plugin NAME`` runs: the parts, and settings that differ from their defaults.

    Attributes:
        algorithm, architecture, conditioning, data: one part each.
        slots: what fills the algorithm's slots; a tuple for a slot that takes many.
        training: settings of the training itself, such as ``{"steps": 1500}``; see
            `genframe.training_settings.TrainingSettings`.
        preview: the visualizer that draws ``samples/`` as the run goes.
        metrics: measured at the end, on the held-out part.
        observers: what watches the run.
    """

    kind: ClassVar[str] = "recipe"
    hook: ClassVar[str] = "genframe_recipes"

    algorithm: Choice
    architecture: Choice
    data: Choice
    conditioning: Choice = Choice(name="none")
    slots: Mapping[str, Choice | tuple[Choice, ...]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    preview: Choice = Choice(name="samples")
    metrics: tuple[Choice, ...] = ()
    observers: tuple[Choice, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        singles = (self.algorithm, self.architecture, self.data, self.conditioning, self.preview)
        manys = [*self.metrics, *self.observers]
        for choice in self.slots.values():
            manys += choice if isinstance(choice, tuple) else [choice]
        for part in (*singles, *manys):
            if not isinstance(part, Choice):
                raise ValueError(f"the parts of recipe {self.name!r} are written Choice(name=...); got {part!r}")


#: Every kind, in the order in which listings show them.
SPEC_CLASSES: tuple[type[Spec], ...] = (
    RecipeSpec,
    AlgorithmSpec,
    ArchitectureSpec,
    ConditioningSpec,
    NoiseSpec,
    ObjectiveSpec,
    RegularizerSpec,
    AugmentationSpec,
    TermSpec,
    DatasetSpec,
    MetricSpec,
    VisualizerSpec,
    ObserverSpec,
    ExperimentSpec,
)

KINDS: tuple[str, ...] = tuple(spec_class.kind for spec_class in SPEC_CLASSES)
