"""The tables and the plot of what ``gpu.py`` has measured.

    python bench/gpu_report.py [--input bench/results/gpu.json]

writes ``gpu.md`` and ``gpu.png`` beside it. A ratio is the time of the fastest baseline (eager, eager channels_last,
torch.compile, that with CUDA graphs) over that of ours, so that above 1 ours is faster; baselines that are not measured
yet are not counted, and their number is given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

BASELINES = ("eager", "channels_last", "compile", "compile + graphs")
OURS = ("graphs", "triton", "hybrid")
TITLES = {"generator": "Inference", "forward": "Forward of training", "step": "A whole training step"}

#: (network, batch, precision) -> variant -> figures
Rows = Mapping[tuple[str, str, str], Mapping[str, Mapping[str, Any]]]


def rows_of(content: Mapping[str, Any], question: str) -> Rows:
    """The figures that answer a question; those of single layers have the layer before the network's name."""
    found: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for name, figures in content["cases"].items():
        asked, network, batch, precision, variant = name.split(" | ")
        kind, _, layer = asked.partition(" ")
        if kind == question:
            found.setdefault((f"{layer} {network}".strip(), batch, precision), {})[variant] = figures
    return found


def best(figures: Mapping[str, Mapping[str, Any]], variants: Sequence[str]) -> tuple[str, float] | None:
    """The fastest of these variants and its milliseconds."""
    times = {name: figures[name]["milliseconds"] for name in variants if "milliseconds" in figures.get(name, {})}
    return min(times.items(), key=lambda item: item[1]) if times else None


def roofline(figures: Mapping[str, Any], ceilings: Mapping[str, float], precision: str) -> float | None:
    """The share of a generator's time that its blocks need at least: bytes or products at their ceilings."""
    if "floor" not in figures or "milliseconds" not in figures:
        return None
    needed = [
        max(block["bytes"] / ceilings["bytes"], block["products"] / ceilings[precision]) for block in figures["floor"]
    ]
    return float(sum(needed)) * 1e3 / float(figures["milliseconds"])


def table(rows: Rows, ceilings: Mapping[str, float]) -> Iterator[str]:
    """A table of one question, in Markdown."""
    columns = (*BASELINES, *OURS, "ratio", "baselines", "of the roofline")
    yield "| network | batch | precision | " + " | ".join(columns) + " |"
    yield "|" + "---|" * (3 + len(columns))
    for key, figures in rows.items():
        times = [_time(figures.get(variant)) for variant in (*BASELINES, *OURS)]
        theirs, ours = best(figures, BASELINES), best(figures, OURS)
        ratio = f"{theirs[1] / ours[1]:.2f} ({ours[0]})" if theirs and ours else ""
        share = roofline(figures[ours[0]], ceilings, key[2]) if ours else None
        counted = sum("milliseconds" in figures.get(name, {}) for name in BASELINES)
        yield (
            "| "
            + " | ".join((*key, *times, ratio, f"{counted} of {len(BASELINES)}", f"{share:.0%}" if share else ""))
            + " |"
        )


def layer_table(content: Mapping[str, Any]) -> Iterator[str]:
    """Single blocks, forward and backward."""
    variants = ("eager", "channels_last", "compile", "triton", "hybrid")
    yield "| block | batch | precision | " + " | ".join(variants) + " |"
    yield "|" + "---|" * (3 + len(variants))
    for (name, batch, precision), figures in rows_of(content, "layer").items():
        call = next(iter(figures.values()))["call"]
        times = [_time(figures.get(variant)) for variant in variants]
        yield "| " + " | ".join((f"{name.partition(' ')[2]}: {call}", batch, precision, *times)) + " |"


