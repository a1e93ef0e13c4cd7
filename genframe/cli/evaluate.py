"""``genframe evaluate``: figures of a run, by any metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--metric", "names", multiple=True, metavar="NAME", help="Default: those of the run's recipe (repeatable)"
)
@click.option("-n", "count", type=int, help="How many samples, where a metric lets one choose")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of each metric (repeatable)")
@click.option("--seed", default=0, show_default=True, help="Of the noise")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object")
@PLUGINS_DIR
def evaluate(
    run: Path,
    names: tuple[str, ...],
    count: int | None,
    assignments: tuple[str, ...],
    seed: int,
    as_json: bool,
    plugins_dirs: tuple[Path, ...],
) -> None:
    """Measure RUN, a run directory or one of its checkpoints.

    \b
    genframe evaluate runs/cdcgan-digits-0001 --metric nn1 --json
    """
    from genframe.build import build_part
    from genframe.cli.parts import metrics_of, view_of
    from genframe.cli.watching import watched
    from genframe.figures import figure_line, measurement_entry
    from genframe.loading import load_generator
    from genframe.registry import load_registry
    from genframe.specs import MetricSpec

    registry = load_registry(plugins_dirs)
    generator = load_generator(run, registry)
    view = view_of(generator, registry, seed)
    settings = (*assignments, *([f"count={count}"] if count is not None else []))
    results = {}
    for choice in metrics_of(generator, names, settings):
        metric = build_part(registry, "metric", choice, choice.name)
        with watched(view, choice.name) as seen:
            results[choice.name] = measurement_entry(metric.measure(seen))
    if as_json:
        click.echo(json.dumps(results))
        return
    for name, result in results.items():
        click.echo(figure_line(cast(MetricSpec, registry.find_spec("metric", name)), result))
        click.echo("".join(f"  {key}: {value}\n" for key, value in result["protocol"].items()), nl=False)
