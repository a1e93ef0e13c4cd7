"""``genframe sample``: pictures from a run, by class, seed and index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genframe.cli.options import PLUGINS_DIR

if TYPE_CHECKING:
    from genframe.loading import LoadedGenerator


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", default=64, show_default=True, help="How many")
@click.option("--first", default=0, show_default=True, help="Index of the first one")
@click.option("--class", "labels", multiple=True, metavar="LABEL", help="A class, by name or index (repeatable)")
@click.option("--seed", default=0, show_default=True, help="Of the noise")
@click.option("--noise", metavar="NAME", help="Another law of z than the training's; 'fitted' is made for the run")
@click.option("--truncation", type=float, metavar="T", help="No number of z beyond T: samples are less varied")
@click.option("--set", "assignments", multiple=True, metavar="noise.KEY=VALUE", help="Of the noise (repeatable)")
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
    noise: str | None,
    truncation: float | None,
    assignments: tuple[str, ...],
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
    genframe sample runs/cdcgan-digits-0001 --noise fitted --set noise.keep=0.1
    """
    from genframe.backends import kernel_backend
    from genframe.config import assignment
    from genframe.loading import load_generator
    from genframe.registry import load_registry
    from genframe.sample_files import write_samples
    from genframe.sampling_noise import with_noise

    registry = load_registry(plugins_dirs)
    settings = [assignment(text) for text in assignments]
    generator = load_generator(
        run,
        registry,
        average=average,
        batch_statistics=batch_stats,
        device=device,
        compiled=True,
    )
    with kernel_backend("auto"):
        generator, warning = with_noise(generator, registry, noise=noise, settings=settings, truncation=truncation)
        if warning:
            click.echo(f"genframe: {warning}", err=True)
        target = output or _default_target(run, generator, f"seed{seed}-{first}-{first + count - 1}.png")
        write_samples(generator, generator.draw(count, labels=labels, seed=seed, first=first), target)
    click.echo(target)


def _default_target(run: Path, generator: LoadedGenerator, ending: str) -> Path:
    """A file in this folder whose name tells samples of different laws apart."""
    law = [generator.law[key].rpartition("/")[2] for key in ("noise", "truncation") if key in generator.law]
    return Path("-".join([run.resolve().name, *law, ending]))
