"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

PLUGINS_DIR = click.option(
    "--plugins-dir",
    "plugins_dirs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder whose *.py files are plugins (repeatable; also GENFRAME_PLUGINS_DIR)",
)
