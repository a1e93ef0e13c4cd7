"""Trains what an experiment names and answers what it asks; both are kept on disk and never done twice.

Under the folder of runs lie, for each experiment, one run directory a training and seed, called by a digest of its
whole configuration, ``schedule.json`` with the lengths that a budget led to, and in each run ``answers.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import genframe
from genframe.build import Builder, build_part
from genframe.config import Tree, tree_of
from genframe.errors import ConfigError, DivergenceError
from genframe.experiments import Experiment, Figure, Training
from genframe.figures import measurement_entry
from genframe.interfaces import Dataset, Metric, Picture, RunView, Visualizer
from genframe.loading import load_generator, of_runs
from genframe.planning import Plan, plan
from genframe.registry import Registry, load_registry
from genframe.reproducing.schedule import affordable, step_seconds
from genframe.run import run
from genframe.rundir import RunDirectory
from genframe.rundir.files import write_atomically
from genframe.sampling_noise import with_noise
from genframe.specs import Choice

#: Says how far it is.
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Means:
    """With what an experiment is done.

    Attributes:
        folder: where its runs are kept.
        seeds: of the trainings.
        budget: in minutes; None is the full schedule.
        data_dir: the folder of the named datasets' own files; empty for their default.
        device: where to train.
        processes: so many trainings go on side by side.
        plugins_dirs: folders of plugins.
    """

    folder: Path
    seeds: Sequence[int] = (0, 1, 2)
    budget: float | None = None
    data_dir: str = ""
    device: str = "auto"
    processes: int = 1
    plugins_dirs: tuple[Path, ...] = ()


class Laboratory:
    """The evidence of an experiment; see `genframe.experiments.Evidence`."""

    def __init__(self, experiment: Experiment, means: Means, registry: Registry, tell: Tell) -> None:
        self._trainings = dict(experiment.trainings)
        _check(self._trainings)
        self._means, self._registry, self._tell = means, registry, tell
        self._steps: dict[str, int] = {name: each.steps for name, each in self._trainings.items()}
        self._datasets: dict[str, Dataset] = {}
        self._folders: dict[tuple[str, int], Path] = {}

    @property
    def seeds(self) -> Sequence[int]:
        """Of the trainings."""
        return self._means.seeds

    @property
    def share(self) -> float:
        """The smallest share of its full schedule that any training got."""
        return min((self._steps[name] / each.steps for name, each in self._trainings.items()), default=1.0)

    @property
    def trainings(self) -> Mapping[str, Training]:
        """What is trained."""
        return self._trainings

    def steps(self, training: str) -> int:
        """How many steps that training made."""
        return self._steps[training]

    def train(self) -> None:
        """Trains whatever is not there yet; a run that was interrupted goes on.

        Raises:
            GenframeError: the sentence says what is wrong.
        """
        if self._means.budget is not None:
            self._steps = self._scheduled(self._means.budget)
            self._folders.clear()
        jobs = [(name, seed) for name in self._trainings for seed in self.seeds if not self._is_done(name, seed)]
        first = [job for job in jobs if not self._trainings[job[0]].origin]
        for wave in (first, [job for job in jobs if job not in first]):
            self._train_all(wave)

    def outcome(self, training: str, seed: int) -> str:
        """How the run ended."""
        return str(RunDirectory(self._folder(training, seed)).read_run()["status"])

    def view(self, training: str, seed: int, *, noise: str | None = None) -> RunView:
        """The run at its end.

        Raises:
            ConfigError: it diverged.
        """
        if self.outcome(training, seed) == "diverged":
            raise ConfigError(f"training '{training}' diverged with seed {seed}: it has nothing to look at")
        generator = load_generator(self._folder(training, seed), self._registry, device=self._means.device)
        name, settings = _law(noise)
        generator, _ = with_noise(generator, self._registry, noise=name, settings=settings)
        builder, key = Builder(generator.config, of_runs(self._registry)), json.dumps(generator.config.tree()["data"])

        def dataset() -> Dataset:
            if key not in self._datasets:
                self._datasets[key] = builder.dataset()
            return self._datasets[key]

        return generator.view(0, dataset)

    def measure(self, training: str, seed: int, metric: str, *, noise: str | None = None, **settings: Any) -> Figure:
        """A metric of a run; a run that diverged has no figure."""
        if self.outcome(training, seed) == "diverged":
            return Figure(value=math.nan, interval=None, protocol={"outcome": "diverged"})
        words = [metric, *([noise] if noise else []), *(f"{name}={value}" for name, value in sorted(settings.items()))]
        key = ", ".join(words)

        def ask() -> Any:
            part = build_part(self._registry, "metric", Choice(name=metric, settings=settings), metric)
            return measurement_entry(cast(Metric, part).measure(self.view(training, seed, noise=noise)))

        entry = self._answer(training, seed, key, ask)
        interval = entry.get("interval")
        return Figure(
            value=math.nan if entry["value"] is None else entry["value"],
            interval=None if interval is None else (interval[0], interval[1]),
            protocol=entry["protocol"],
        )

    def draw(self, training: str, seed: int, visualizer: str, *, noise: str | None = None, **settings: Any) -> Picture:
        """A picture of a run."""
        part = build_part(self._registry, "visualizer", Choice(name=visualizer, settings=settings), visualizer)
        return cast(Visualizer, part).draw(self.view(training, seed, noise=noise))

    def remember(self, training: str, seed: int, key: str, ask: Callable[[RunView], Any]) -> Any:
        """What `ask` says of a run."""
        return self._answer(training, seed, key, lambda: ask(self.view(training, seed)))

    def answers(self) -> dict[str, dict[str, Any]]:
        """Everything that was asked so far, by training and seed."""
        found = {}
        for name in self._trainings:
            for seed in self.seeds:
                file = self._folder(name, seed) / "answers.json"
                found[f"{name}, seed {seed}"] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def _answer(self, training: str, seed: int, key: str, ask: Callable[[], Any]) -> Any:
        file = self._folder(training, seed) / "answers.json"
        answers = json.loads(file.read_text()) if file.exists() else {}
        if key not in answers:
            self._tell(f"{training}, seed {seed}: {key}")
            answers[key] = json.loads(json.dumps(ask()))
            write_atomically(file, json.dumps(answers).encode())
        return answers[key]

    def _scheduled(self, budget: float) -> dict[str, int]:
        """The lengths that a budget led to when it was first asked for."""
        asked = [budget, list(self.seeds), self._means.processes, *map(repr, self._trainings.items())]
        file = self._means.folder / "schedule.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        key = _digest(asked)
        if key not in known:
            self._tell("timing a few steps of each training")
            configs = {name: self.planned(name, self.seeds[0]).config for name in self._trainings}
            seconds = step_seconds(configs, self._registry)
            whole = 60.0 * budget * self._means.processes
            known[key] = affordable(self._trainings, seconds, len(self.seeds), whole)
            self._means.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(known).encode())
        return cast(dict[str, int], known[key])

    def planned(self, name: str, seed: int, *, folder: Path | None = None) -> Plan:
        """What is run; without a folder, as if it branched from nothing."""
        training, steps = self._trainings[name], self._steps[name]
        flags = {
            "log_every": 25,
            "sample_every": max(steps // training.pictures, 1),
            "checkpoint_every": "60s",
            **training.flags,
        }
        flags |= {"seed": seed, "steps": steps, "device": self._means.device}
        if training.data:
            flags["data"] = training.data
        settings: Mapping[str, Any] = {"metrics": [], "observers": [], **training.settings}
        branch = self._folder(training.origin, seed) if training.origin and folder is not None else None
        trees = [tree_of(key, value) for key, value in settings.items()]

        def with_flags(more: Mapping[str, Any]) -> Plan:
            return plan(
                self._registry,
                recipe=None if branch else training.recipe,
                options={**flags, **more},
                settings=trees,
                output_dir=folder,
                resume=folder is not None,
                branch_from=branch,
            )

        made = with_flags({})
        takes_folder = self._means.data_dir and hasattr(self._data_settings(made), "data_dir")
        return with_flags({"data_dir": self._means.data_dir}) if takes_folder else made

    def _data_settings(self, made: Plan) -> Any:
        spec = self._registry.find_spec("dataset", made.config.parts["data"].name)
        return getattr(spec, "settings", None)

    def _folder(self, name: str, seed: int) -> Path:
        """By a digest of its whole configuration, of what it branches from, and of genframe's version."""
        if (name, seed) not in self._folders:
            origin = self._trainings[name].origin
            made = [self.planned(name, seed).config.tree(), genframe.__version__]
            made += [self._folder(origin, seed).name] if origin else []
            readable = f"{name}-seed{seed}".replace(" ", "-").replace("/", "-")
            self._folders[name, seed] = self._means.folder / f"{readable}-{_digest(made)}"
        return self._folders[name, seed]

    def _is_done(self, name: str, seed: int) -> bool:
        ended = ("finished", "diverged")
        return (self._folder(name, seed) / "run.json").exists() and self.outcome(name, seed) in ended

    def _train_all(self, jobs: Sequence[tuple[str, int]]) -> None:
        work = []
        for name, seed in jobs:
            folder = self._folder(name, seed)
            work.append((self.planned(name, seed, folder=folder), folder, self._means.plugins_dirs))
        with _workers(min(self._means.processes, len(work))) as each:
            for (name, seed), said in zip(jobs, each(_trained, work), strict=True):
                self._tell(f"{name}, seed {seed}: {said}")


