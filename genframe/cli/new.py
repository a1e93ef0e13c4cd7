"""``genframe plugins new``: the package of a plugin that works, to be edited."""

from __future__ import annotations

import os
from pathlib import Path

import click

from genframe.cli.options import PLUGINS_DIR


@click.command()
@click.argument("name")
@click.option("--kind", required=True, metavar="KIND", help="noise, objective ...; a wrong one lists all")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the folder genframe-NAME goes (default: here)",
)
@PLUGINS_DIR
def new(name: str, kind: str, output_dir: Path, plugins_dirs: tuple[Path, ...]) -> None:
    """Write a pip-installable package genframe-NAME that offers one part, which works and is yours to edit.

    \b
    genframe plugins new ring --kind noise
    genframe plugins new my-metric --kind metric --output-dir ~/plugins
    """
    from genframe.registry import load_registry
    from genframe.scaffold import commands, folder_name, plugin_files, write_plugin
    from genframe.scaffold.names import check_kind, check_name

    check_kind(kind)
    check_name(kind, name, load_registry(plugins_dirs))
    folder, files = output_dir / folder_name(name), plugin_files(kind, name)
    write_plugin(folder, files)
    for place in files:
        click.echo(folder / place)
    click.echo("\nedit what stands below '# Yours', or try it as it is:")
    for command in commands(kind, name, _typed(folder)):
        click.echo(f"  {command}")


def _typed(folder: Path) -> str:
    """The folder as pip takes it: a bare name would be a distribution's."""
    text = os.fspath(folder)
    return text if folder.is_absolute() else os.path.join(".", text)
