"""The page of an experiment: Markdown, its pictures beside it, and the same figures as JSON."""

from __future__ import annotations

import dataclasses
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import genframe
from genframe.experiments import Report, Table
from genframe.pictures import Animation
from genframe.reproducing.laboratory import Laboratory
from genframe.rundir.files import write_atomically


def write_page(path: Path, title: str, command: Sequence[str], report: Report, laboratory: Laboratory) -> None:
    """Writes ``NAME.md``, ``NAME.json`` and ``NAME-1.png`` ...

    Args:
        path: of the Markdown file; pictures lie beside it, animations as ``.gif``.
        title: of the page.
        command: the words that make it again.
        report: what is written.
        laboratory: where it comes from.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = {
        caption: f"{path.stem}-{place}{'.gif' if isinstance(picture, Animation) else '.png'}"
        for place, (caption, picture) in enumerate(report.pictures.items(), start=1)
    }
    for caption, picture in report.pictures.items():
        picture.save(path.parent / pictures[caption], {"genframe": genframe.__version__})
    trainings, machine = _trainings(laboratory), surroundings()
    write_atomically(path, _markdown(title, command, report, pictures, trainings, machine, laboratory.share).encode())
    content = {
        "title": title,
        "command": list(command),
        "share": laboratory.share,
        "seeds": list(laboratory.seeds),
        "surroundings": machine,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "tables": [dataclasses.asdict(table) for table in (*report.tables, trainings)],
        "answers": laboratory.answers(),
    }
    write_atomically(path.with_suffix(".json"), (json.dumps(content, indent=1) + "\n").encode())


def surroundings() -> dict[str, str]:
    """What figures depend on."""
    return {
        "genframe": genframe.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def markdown_table(table: Table) -> str:
    """A heading row and one line a row."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _markdown(
    title: str,
    command: Sequence[str],
    report: Report,
    pictures: Mapping[str, str],
    trainings: Table,
    machine: Mapping[str, Any],
    share: float,
) -> str:
    findings = Table(
        title="Findings",
        columns=("claim", "published", "ours", "verdict"),
        rows=[
            (f"{each.claim} ({each.source})", each.published or "-", each.measured, f"**{each.verdict}**")
            for each in report.findings
        ],
    )
    parts = [f"# {title}", f"```\n{shlex.join(command)}\n```", report.question]
    if share < 1.0:
        parts += [f"**Scaled down by `--budget`**: one training made {share:.1%} of its steps; the list is below."]
    parts += ["## Findings", markdown_table(findings)]
    parts += ["\n".join(f"- **{each.verdict.capitalize()}**: {each.reason}" for each in report.findings)]
    parts += ["## How it was measured", report.protocol]
    for table in (*report.tables, trainings):
        parts += [f"### {table.title}", markdown_table(table)]
    parts += [f"![{caption}]({name})\n\n*{caption}*" for caption, name in pictures.items()]
    if report.notes:
        parts += ["## What to doubt", "\n".join(f"- {note}" for note in report.notes)]
    parts += ["Measured with " + ", ".join(f"{name} {value}" for name, value in machine.items()) + "."]
    return "\n\n".join(parts) + "\n"


def _diverged(laboratory: Laboratory, name: str) -> str:
    seeds = [str(seed) for seed in laboratory.seeds if laboratory.outcome(name, seed) == "diverged"]
    return f", diverged with seed {', '.join(seeds)}" if seeds else ""


def _trainings(laboratory: Laboratory) -> Table:
    """What was trained, and how much of its full schedule that is."""
    rows = []
    for name, training in laboratory.trainings.items():
        steps = laboratory.steps(name)
        changed = {**training.flags, **training.settings}
        rows.append(
            (
                name,
                f"`{training.recipe}`" + (f", branched from {training.origin}" if training.origin else ""),
                training.data or "its own",
                ", ".join(f"{key}={value}" for key, value in changed.items()) or "-",
                f"{steps:,} of {training.steps:,} ({steps / training.steps:.0%})" + _diverged(laboratory, name),
            )
        )
    seeds = ", ".join(map(str, laboratory.seeds))
    return Table(
        title=f"What was trained, with the seeds {seeds}",
        columns=("training", "recipe", "data", "changed", "steps of the full schedule"),
        rows=rows,
    )
