"""Recipes on MNIST at equal seconds: is the modern one better than that of 2015?

    python bench/equal_seconds.py --data-dir DIR [--seconds 60] [--seeds 0 1 2]

First the steps of all recipes are timed in turn, on one core; each then makes as many as the seconds allow, and is
measured as `quality_table` measures. The table goes into ``docs/quality.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import quality_table
import torch

import genframe

RESULTS = quality_table.RESULTS.with_name("equal_seconds.json")
RECIPES = ("cdcgan-radford2015", "cdcgan", "cdcgan-modern")

#: Nothing but training is timed.
SETTINGS: Mapping[str, Any] = {"metrics": [], "observers": []}


def measured(recipe: str, steps: int, seed: int, data_dir: str) -> dict[str, Any]:
    """One run."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, flags = Path(temporary) / "run", quality_table.mnist(data_dir)
        flags |= {"seed": seed, "steps": steps, "sample_every": steps, "checkpoint_every": steps}
        genframe.train(recipe, output_dir=folder, settings=SETTINGS, **flags)
        return {"recipe": recipe, "seed": seed, "step": steps} | quality_table.figures(folder)


def table(results: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| recipe | milliseconds a step | steps | 1-NN error, % | label accuracy, % |",
        "|---|---|---|---|---|",
    ]
    for recipe in RECIPES:
        rows = [row for row in results["rows"] if row["recipe"] == recipe]
        errors, labels = ([100 * row[key] for row in rows] for key in ("nn1", "label-accuracy"))
        spread = f"{statistics.mean(errors):.1f} ({min(errors):.1f} to {max(errors):.1f})"
        time = results["step_milliseconds"][recipe]
        lines.append(f"| `{recipe}` | {time:.0f} | {rows[0]['step']:,} | {spread} | {statistics.mean(labels):.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measures all, writes the JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    flags = quality_table.mnist(options.data_dir)
    times = quality_table.step_milliseconds({recipe: (recipe, flags, SETTINGS) for recipe in RECIPES})
    rows = []
    for seed in options.seeds:
        for recipe in RECIPES:
            rows.append(measured(recipe, round(options.seconds * 1e3 / times[recipe]), seed, options.data_dir))
            print(rows[-1], flush=True)
    results = quality_table.surroundings() | {
        "seconds": options.seconds,
        "step_milliseconds": times,
        "samples": quality_table.SAMPLES,
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    quality_table.write_between("recipes", f"After {options.seconds:.0f} s on one core.\n\n{table(results)}\n")


if __name__ == "__main__":
    main()
