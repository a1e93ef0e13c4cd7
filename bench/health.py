"""The table of docs/training.md: what the health monitor finds among planted collapses and healthy runs.

    python bench/health.py [--smoke] [--seeds 1 2] [--only KIND ...] [--output bench/results/health.json]

Each run really trains, mostly on the embedded digits and with small networks. Whether a planted run has collapsed is
not for the monitor to say but for the data held out: the *coverage* is how much nearer a held-out sample is to the
nearest of 1,500 generated ones than to the mean training sample, where the nearest training sample gives 1; within a
class where there is one. Samples that are all alike cover nothing, at best as much as the mean does: 0. The monitor's
statistic and thresholds were chosen on seed 0; the table is of other seeds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import genframe
from genframe.interfaces import Batch, Critique, Dataset, RunView
from genframe.randomness import normal, random_bits
from genframe.specs import NoiseSpec, ObserverSpec, TermSpec

#: So many real and generated samples, at most.
MOST = 1500


@dataclass(frozen=True, kw_only=True)
class FadingSettings:
    """How many numbers z has, and of how many different z there are at all (0: any number)."""

    dim: int = 32
    modes: int = 0


class Fading:
    """Normal noise that something else may fade out, or that knows a few values only."""

    def __init__(self, settings: FadingSettings) -> None:
        self.shape = (settings.dim,)
        self.modes, self.scale = settings.modes, 1.0

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """See `genframe.interfaces.NoiseSampler`."""
        if not self.modes:
            return self.scale * normal(indices, self.shape, key)
        known = normal(torch.arange(self.modes), self.shape, 0)
        return known[random_bits(indices, 1, key)[:, 0] % self.modes]

    def project(self, noise: Tensor) -> Tensor:
        """All of space."""
        return noise


@dataclass(frozen=True, kw_only=True)
class FadeSettings:
    """From which step on the noise is so much smaller."""

    step: int = 300
    scale: float = 0.02


class Fade:
    """An observer that interferes: it fades the noise out in the midst of a run."""

    def __init__(self, settings: FadeSettings) -> None:
        self._settings = settings

    def started(self, run: Mapping[str, Any]) -> None:
        """Nothing."""

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """Nothing."""

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """Nothing."""

    def viewed(self, step: int, view: RunView) -> str | None:
        """Fades."""
        if step >= self._settings.step:
            assert isinstance(view.trained.noise, Fading)
            view.trained.noise.scale = self._settings.scale
        return None


@dataclass(frozen=True, kw_only=True)
class SqueezeSettings:
    """Which classes are drawn to their mean, and how much that counts in the generator's loss."""

    classes: tuple[int, ...] = (3,)
    weight: float = 50.0


class Squeeze:
    """Draws the samples of some classes together."""

    def __init__(self, settings: SqueezeSettings) -> None:
        self._settings = settings

    def __call__(self, batch: Batch, output: Tensor, real: Critique | None, fake: Critique | None) -> Tensor:
        """The variance within those classes."""
        loss = 0.0 * output.sum()
        for label in self._settings.classes:
            members = output[batch["label"] == label]
            if len(members):
                loss = loss + (members - members.mean(0).detach()).square().mean()
        return self._settings.weight * loss


