"""``genframe sample``: pictures from a run, by class, seed and index."""

from __future__ import annotations

from pathlib import Path

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", default=64, show_default=True, help="How many")
@click.option("--first", default=0, show_default=True, help="Index of the first one")
@click.option("--class", "labels", multiple=True, metavar="LABEL", help="A class, by name or index (repeatable)")
@click.option("--seed", default=0, show_default=True, help="Of the noise")
@click.option("--ema/--no-ema", "average", default=True, help="The running average of the weights, or the last ones")
@click.option("--batch-stats", is_flag=True, help="BatchNorm by each batch's own statistics")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--output", type=click.Path(path_type=Path), help="FILE.png, FILE.npz or a folder")
@PLUGINS_DIR
def sample(
    run: Path,
    count: int,
    first: int,
    labels: tuple[str, ...],
    seed: int,
    average: bool,
    batch_stats: bool,
    device: str,
    output: Path | None,
    plugins_dirs: tuple[Path, ...],
) -> None:
    """Draw samples from RUN, a run directory or one of its checkpoints.

    \b
    genframe sample runs/cdcgan-digits-0001 -n 16 --class 3
    genframe sample runs/cdcgan-digits-0001 -n 50000 --output digits.npz
    """
    from genframe.backends import kernel_backend
    from genframe.loading import load_generator
    from genframe.registry import load_registry
    from genframe.sample_files import write_samples

    generator = load_generator(
        run,
        load_registry(plugins_dirs),
        average=average,
        batch_statistics=batch_stats,
        device=device,
        compiled=True,
    )
    target = output or Path(f"{run.resolve().name}-seed{seed}-{first}-{first + count - 1}.png")
    with kernel_backend("auto"):
        write_samples(generator, generator.draw(count, labels=labels, seed=seed, first=first), target)
    click.echo(target)
