"""``genframe visualize``: a picture of a run, by any visualizer."""

from __future__ import annotations

from pathlib import Path

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the visualizer (repeatable)"
)
@click.option("--seed", default=0, show_default=True, help="Of the noise")
@click.option("--output", type=click.Path(path_type=Path), help="Default: NAME.png")
@PLUGINS_DIR
def visualize(
    run: Path,
    name: str,
    assignments: tuple[str, ...],
    seed: int,
    output: Path | None,
    plugins_dirs: tuple[Path, ...],
) -> None:
    """Draw the visualizer NAME of RUN, a run directory or one of its checkpoints.

    \b
    genframe visualize runs/cdcgan-digits-0001 class-grid --set columns=16
    """
    import genframe
    from genframe.build import build_part
    from genframe.cli.parts import choice, view_of
    from genframe.loading import load_generator
    from genframe.registry import load_registry

    registry = load_registry(plugins_dirs)
    generator = load_generator(run, registry)
    visualizer = build_part(registry, "visualizer", choice(name, assignments), name)
    target = output or Path(f"{name.rpartition('/')[2]}.png")
    info = {"genframe": genframe.__version__, "seed": str(seed), "checkpoint": generator.digest}
    visualizer.draw(view_of(generator, registry, seed)).save(target, info)
    click.echo(target)