genframe.register(NoiseSpec(name="fading", summary="May fade out", factory=Fading, settings=FadingSettings))
genframe.register(ObserverSpec(name="fade", summary="Fades the noise out", factory=Fade, settings=FadeSettings))
genframe.register(TermSpec(name="squeeze", summary="Collapses classes", factory=Squeeze, settings=SqueezeSettings))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of run.

    Attributes:
        says: what it is, in words.
        flags: of `genframe.train`.
        settings: of ``--set``.
        classes: that were planted, where it is not all of them.
        observers: beside the monitor.
    """

    says: str
    flags: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[int, ...] = ()
    observers: tuple[str, ...] = ()


_SMALL = {"architecture.width": 16, "architecture.hidden": 128}
_BARE = {"architecture.width": 16}
_FROZEN = {"algorithm.critic_learning_rate": 1e-7}
_FACES = {"recipe": "dcgan", "data": "emoticons", "lr": 1e-3, "steps": 400}
_FEW_FACES = {"architecture.width": 8, "data.count": 500, "data.image_size": 32}

PLANTED: Mapping[str, Kind] = {
    "frozen": Kind(says="the critic hardly learns", settings=_SMALL | _FROZEN),
    "frozen-unlabelled": Kind(says="the same without labels", flags={"recipe": "dcgan"}, settings=_BARE | _FROZEN),
    "generator-ahead": Kind(
        says="four updates of the generator for one of a slow critic",
        settings=_SMALL
        | {
            "algorithm.updates": ["critic", "generator", "generator", "generator", "generator"],
            "algorithm.critic_learning_rate": 2e-5,
        },
        flags={"steps": 400},
    ),
    "rate": Kind(says="a learning rate of 0.05", flags={"lr": 0.05}, settings=_SMALL),
    "sgd": Kind(
        says="SGD, rate 0.1, momentum 0.9, without labels",
        flags={"recipe": "dcgan", "lr": 0.1},
        settings=_BARE | {"algorithm.optimizer": "sgd", "algorithm.momentum": 0.9},
    ),
    "faded": Kind(says="z fades out half way", flags={"noise": "fading"}, settings=_SMALL, observers=("fade",)),
    "few-unlabelled": Kind(
        says="three different z, without labels",
        flags={"recipe": "dcgan", "noise": "fading", "lr": 1e-3},
        settings=_BARE | {"noise.modes": 3},
    ),
    "few": Kind(says="two different z", flags={"noise": "fading"}, settings=_SMALL | {"noise.modes": 2}),
    "one-class": Kind(
        says="one class of ten collapses", settings=_SMALL | {"terms": [{"name": "squeeze"}]}, classes=(3,)
    ),
    "mirza2014": Kind(
        says="`cgan-mirza2014` with smaller layers on the digits",
        flags={"recipe": "cgan-mirza2014", "data": "digits", "steps": 600},
        settings={"architecture.joint_units": 240, "architecture.critic_units": 48},
    ),
}

HEALTHY: Mapping[str, Kind] = {
    "cdcgan": Kind(says="`cdcgan`, small", settings=_SMALL),
    "dcgan": Kind(says="`dcgan`, small", flags={"recipe": "dcgan"}, settings=_BARE),
    "dcgan-fast": Kind(says="the same, rate 1e-3", flags={"recipe": "dcgan", "lr": 1e-3}, settings=_BARE),
    "gaussian": Kind(says="normal noise", flags={"noise": "gaussian"}, settings=_SMALL),
    "slow": Kind(says="rate 2e-4", flags={"lr": 2e-4}, settings=_SMALL),
    "no-dense": Kind(says="no dense layers", settings=_BARE | {"architecture.hidden": 0}),
    "narrow": Kind(says="z of 8 numbers", flags={"noise_dim": 8}, settings=_SMALL),
    "no-average": Kind(says="no running average", settings=_SMALL | {"training.ema": 0.0}),
    "small-batch": Kind(says="batches of 16", flags={"batch_size": 16}, settings=_SMALL),
    "faces": Kind(says="`dcgan` on 500 emoticons", flags=_FACES, settings=_FEW_FACES),
}


def pixels(dataset: Dataset) -> tuple[Tensor, Tensor | None]:
    """At most so many samples ``(N, D)`` in [-1, 1], and their classes ``(N,)`` where there are some."""
    batch = dataset.read(range(0, len(dataset), max(1, len(dataset) // MOST)), epoch=0, seed=0)
    return batch["image"].flatten(1).float() / 127.5 - 1.0, batch.get("label")


def coverage(heldout: Tensor, known: Tensor, generated: Tensor) -> float:
    """Of held-out samples ``(N, D)`` by generated ones ``(M, D)``, beside that by training samples ``(K, D)``."""
    mean = (heldout - known.mean(0)).norm(dim=1).mean()
    ours, best = (torch.cdist(heldout, others).min(1).values.mean() for others in (generated, known))
    return float((mean - ours) / (mean - best))


class Judge:
    """An observer that keeps the last view, and says what a run was like without the monitor's help."""

    def started(self, run: Mapping[str, Any]) -> None:
        """Nothing."""

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """Remembers the view."""
        self._view = view

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """Nothing."""

    def coverage(self, classes: tuple[int, ...]) -> float:
        """The coverage, on average over the given classes, or over all."""
        train, heldout = (self._view.dataset().split(part) for part in ("train", "heldout"))
        samples = self._view.samples(MOST)
        labels = samples.condition.get("label")
        (known, known_labels), (real, real_labels) = pixels(train), pixels(heldout)
        generated = samples.output.flatten(1)
        if labels is None or known_labels is None or real_labels is None:
            return coverage(real, known, generated)
        return statistics.mean(
            coverage(real[real_labels == label], known[known_labels == label], generated[labels == label])
            for label in classes or range(int(labels.max()) + 1)
        )