def _trained(job: tuple[Plan, Path, tuple[Path, ...]]) -> str:
    """Trains one run and says how it went. Called in a process of its own, where there are several."""
    planned, folder, plugins_dirs = job
    try:
        finished = run(planned, load_registry(plugins_dirs), output_dir=folder)
    except DivergenceError as error:  # an answer, too
        return str(error)
    timings = finished.summary["timings"]
    return f"{planned.config.training.steps:,} steps in {timings['seconds']:.0f} s"


@contextmanager
def _workers(processes: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Something like ``map``."""
    if processes <= 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _law(noise: str | None) -> tuple[str | None, list[Tree]]:
    """The name and the settings of ``gaussian:deviation=2,dim=10``."""
    if noise is None:
        return None, []
    name, _, settings = noise.partition(":")
    pairs = [text.partition("=") for text in settings.split(",") if text]
    return name, [tree_of(f"noise.{key}", json.loads(value)) for key, _, value in pairs]


def _check(trainings: Mapping[str, Training]) -> None:
    seen: set[str] = set()
    for name, training in trainings.items():
        if training.origin and training.origin not in seen:
            raise ConfigError(f"training '{name}' branches from '{training.origin}', which is not listed before it")
        if training.origin and trainings[training.origin].origin:
            raise ConfigError(f"training '{name}' branches from '{training.origin}', which is a branch itself")
        seen.add(name)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:10]
