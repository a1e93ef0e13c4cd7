"""``genframe run``: train a recipe, draw pictures, leave a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.option("--plugin", "recipe", metavar="RECIPE", help="What to run; see: genframe plugins list --specs")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="A TOML file; a run's config.toml replays it"
)
@click.option("--set", "assignments", multiple=True, metavar="KEY.PATH=VALUE", help="Any setting (repeatable)")
@click.option("--data", metavar="NAME|PATH", help="A dataset by name, or a file of your own")
@click.option("--steps", type=int, help="How many training steps")
@click.option("--epochs", type=float, help="Or how many passes over the data")
@click.option("--minutes", type=float, help="Or how long, by the clock")
@click.option("--batch-size", type=int, help="Samples a step")
@click.option("--image-size", metavar="N|HxW", help="The size to train at")
@click.option("--mirror/--no-mirror", default=None, help="Mirror pictures at random")
@click.option("--data-dir", metavar="DIR", help="Where named datasets lie or are downloaded to (env GENFRAME_DATA)")
@click.option("--data-memory", metavar="SIZE", help="Larger sets are read from disk as they are needed (512MB, 2GB)")
@click.option("--skip-bad-images", is_flag=True, default=None, help="Skip and count pictures that cannot be read")
@click.option("--seed", type=int, help="Of every random stream")
@click.option("--lr", type=float, help="Learning rate")
@click.option("--algorithm", metavar="NAME")
@click.option("--architecture", metavar="NAME")
@click.option("--conditioning", metavar="NAME", help="How labels enter the networks")
@click.option("--noise", metavar="NAME", help="The law of z")
@click.option("--noise-dim", type=int, help="How many numbers z has")
@click.option("--objective", metavar="NAME")
@click.option("--regularizer", multiple=True, metavar="NAME", help="(repeatable)")
@click.option("--augmentation", multiple=True, metavar="NAME", help="(repeatable)")
@click.option("--init-from", metavar="RUN", help="Begin with the networks of another run or checkpoint")
@click.option("--metric", multiple=True, metavar="NAME", help="Measured at the end (repeatable)")
@click.option("--evaluate-every", type=int, metavar="STEPS", help="Measure in the course of the run, too")
@click.option("--keep-best", is_flag=True, default=None, help="Keep the checkpoint that the first metric found best")
@click.option("--observer", multiple=True, metavar="NAME", help="Watches too, beside the recipe's own (repeatable)")
@click.option(
    "--stop-on-collapse", is_flag=True, default=None, help="End the run where samples stop differing (exit 6)"
)
@click.option("--device", metavar="auto|cpu|cuda[:N]")
@click.option("--precision", metavar="auto|float32|bfloat16")
@click.option("--backend", metavar="auto|torch|triton|NAME", help="The kernels of the networks' blocks")
@click.option("--workers", type=int, help="Processes that read data")
@click.option("--log-every", type=int, metavar="STEPS")
@click.option("--sample-every", type=int, metavar="STEPS")
@click.option("--checkpoint-every", metavar="STEPS|30s")
@click.option("--keep-last", type=int, help="How many checkpoints to keep (at least 2)")
@click.option("--output-dir", type=click.Path(path_type=Path), help="Default: runs/<recipe>-<data>-NNNN")
@click.option("--resume", is_flag=True, help="Go on in --output-dir; start where it has no checkpoint")
@click.option(
    "--branch-from", type=click.Path(path_type=Path), metavar="RUN", help="Begin with another run's exact state"
)
@click.option("--at", type=int, metavar="STEP", help="Of --branch-from: which checkpoint (default: the newest)")
@PLUGINS_DIR
@click.option("--dry-run", is_flag=True, help="Print the configuration and the networks, train nothing")
def run(
    recipe: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    output_dir: Path | None,
    plugins_dirs: tuple[Path, ...],
    resume: bool,
    branch_from: Path | None,
    at: int | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Train a recipe, draw pictures, leave a run directory.

    \b
    genframe run --plugin cdcgan
    genframe run --plugin cdcgan --data pictures.npz --steps 3000 --seed 1
    genframe run --config runs/cdcgan-digits-0001/config.toml
    genframe run --resume --output-dir runs/cdcgan-digits-0001 --steps 3000
    genframe run --branch-from runs/cdcgan-digits-0001 --at 1000 --lr 0.0005
    """
    from genframe.config import assignment
    from genframe.planning import plan
    from genframe.registry import load_registry

    registry = load_registry(plugins_dirs)
    planned = plan(
        registry,
        recipe=recipe,
        options=options,
        settings=[assignment(text) for text in assignments],
        config_file=config_file,
        output_dir=output_dir,
        resume=resume,
        branch_from=branch_from,
        at=at,
    )
    if planned.note:
        click.echo(f"genframe: {planned.note}", err=True)
    if dry_run:
        from genframe.cli.dry_run import describe

        click.echo(describe(planned.config, registry))
        return
    from genframe.cli.display import Display
    from genframe.run import run as execute

    with Display(registry, plugins_dirs) as display:
        finished = execute(planned, registry, output_dir=output_dir, observers=[display])
    display.summarise(finished)
    for problem in finished.problems:
        raise problem
