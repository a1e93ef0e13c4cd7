"""``genframe data``: which datasets there are, and what one of them holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genframe.cli.options import PLUGINS_DIR


@click.group(no_args_is_help=False)
def data() -> None:
    """List datasets, look into one."""


@data.command("list")
@PLUGINS_DIR
def list_datasets(plugins_dirs: tuple[Path, ...]) -> None:
    """List the datasets that have a name, and the kinds of file that can be read."""
    from genframe.registry import load_registry
    from genframe.specs import DatasetSpec

    specs = [found.spec for found in load_registry(plugins_dirs).all("dataset") if isinstance(found.spec, DatasetSpec)]
    width = max((len(spec.name) for spec in specs), default=0)
    for title, by_path in (("by name:", False), ("by path:", True)):
        click.echo(title)
        for spec in specs:
            if (spec.opens is not None) == by_path:
                click.echo(f"  {spec.name:<{width}}  {spec.summary}")


@data.command()
@click.argument("source")
@click.option("--data-dir", metavar="DIR", help="Where named datasets lie or are downloaded to (env GENFRAME_DATA)")
@click.option("--image-size", metavar="N|HxW", help="The size to read at")
@click.option("--skip-bad-images", is_flag=True, default=None, help="Skip and count pictures that cannot be read")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the dataset (repeatable)")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The contact sheet; default: <SOURCE>-contact-sheet.png"
)
@PLUGINS_DIR
def info(
    source: str, assignments: tuple[str, ...], output: Path | None, plugins_dirs: tuple[Path, ...], **options: Any
) -> None:
    """Say what SOURCE, a name or a path, holds, and draw a contact sheet.

    \b
    genframe data info digits
    genframe data info my-pictures/ --image-size 32
    """
    from genframe.build import build_part
    from genframe.cli.parts import choice
    from genframe.data_info import contact_sheet, describe
    from genframe.options import data_table
    from genframe.registry import load_registry
    from genframe.specs import Choice

    registry = load_registry(plugins_dirs)
    table = data_table(source, registry) | {key: value for key, value in options.items() if value is not None}
    name = table.pop("name")
    part = Choice(name=name, settings=table | dict(choice(name, assignments).settings))
    dataset = build_part(registry, "dataset", part, "data")
    click.echo("\n".join(describe(dataset)))
    target = output or Path(f"{Path(source).stem or 'data'}-contact-sheet.png")
    drawn = contact_sheet(dataset, f"{Path(source).name}: {len(dataset.split('train')):,} training samples")
    if drawn is not None:
        drawn.save(target, {"data": source})
        click.echo(target)