def memory_table(rows: Rows) -> Iterator[str]:
    """The memory that PyTorch had taken at most, as a share of eager's."""
    variants = list(dict.fromkeys(name for figures in rows.values() for name in figures if name != "eager"))
    yield "| network | batch | precision | eager | " + " | ".join(variants) + " |"
    yield "|" + "---|" * (4 + len(variants))
    for key, figures in rows.items():
        eager = figures.get("eager", {}).get("peak_bytes")
        peaks = [figures.get(name, {}).get("peak_bytes") for name in variants]
        shares = [f"{peak / eager:.2f}" if eager and peak else "" for peak in peaks]
        yield "| " + " | ".join((*key, f"{eager / 2**20:,.0f} MiB" if eager else "", *shares)) + " |"


def schedule_table(schedules: Mapping[str, Any]) -> Iterator[str]:
    """``cdcgan-radford2015`` on MNIST, as it was published."""
    yield "| training | steps | seconds of training | figures |"
    yield "|---|---|---|---|"
    for name, found in schedules.items():
        if "failed" in found:
            yield f"| {name} | | cannot: {found['failed']} | |"
            continue
        figures = ", ".join(f"{metric} {value:.4f}" for metric, value in found["metrics"].items() if value is not None)
        yield f"| {name} | {found['steps']:,} | {found['timings']['training_seconds']:.1f} | {figures} |"


def page(content: Mapping[str, Any]) -> str:
    """Everything, in Markdown."""
    machine, ceilings = content["machine"], content["ceilings"]
    lines = [
        "# Figures from a GPU",
        "",
        f"{machine['device']}, PyTorch {machine['torch']}, Triton {machine['triton']}; medians in milliseconds "
        "(20th to 80th percentile; calls that start work on the device).",
        "",
        f"Ceilings measured there: {ceilings['bytes'] / 1e12:.2f} TB/s copied, "
        f"{ceilings['bfloat16'] / 1e12:.0f} TFLOP/s in bfloat16, {ceilings['tf32'] / 1e12:.0f} in tf32.",
    ]
    for question, title in TITLES.items():
        lines += ["", f"## {title}", "", *table(rows_of(content, question), ceilings)]
    lines += ["", "## Peak memory of a training step", "", *memory_table(rows_of(content, "step"))]
    if content.get("schedules"):
        lines += ["", "## A whole published training", "", *schedule_table(content["schedules"])]
    return "\n".join([*lines, "", "## Single blocks, forward and backward", "", *layer_table(content), ""])


def draw(content: Mapping[str, Any], path: Path) -> None:
    """Each variant's time beside eager's, by question."""
    figure, axes = plt.subplots(len(TITLES), figsize=(11, 4 * len(TITLES)), layout="constrained")
    for axis, (question, title) in zip(axes, TITLES.items(), strict=True):
        rows = rows_of(content, question)
        for place, variant in enumerate((*BASELINES[1:], *OURS)):
            points = [
                (number + place / 8, figures["eager"]["milliseconds"] / figures[variant]["milliseconds"])
                for number, figures in enumerate(rows.values())
                if "milliseconds" in figures.get(variant, {}) and "milliseconds" in figures.get("eager", {})
            ]
            if points:
                axis.bar(*zip(*points, strict=True), width=1 / 8, label=variant, color=f"C{place}")
        axis.axhline(1.0, color="black", linewidth=0.8)
        axis.set_xticks(range(len(rows)), ["\n".join(key) for key in rows], fontsize=6)
        axis.set_ylabel("times as fast as eager")
        axis.set_title(title)
        axis.legend(fontsize=7, ncols=6)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _time(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return ""
    if "failed" in figures:
        return "cannot"
    text = f"{figures['milliseconds']:.3f}"
    if "p20" in figures:
        text += f" ({figures['p20']:.3f} to {figures['p80']:.3f}; {figures['launches']})"
    return text


def main() -> None:
    """Writes the page and the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--input", type=Path, default=Path(__file__).parent / "results" / "gpu.json")
    path = parser.parse_args().input
    content = json.loads(path.read_text())
    path.with_suffix(".md").write_text(page(content))
    draw(content, path.with_suffix(".png"))
    print(path.with_suffix(".md"), path.with_suffix(".png"), sep="\n")


if __name__ == "__main__":
    main()
