"""Which objective and which conditioning on MNIST, at equal steps and at equal seconds.

    python bench/quality_table.py --data-dir DIR [--steps 600] [--seeds 0 1 2] [--processes 1]

Every combination trains the same small networks. First its steps are timed beside all the others', in turn, so that a
noisy machine is noisy for all. "Equal seconds" is the time in which the fastest combination makes all its steps: the
others are measured at the step that they have reached by then, and again after as many steps. Both figures are on the
10,000 test digits, which training never sees.

Everything measured is kept in one JSON file, and what is there is not measured again; from it the table in
``docs/quality.md`` and its picture are made.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

import genframe
from genframe.assembly import assemble
from genframe.build import Builder, build_part
from genframe.config import tree_of
from genframe.loading import load_generator
from genframe.pictures import Row, sheet
from genframe.planning import plan
from genframe.registry import load_registry
from genframe.specs import Choice
from genframe.training.batches import batches

RESULTS = Path(__file__).parent / "results" / "quality_table.json"
SHOWN_SAMPLES = RESULTS.with_suffix(".npz")
PAGE = Path(__file__).parents[1] / "docs" / "quality.md"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "quality-table.png"

CONDITIONINGS = ("concat", "conditional-batch-norm", "projection", "auxiliary-classifier")

#: Objectives with the penalties that their authors pair them with.
OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "non-saturating": {},
    "minimax": {},
    "least-squares": {},
    "hinge": {},
    "wasserstein + gradient-penalty": {
        "objective": "wasserstein",
        "regularizer": ("gradient-penalty",),
        "settings": {"architecture.critic_norm": False, "algorithm.updates": ["critic"] * 5 + ["generator"]},
    },
    "relativistic + r1 + r2": {
        "objective": "relativistic",
        "regularizer": ("r1", "r2"),
        "settings": {"regularizers.0.weight": 0.3, "regularizers.1.weight": 0.3},
    },
}
SMALL = {"architecture.width": 16, "architecture.hidden": 256, "metrics": [], "observers": []}
SAMPLES = 10_000
SHOWN = 20


def flags(objective: str, conditioning: str, data_dir: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The flags of ``genframe run --plugin cdcgan``, and what ``--set`` takes."""
    chosen = dict(OBJECTIVES[objective])
    settings = SMALL | chosen.pop("settings", {})
    return {
        "objective": objective,
        "conditioning": conditioning,
        **mnist(data_dir),
    } | chosen, settings


def mnist(data_dir: str) -> dict[str, Any]:
    """The flags of every run."""
    return {"data": "mnist", "data_dir": data_dir, "device": "cpu", "precision": "float32"}


def combinations() -> Iterator[tuple[str, str]]:
    """Every pair, in the order of the table."""
    return ((objective, conditioning) for objective in OBJECTIVES for conditioning in CONDITIONINGS)


def step_milliseconds(
    commands: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]], rounds: int = 7, steps: int = 10
) -> dict[str, float]:
    """The median time of a training step of each run, timed in turn.

    Args:
        commands: by a name for each, its recipe, its flags and what ``--set`` takes.
        rounds: how often each is timed.
        steps: in each round.
    """
    registry = load_registry()
    runs = {}
    for name, (recipe, options, settings) in commands.items():
        trees = [tree_of(key, value) for key, value in settings.items()]
        assembly = assemble(plan(registry, recipe=recipe, options=options, settings=trees).config, registry)
        runs[name] = (assembly.trainer, batches(assembly.train, batch_size=assembly.batch_size, seed=0))
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, (trainer, stream) in runs.items():
            began = time.perf_counter()
            for step in range(steps):
                trainer.step(number * steps + step, next(stream))
            if number:  # the first round warms up
                taken[name].append((time.perf_counter() - began) / steps * 1e3)
    return {name: round(statistics.median(each), 2) for name, each in taken.items()}


def figures(run: Path) -> dict[str, float]:
    """Both metrics of a run as it is now."""
    registry = load_registry()
    generator = load_generator(run, registry)
    view = generator.view(0, Builder(generator.config, registry).dataset)
    counts = {"nn1": SAMPLES, "label-accuracy": 1000}
    return {
        name: build_part(registry, "metric", Choice(name=name, settings={"count": count}), name).measure(view).value
        for name, count in counts.items()
    }


def measured(job: tuple[str, str, int], steps: int, reached: Mapping[str, int], data_dir: str) -> dict[str, Any]:
    """One run, stopped at equal seconds to be measured, then taken on to equal steps."""
    objective, conditioning, seed = job
    torch.set_num_threads(1)
    options, settings = flags(objective, conditioning, data_dir)
    row: dict[str, Any] = {"objective": objective, "conditioning": conditioning, "seed": seed}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        for key, length in (("seconds", reached[f"{objective} / {conditioning}"]), ("steps", steps)):
            genframe.train(
                "cdcgan", seed=seed, steps=length, output_dir=folder, settings=settings, resume=key == "steps",
                sample_every=steps, checkpoint_every=steps, **options
            )  # fmt: skip
            row[key] = {"step": length} | figures(folder)
        shown = genframe.load(folder).sample(SHOWN, seed=0)
    if seed == 0:
        keep(objective, conditioning, shown[..., 0].numpy())
    return row