def measured(name: str, kind: Kind, seed: int, folder: Path, steps: int | None) -> dict[str, Any]:
    """One run: what the monitor said, and what it was like."""
    flags: dict[str, Any] = {"recipe": "cdcgan", "steps": 600} | dict(kind.flags)
    flags |= {"steps": steps} if steps else {}
    observers = [{"name": "health", "every": 50}, *({"name": each} for each in kind.observers)]
    settings = dict(kind.settings) | {"metrics": [], "observers": observers}
    judge, began = Judge(), time.monotonic()
    run = genframe.train(
        **flags,
        seed=seed,
        device="cpu",
        log_every=25,
        sample_every=10**9,
        checkpoint_every=10**9,
        output_dir=folder / f"{name}-{seed}",
        settings=settings,
        observers=[judge],
    )
    seconds = time.monotonic() - began
    rows = [json.loads(line) for line in (run.directory / "health.jsonl").read_text().splitlines()]
    return {
        "kind": name,
        "says": kind.says,
        "seed": seed,
        "steps": flags["steps"],
        "coverage": round(judge.coverage(kind.classes), 4),
        "diversity": rows[-1]["diversity"] if rows else None,
        "lowest": rows[-1].get("lowest") if rows else None,
        "looks": [row["diversity"] for row in rows],
        "remarks": run.summary["remarks"],
        "seconds": round(seconds, 1),
    }


def collapse(row: Mapping[str, Any]) -> int | None:
    """The step at which a collapse was suspected."""
    return next((each["step"] for each in row["remarks"] if each["sentence"].startswith("mode collapse")), None)


def table(planted: list[dict[str, Any]], healthy: list[dict[str, Any]]) -> str:
    """All kinds, as Markdown."""
    lines = ["| run | coverage | diversity at the end | suspected at step |", "|---|---|---|---|"]
    for rows, title in ((planted, "planted"), (healthy, "healthy")):
        for name in dict.fromkeys(row["kind"] for row in rows):
            mine = [row for row in rows if row["kind"] == name]
            figures = [", ".join(f"{row[key]:.2f}" for row in mine) for key in ("coverage", "diversity")]
            steps = ", ".join(str(collapse(row) or "never") for row in mine)
            lines.append(f"| {title}: {mine[0]['says']} | {' | '.join(figures)} | {steps} |")
    return "\n".join(lines)


def verdict(planted: list[dict[str, Any]], healthy: list[dict[str, Any]]) -> dict[str, int]:
    """How many of how many were found, and how many false alarms there were."""
    collapsed = [row for row in planted if row["coverage"] <= 0]
    return {
        "planted": len(planted),
        "collapsed": len(collapsed),
        "found": sum(collapse(row) is not None for row in collapsed),
        "healthy": len(healthy),
        "false_alarms": sum(bool(row["remarks"]) for row in healthy),
    }


def main() -> None:
    """Runs everything, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="One run of each sort, a few steps: for tests")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", help="Kinds of runs")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "health.json")
    options = parser.parse_args()
    only = ["frozen", "cdcgan"] if options.smoke else options.only
    seeds, steps = ([1], 50) if options.smoke else (options.seeds, None)
    with tempfile.TemporaryDirectory() as folder:
        planted, healthy = (
            [
                measured(name, kind, seed, Path(folder), steps)
                for name, kind in kinds.items()
                if not only or name in only
                for seed in seeds
            ]
            for kinds in (PLANTED, HEALTHY)
        )
    found = verdict(planted, healthy)
    result = {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "date": datetime.now(UTC).date().isoformat(),
        "verdict": found,
        "planted": planted,
        "healthy": healthy,
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(planted, healthy))
    print("{found} of {collapsed} collapses found, {false_alarms} false alarms in {healthy} runs".format(**found))


if __name__ == "__main__":
    main()
