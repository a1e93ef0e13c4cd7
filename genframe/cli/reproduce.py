"""``genframe reproduce``: a published table or claim, end to end, beside what was published."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="What there is to reproduce")
@click.option("--budget", type=float, metavar="MINUTES", help="Scale down to this; default: the full schedule")
@click.option("--seeds", default=3, show_default=True, help="How often each training is made")
@click.option("--data-dir", metavar="DIR", help="The folder of the named datasets' own files")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--processes", default=1, show_default=True, help="Trainings side by side, for machines with many cores")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the experiment")
@click.option("--output", type=click.Path(path_type=Path), help="The page; default: reproductions/NAME.md")
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are kept; default: runs/reproduce/NAME")
@PLUGINS_DIR
def reproduce(
    name: str | None,
    listed: bool,
    budget: float | None,
    seeds: int,
    data_dir: str | None,
    device: str,
    processes: int,
    assignments: tuple[str, ...],
    output: Path | None,
    runs: Path | None,
    plugins_dirs: tuple[Path, ...],
) -> None:
    """Train what the experiment NAME needs, measure, and write a page beside the published values.

    What was trained and measured is kept: the same command goes on where it was interrupted.

    \b
    genframe reproduce --list
    genframe reproduce noise-dimension --data-dir mnist/ --budget 30
    """
    from genframe.build import build_part
    from genframe.cli.parts import choice
    from genframe.errors import ConfigError
    from genframe.experiments import Experiment
    from genframe.registry import load_registry
    from genframe.reproducing.laboratory import Laboratory, Means
    from genframe.reproducing.page import write_page

    registry = load_registry(plugins_dirs)
    if listed or name is None:
        for registered in registry.all("experiment"):
            click.echo(f"{registered.spec.name:30}{registered.spec.summary}")
        return
    if budget is not None and not 0 < budget < 1e6:
        raise ConfigError(f"--budget is minutes, above 0; got {budget:g}")
    if seeds < 1 or processes < 1:
        raise ConfigError(f"--seeds and --processes are at least 1; got {seeds} and {processes}")
    spec = registry.find_spec("experiment", name)
    experiment = cast(Experiment, build_part(registry, "experiment", choice(name, assignments), name))
    means = Means(
        folder=runs or Path("runs/reproduce") / spec.name,
        seeds=range(seeds),
        budget=budget,
        data_dir=data_dir or "",
        device=device,
        processes=processes,
        plugins_dirs=plugins_dirs,
    )
    laboratory = Laboratory(experiment, means, registry, lambda line: click.echo(f"genframe: {line}", err=True))
    laboratory.train()
    report = experiment.conclude(laboratory)
    page = output or Path("reproductions") / f"{spec.name}.md"
    write_page(page, spec.summary, ["genframe", *sys.argv[1:]], report, laboratory)
    for finding in report.findings:
        click.echo(f"{finding.verdict}: {finding.claim} {finding.measured}")
    click.echo(page)
