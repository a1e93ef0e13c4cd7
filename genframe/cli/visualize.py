"""``genframe visualize``: a picture of a run, by any visualizer."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the visualizer (repeatable)"
)
@click.option("--network", metavar="ROLE", help="Short for --set network=ROLE: generator, critic ...")
@click.option("--layer", metavar="NAME", help="Short for --set layer=NAME; an unknown name lists them")
@click.option("--seed", default=0, show_default=True, help="Of the noise")
@click.option("--output", type=click.Path(path_type=Path), help="Default: NAME.png")
@PLUGINS_DIR
def visualize(
    run: Path,
    name: str,
    assignments: tuple[str, ...],
    network: str | None,
    layer: str | None,
    seed: int,
    output: Path | None,
    plugins_dirs: tuple[Path, ...],
) -> None:
    """Draw the visualizer NAME of RUN, a run directory or one of its checkpoints.

    \b
    genframe visualize runs/cdcgan-digits-0001 class-grid --set columns=16
    genframe visualize runs/cdcgan-digits-0001 weights --network critic --layer halvings.1.0
    """
    import genframe
    from genframe.build import build_part
    from genframe.cli.parts import choice, view_of
    from genframe.loading import load_generator
    from genframe.registry import load_registry
    from genframe.specs import VisualizerSpec

    registry = load_registry(plugins_dirs)
    generator = load_generator(run, registry)
    short = {"network": network, "layer": layer}
    assignments += tuple(f'{key}="{value}"' for key, value in short.items() if value is not None)
    visualizer = build_part(registry, "visualizer", choice(name, assignments), name)
    spec = cast(VisualizerSpec, registry.find_spec("visualizer", name))
    target = output or Path(f"{spec.name}{spec.ending}")
    info = {"genframe": genframe.__version__, "seed": str(seed), "checkpoint": generator.digest}
    visualizer.draw(view_of(generator, registry, seed)).save(target, info)
    click.echo(target)
