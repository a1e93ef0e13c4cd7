"""``genframe kernels``: what serves the blocks of a run's networks, and what is the fastest on this machine's GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from genframe.cli.options import PLUGINS_DIR

if TYPE_CHECKING:
    from genframe.config import RunConfig
    from genframe.registry import Registry
    from genframe_kernels.recording import Recorded

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--set", "assignments", multiple=True, metavar="KEY.PATH=VALUE", help="Any setting (repeatable)"),
    click.option("--data", metavar="NAME|PATH", help="A dataset by name, or a file of your own"),
    click.option("--data-dir", metavar="DIR", help="Where named datasets lie or are downloaded to"),
    click.option("--batch-size", type=int, help="Samples a step"),
    click.option("--device", metavar="auto|cpu|cuda[:N]"),
    click.option("--precision", metavar="auto|float32|bfloat16"),
)


def _of_a_run(command: _Command) -> _Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(no_args_is_help=False)
def kernels() -> None:
    """Say which backend serves each layer, measure which is the fastest."""


@kernels.command()
@click.argument("source", metavar="RUN|RECIPE")
@_of_a_run
@click.option("--backend", metavar="auto|torch|triton|NAME", help="What if this one were asked for")
@PLUGINS_DIR
def explain(
    source: str, assignments: tuple[str, ...], plugins_dirs: tuple[Path, ...], backend: str | None, **options: Any
) -> None:
    """Say which backend serves each block of RUN or RECIPE on this machine, and why.

    It takes one training step and draws some samples, and writes nothing.

    \b
    genframe kernels explain cdcgan
    genframe kernels explain runs/cdcgan-digits-0001 --backend triton
    """
    from genframe.backends import kernel_backend
    from genframe.kernel_plan import kernel_plan
    from genframe.registry import load_registry

    registry = load_registry(plugins_dirs)
    config = _config(registry, source, assignments, {**options, "backend": backend})
    plan = kernel_plan(config, registry)
    click.echo(plan.title)
    titles = ["network", "block", "call", "backend", "why"]
    with kernel_backend(config.training.backend):
        for occasion, made in plan.calls.items():
            click.echo("\n".join(["", f"{occasion}:", *_table(titles, list(_explained(made)))]))


@kernels.command()
@click.argument("sources", metavar="[RUN|RECIPE]...", nargs=-1)
@_of_a_run
@PLUGINS_DIR
def tune(
    sources: tuple[str, ...], assignments: tuple[str, ...], plugins_dirs: tuple[Path, ...], **options: Any
) -> None:
    """Measure which backend is the fastest for each block on this machine's GPU, and remember it.

    Without a RUN or RECIPE, for all recipes whose data are there. `--backend auto` goes by what was measured; the file
    is $GENFRAME_KERNELS_FILE, or genframe/kernels.json in the cache folder.

    \b
    genframe kernels tune dcgan-tutorial --batch-size 128
    """
    from genframe.errors import ConfigError
    from genframe.kernel_plan import kernel_plan
    from genframe.registry import load_registry
    from genframe_kernels import UnsupportedError, measured

    try:
        measured.refuse_without_gpu()
    except UnsupportedError as error:
        raise ConfigError(str(error)) from error
    registry = load_registry(plugins_dirs)
    for source in sources or _recipes_with_data(registry, assignments, options):
        plan = kernel_plan(_config(registry, source, assignments, options), registry)
        click.echo(plan.title)
        rows = []
        for call in dict.fromkeys(each.call for made in plan.calls.values() for each in made):
            row = measured.measure(call)
            rows.append([str(call), row.backend, f"{row.milliseconds:.3f} ms", f"{row.ratio:.2f}"])
            measured.store([row])
        click.echo("\n".join(_table(["call", "fastest", "time", "times torch"], rows)))
    click.echo(f"remembered in {measured.path()}")


def _config(registry: Registry, source: str, assignments: tuple[str, ...], options: dict[str, Any]) -> RunConfig:
    """Of a run directory where SOURCE is one, else of the recipe of this name."""
    from genframe.config import assignment
    from genframe.options import configure

    written = Path(source) / "config.toml"
    recipe, config_file = (None, written) if written.is_file() else (source, None)
    settings = [assignment(text) for text in assignments]
    return configure(registry, recipe=recipe, config_file=config_file, options=options, settings=settings)


def _recipes_with_data(registry: Registry, assignments: tuple[str, ...], options: dict[str, Any]) -> Iterator[str]:
    from genframe.assembly import assemble
    from genframe.errors import ConfigError, DataError

    for found in registry.all("recipe"):
        name = found.spec.name
        try:
            assemble(_config(registry, name, assignments, options), registry)
        except (ConfigError, DataError) as error:
            click.echo(f"{name} is left out: {error}", err=True)
        else:
            yield name


def _explained(made: tuple[Recorded, ...]) -> Iterator[list[str]]:
    from genframe_kernels import asked, choose, dispatch

    for network, layer, call in made:
        refusal = None if asked() == "auto" else dispatch.named(asked()).refusal(call)
        served = ["refused", refusal] if refusal else [choose(call).name, choose(call).reason]
        yield [network, layer, str(call), *served]


def _table(titles: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
