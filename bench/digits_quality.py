"""The five-seed table of the README: `cdcgan` on the embedded digits, each run with nothing but its seed.

    python bench/digits_quality.py [--seeds 5] [--output bench/results/digits_quality.json]

It takes about a minute a seed. Times are those of the machine at hand; the other figures repeat on a like machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch

import genframe


def measured(seed: int, folder: Path) -> dict[str, Any]:
    """The figures of one run."""
    run = genframe.train("cdcgan", seed=seed, output_dir=folder / str(seed))
    timings = run.summary["timings"]
    return {
        "seed": seed,
        "nn1_accuracy": 1.0 - run.metrics["nn1"],
        "label_accuracy": run.metrics["label-accuracy"],
        "training_seconds": timings["training_seconds"],
        "seconds": timings["seconds"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, with mean and worst."""
    names = ("nn1_accuracy", "label_accuracy", "seconds")
    lines = ["| seed | 1-NN accuracy | label accuracy | seconds |", "|---|---|---|---|"]
    lines += ["| {seed} | {nn1_accuracy:.3f} | {label_accuracy:.3f} | {seconds:.0f} |".format(**row) for row in rows]
    for title, combine in (("mean", statistics.mean), ("lowest", min)):
        values = [combine([row[name] for row in rows]) for name in names]
        lines.append(f"| **{title}** | **{values[0]:.3f}** | **{values[1]:.3f}** | {values[2]:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the seeds, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "digits_quality.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(seed, Path(folder)) for seed in range(options.seeds)]
    result = {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "peak_memory_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "rows": rows,
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
