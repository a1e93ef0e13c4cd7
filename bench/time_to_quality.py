"""Minutes of training until generated MNIST digits teach a 1-nearest-neighbour classifier the real ones.

    python bench/time_to_quality.py --data-dir DIR [--recipe cdcgan] [--seeds 0 1 2] [--steps 4000]

The classifier knows 50,000 generated digits and reads the 10,000 real test digits, which training never sees. A run is
trained through and saves a checkpoint every so many steps; the checkpoints are measured afterwards, so that measuring
takes no time from training. Minutes are those that training took up to the checkpoint, saving and logging included.

The curves of all recipes and seeds measured so far are kept in one JSON file, from which the picture is drawn.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import Any, cast

import matplotlib
import torch

import genframe
from genframe.build import Builder, build_part
from genframe.loading import load_generator
from genframe.registry import load_registry
from genframe.rundir.checkpoint import complete_checkpoints
from genframe.specs import Choice

SAMPLES = 50_000
RESULTS = Path(__file__).parent / "results" / "time_to_quality.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "time-to-quality.png"


def curve(recipe: str, seed: int, options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """One run: step, minutes and error of each checkpoint."""
    run = genframe.train(
        recipe,
        data="mnist",
        data_dir=options.data_dir,
        seed=seed,
        steps=options.steps,
        log_every=options.every,
        checkpoint_every=options.every,
        sample_every=options.steps,
        keep_last=options.steps // options.every + 1,
        output_dir=folder,
        settings={"metrics": []},
    )
    rows = [json.loads(line) for line in (run.directory / "timings.jsonl").read_text().splitlines()]
    seconds = {row["step"]: row["seconds"] for row in rows}
    registry = load_registry()
    points = []
    for checkpoint in complete_checkpoints(run.directory / "checkpoints"):
        generator = load_generator(checkpoint, registry)
        view = generator.view(0, Builder(generator.config, registry).dataset)
        metric = build_part(registry, "metric", Choice(name="nn1", settings={"count": SAMPLES}), "nn1")
        point = {
            "step": generator.step,
            "minutes": round(seconds[generator.step] / 60, 2),
            "error": metric.measure(view).value,
        }
        print(recipe, seed, point, flush=True)
        points.append(point)
    return points


def minutes_to(points: list[dict[str, Any]], target: float) -> float | None:
    """Of the first checkpoint at or below the target, if there is one."""
    return next((cast(float, point["minutes"]) for point in points if point["error"] <= target), None)


def draw(results: dict[str, Any], target: float) -> None:
    """The curves of all recipes."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.2), layout="constrained")
    for number, (recipe, result) in enumerate(results.items()):
        for seed, points in result["curves"].items():
            axes.plot(
                [point["minutes"] for point in points],
                [100 * point["error"] for point in points],
                color=f"C{number}",
                marker=".",
                label=recipe if seed == next(iter(result["curves"])) else None,
            )
    axes.axhline(100 * target, color="grey", linewidth=1, linestyle="--")
    axes.set(xlabel="minutes of training, two CPU cores", ylabel="1-NN error on the test digits, %", yscale="log")
    ticks = [3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50]
    axes.set_yticks(ticks, labels=[str(tick) for tick in ticks])
    errors = [point["error"] for result in results.values() for points in result["curves"].values() for point in points]
    axes.set_ylim(90 * min(target, *errors), 110 * max(errors))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None})


def main() -> None:
    """Runs the seeds, adds them to the JSON, draws the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--recipe", default="cdcgan")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--target", type=float, default=0.05)
    parser.add_argument("--runs", type=Path, help="where to keep the run directories")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        curves = {
            str(seed): curve(options.recipe, seed, options, folder / f"{options.recipe}-{seed}")
            for seed in options.seeds
        }
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    curves = results.get(options.recipe, {}).get("curves", {}) | curves
    results[options.recipe] = {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "samples": SAMPLES,
        "target": options.target,
        "minutes_to_target": {seed: minutes_to(points, options.target) for seed, points in curves.items()},
        "curves": curves,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    draw(results, options.target)
    print(json.dumps(results[options.recipe]["minutes_to_target"]))


if __name__ == "__main__":
    main()
