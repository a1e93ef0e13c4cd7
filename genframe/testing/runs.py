"""Runs of a few steps: what metrics, visualizers and observers look at, and what algorithms are tried in.

They use parts of genframe's own by name, small ones, on digits that need no download. Each is trained once for all
checks of a process.
"""

from __future__ import annotations

import atexit
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from genframe.assembly import Assembly, assemble
from genframe.build import Builder
from genframe.config import RunConfig, resolve
from genframe.errors import PluginError
from genframe.interfaces import Batch, Fitted, NoiseSampler, Observer, RunView
from genframe.loading import load_generator
from genframe.planning import Plan
from genframe.registry import Registry
from genframe.run import Run, run
from genframe.specs import Choice, RecipeSpec, Slot
from genframe.testing.results import SkippedError
from genframe.testing.subject import Subject, first_of
from genframe.training.batches import batches

_T = TypeVar("_T")

#: The length and the cadences of a run in which everything happens at least once.
TRAINING: Mapping[str, Any] = {
    "steps": 4,
    "batch_size": 16,
    "device": "cpu",
    "precision": "float32",
    "backend": "torch",
    "threads": 1,
    "log_every": 2,
    "sample_every": 2,
    "checkpoint_every": 4,
}

#: What fills a slot of this kind.
FILLINGS: Mapping[str, Choice] = {
    # As many standard normal numbers as the data has pixels: this suits models of densities, too.
    "noise": Choice(name="genframe/gaussian", settings={"dim": 64}),
    "objective": Choice(name="genframe/non-saturating"),
}

#: A conditioning scheme with labels, and the one without.
LABELLED = Choice(name="genframe/concat")
UNLABELLED = Choice(name="genframe/none")

#: Both networks of a game, in small.
NETWORKS = Choice(name="genframe/dcgan", settings={"width": 4})

DATA = Choice(name="genframe/digits")

_PREVIEW = Choice(name="genframe/samples", settings={"columns": 2, "count": 4})


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run of a few steps on disk.

    Attributes:
        config: its configuration.
        run: where it is and what it says.
        view: what metrics and visualizers see of it.
    """

    config: RunConfig
    run: Run
    view: RunView


_finished: dict[str, Finished] = {}


def game(conditioning: Choice) -> RecipeSpec:
    """A generator and a critic on digits."""
    return RecipeSpec(
        name="conformance",
        summary="A few steps, to have something to look at",
        algorithm=Choice(name="genframe/adversarial"),
        architecture=NETWORKS,
        conditioning=conditioning,
        data=DATA,
        slots=dict(FILLINGS),
        training=TRAINING,
        preview=_PREVIEW,
    )


def trial(
    registry: Registry, algorithm: Choice, slots: Mapping[str, Slot], architecture: Choice, conditioning: Choice
) -> RunConfig:
    """The configuration of a few steps of an algorithm; its slots hold what they must, and noise.

    Raises:
        SkippedError: a part that it needs is not there.
        ConfigError: the parts refuse the algorithm's or their own settings.
    """
    recipe = RecipeSpec(
        name="conformance",
        summary="A few steps",
        algorithm=algorithm,
        architecture=architecture,
        conditioning=conditioning,
        data=DATA,
        slots={
            name: FILLINGS.get(slot.kind) or _first(registry, slot.kind)
            for name, slot in slots.items()
            if not slot.many and (slot.required or slot.kind == "noise")
        },
        preview=_PREVIEW,
    )
    return configured(recipe, registry)


def assembled(config: RunConfig, registry: Registry, **training: Any) -> Assembly:
    """A run before its first step.

    Args:
        config: what it is made of.
        registry: where its parts come from.
        training: settings of the training that differ, such as ``precision="bfloat16"``.
    """
    changed = dataclasses.replace(config.training, **training)
    return assemble(dataclasses.replace(config, training=changed), registry)


def stream_of(assembly: Assembly) -> Iterator[Batch]:
    """The batches of its steps, without end."""
    return batches(assembly.train, batch_size=assembly.batch_size, seed=assembly.config.seed)


def _first(registry: Registry, kind: str) -> Choice:
    offered = registry.all(kind)
    if not offered:
        raise SkippedError(f"the kit's run wants a part of the kind {kind}, and none is installed")
    return Choice(name=offered[0].qualified_name)


def configured(recipe: RecipeSpec, registry: Registry) -> RunConfig:
    """The configuration of a short run of a recipe, without its metrics and observers.

    Raises:
        SkippedError: a part of genframe's own is not there.
    """
    changes = {"training": dict(TRAINING), "metrics": [], "observers": []}
    try:
        return resolve(recipe, [changes], registry.find_spec)
    except PluginError as error:
        raise SkippedError(f"the kit's own run cannot be made: {error}") from None


def trained(config: RunConfig, registry: Registry, *, observers: Sequence[Observer] = ()) -> Run:
    """A run of this configuration in a folder of its own, which goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="genframe-conformance-")
    atexit.register(folder.cleanup)
    return run(Plan(config=config), registry, output_dir=Path(folder.name) / "run", observers=observers)


def finished(recipe: RecipeSpec, registry: Registry) -> Finished:
    """A short run of a recipe, made once."""
    config = configured(recipe, registry)
    key = repr(config)
    if key not in _finished:
        done = trained(config, registry)
        view = load_generator(done.directory, registry).view(0, Builder(config, registry).dataset)
        _finished[key] = Finished(config=config, run=done, view=view)
    return _finished[key]


def runs(subject: Subject) -> Iterator[Callable[[], Finished]]:
    """Runs to try a part on: of classes, without labels, and of the recipes that its own plugin offers."""
    own = [each.spec for each in subject.registry.all("recipe") if each.plugin == subject.found.plugin]
    for recipe in (game(LABELLED), game(UNLABELLED), *own):
        yield lambda recipe=recipe: finished(cast(RecipeSpec, recipe), subject.registry)  # type: ignore[misc]


def on_some_run(subject: Subject, use: Callable[[Finished], _T]) -> _T:
    """What `use` gives on the first run that suits the part.

    Raises:
        SkippedError: none does; the sentence says why, in the part's own words.
    """
    return first_of((lambda make=make: use(make())) for make in runs(subject))  # type: ignore[misc]


def fitted(sampler: Fitted, subject: Subject) -> NoiseSampler:
    """The sampler, fitted to some run.

    Raises:
        SkippedError: no run suits it.
    """
    on_some_run(subject, lambda done: sampler.fit(done.view))
    return cast(NoiseSampler, sampler)