def keep(objective: str, conditioning: str, shown: NDArray[np.uint8]) -> None:
    """Adds samples to the file that the picture is drawn from."""
    with FileLock(SHOWN_SAMPLES.with_suffix(".lock")):
        everything: Any = dict(np.load(SHOWN_SAMPLES)) if SHOWN_SAMPLES.exists() else {}
        everything[f"{objective} / {conditioning}"] = shown
        np.savez_compressed(SHOWN_SAMPLES, **everything)


def table(rows: Iterable[Mapping[str, Any]], key: str) -> str:
    """Markdown: the 1-NN error and the label accuracy of each pair, over the seeds."""
    lines = ["| objective | " + " | ".join(CONDITIONINGS) + " |", "|---|" + "---|" * len(CONDITIONINGS)]
    by_pair: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault((row["objective"], row["conditioning"]), []).append(row[key])
    for objective in OBJECTIVES:
        cells = [_cell(by_pair.get((objective, conditioning), [])) for conditioning in CONDITIONINGS]
        lines.append(f"| {objective} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _seeds(rows: Iterable[Mapping[str, Any]]) -> str:
    """How many seeds the cells have."""
    counts = Counter((row["objective"], row["conditioning"]) for row in rows).values()
    return (
        f"Seeds a cell: {min(counts)}."
        if min(counts) == max(counts)
        else f"Seeds a cell: {min(counts)} to {max(counts)}."
    )


def _cell(points: list[Mapping[str, Any]]) -> str:
    if not points:
        return "not measured"
    errors = [100 * point["nn1"] for point in points]
    accuracy = statistics.mean(100 * point["label-accuracy"] for point in points)
    return f"{statistics.mean(errors):.1f} ({min(errors):.1f} to {max(errors):.1f}), labels {accuracy:.1f}"


def picture() -> None:
    """Samples of seed 0 of every pair, a row each."""
    shown = np.load(SHOWN_SAMPLES)
    names = [name for name in map(" / ".join, combinations()) if name in shown]
    tiles = [torch.from_numpy(shown[name])[:, None] / 127.5 - 1.0 for name in names]
    page = sheet(
        [Row(label=_short(name), images=images) for name, images in zip(names, tiles, strict=True)],
        title="MNIST, small networks, equal steps",
        column_labels=[str(number % 10) for number in range(SHOWN)],
    )
    page.save(PICTURE, {})


def _short(name: str) -> str:
    """``hinge, cBN`` for ``hinge / conditional-batch-norm``: what fits beside a row."""
    shorter = {
        "non-saturating": "non-satur.",
        "least-squares": "least sq.",
        "wasserstein + gradient-penalty": "WGAN-GP",
        "relativistic + r1 + r2": "relativistic",
        "conditional-batch-norm": "cBN",
        "auxiliary-classifier": "AC",
        "projection": "proj.",
    }
    return ", ".join(shorter.get(each, each) for each in name.split(" / "))


def write_page(results: Mapping[str, Any]) -> None:
    """The tables between the page's marks."""
    rows, times = results["rows"], results["step_milliseconds"]
    parts = [
        f"Equal steps: {results['steps']:,} of 64 samples. {_seeds(rows)}\n\n{table(rows, 'steps')}\n",
        f"Equal seconds: the time of {results['steps']:,} steps of the fastest pair, "
        f"{results['seconds']:.0f} s on one core of the machine that timed them.\n\n{table(rows, 'seconds')}\n",
        "Milliseconds a step, one core, timed in turn.\n\n"
        "| objective | " + " | ".join(CONDITIONINGS) + " |\n|---|" + "---|" * len(CONDITIONINGS) + "\n"
        + "".join(
            f"| {objective} | " + " | ".join(f"{times[f'{objective} / {each}']:.0f}" for each in CONDITIONINGS) + " |\n"
            for objective in OBJECTIVES
        ),
    ]  # fmt: skip
    write_between("tables", "\n".join(parts))


def write_between(mark: str, text: str) -> None:
    """Puts a text between two marks of the page."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of the {mark} -->\n"
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(before + begin + "\n" + text + "\n" + end + rest.partition(end)[2])


def main() -> None:
    """Measures what is missing, writes the JSON after every run, then the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else _new(options.data_dir, options.steps)
    times, steps = results["step_milliseconds"], results["steps"]
    reached = {name: min(steps, round(results["seconds"] * 1e3 / each)) for name, each in times.items()}
    done = {(row["objective"], row["conditioning"], row["seed"]) for row in results["rows"]}
    jobs = [(*pair, seed) for seed in options.seeds for pair in combinations() if (*pair, seed) not in done]
    work = partial(measured, steps=steps, reached=reached, data_dir=options.data_dir)
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for row in pool.map(work, jobs):
            results["rows"].append(row)
            RESULTS.write_text(json.dumps(results) + "\n")
            print(row["seed"], row["objective"], row["conditioning"], row["seconds"], row["steps"], flush=True)
    SHOWN_SAMPLES.with_suffix(".lock").unlink(missing_ok=True)
    write_page(results)
    picture()


def surroundings() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def _new(data_dir: str, steps: int) -> dict[str, Any]:
    times = step_milliseconds({" / ".join(pair): ("cdcgan", *flags(*pair, data_dir)) for pair in combinations()})
    return surroundings() | {
        "samples": SAMPLES,
        "steps": steps,
        "step_milliseconds": times,
        "seconds": min(times.values()) * steps / 1e3,
        "rows": [],
    }


if __name__ == "__main__":
    main()
