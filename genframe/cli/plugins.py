"""``genframe plugins``: what is installed, and what one part takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genframe.cli.check import check
from genframe.cli.new import new
from genframe.cli.options import PLUGINS_DIR

if TYPE_CHECKING:
    from genframe.registry import Registered, Registry

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON")


@click.group(no_args_is_help=False)
def plugins() -> None:
    """List what is installed, show, check or write a part."""


plugins.add_command(new)
plugins.add_command(check)


@plugins.command("list")
@click.option("--specs", is_flag=True, help="Load the plugins and list the recipes and parts that they offer")
@_JSON
@PLUGINS_DIR
def list_(specs: bool, as_json: bool, plugins_dirs: tuple[Path, ...]) -> None:
    """List the installed plugins; with --specs, what each offers.

    Without --specs, no plugin is imported.
    """
    if specs:
        from genframe.registry import load_registry

        registry = load_registry(plugins_dirs)
        click.echo(_specs_json(registry) if as_json else _specs_text(registry))
    else:
        rows = _plugin_rows(plugins_dirs)
        click.echo(json.dumps({"plugins": rows}, indent=2) if as_json else _plugins_text(rows))


@plugins.command()
@click.argument("name", metavar="[KIND/]NAME")
@_JSON
@PLUGINS_DIR
def show(name: str, as_json: bool, plugins_dirs: tuple[Path, ...]) -> None:
    """Show a recipe or a part: who offers it, and its settings with their defaults.

    \b
    genframe plugins show cdcgan
    genframe plugins show noise/uniform
    genframe plugins show noise/genframe/uniform   (of that distribution)
    """
    from genframe.cli.spec_details import spec_details
    from genframe.registry import load_registry

    details = [spec_details(found) for found in load_registry(plugins_dirs).search(name)]
    click.echo(json.dumps(details, indent=2) if as_json else "\n\n".join(map(_details_text, details)))


def _plugin_rows(plugins_dirs: Sequence[Path]) -> list[dict[str, Any]]:
    from genframe.cli.spec_details import plugin_details
    from genframe.registry.entrypoints import discover, is_disabled

    return [plugin_details(each) | {"disabled": is_disabled(each)} for each in discover(plugins_dirs)]


def _plugins_text(rows: Sequence[Mapping[str, Any]]) -> str:
    header = ("PLUGIN", "DISTRIBUTION", "VERSION", "MODULE")
    cells = [[row[key.lower()] for key in header] for row in rows]
    notes = ["(GENFRAME_DISABLED_PLUGINS)" if row["disabled"] else "" for row in rows]
    return _table([header, *([*row, note] for row, note in zip(cells, notes, strict=True))])


def _specs_json(registry: Registry) -> str:
    from genframe.cli.spec_details import plugin_details, summary_details

    broken = [plugin_details(each.plugin) | {"reason": each.reason} for each in registry.broken]
    return json.dumps({"specs": [summary_details(each) for each in registry.all()], "broken": broken}, indent=2)


def _specs_text(registry: Registry) -> str:
    sections = [
        f"{kind}\n{_table([['', *_spec_row(each, registry)] for each in group])}"
        for kind, group in groupby(registry.all(), key=lambda each: each.spec.kind)
    ]
    if registry.broken:
        sections.append("broken\n" + "\n".join(f"  {each.plugin}: {each.reason}" for each in registry.broken))
    return "\n\n".join(sections)


def _spec_row(found: Registered, registry: Registry) -> list[str]:
    spec, plugin = found.spec, found.plugin
    twins = [each for each in registry.all(spec.kind) if each.spec.name == spec.name]
    return [spec.name if len(twins) == 1 else found.qualified_name, spec.summary, f"{plugin.name} ({plugin.origin})"]


def _details_text(details: Mapping[str, Any]) -> str:
    rows = [["plugin", details["plugin"]], ["from", f"{details['distribution']} {details['version']}".rstrip()]]
    rows += [["module", details["module"]]] + ([["factory", details["factory"]]] if "factory" in details else [])
    rows += [row for key, value in details["details"].items() for row in _detail_rows(key, value)]
    lines = [f"{details['kind']} {details['name']}", f"  {details['summary']}", _table([["", *row] for row in rows])]
    if settings := details.get("settings"):
        lines += ["  settings", _table([["", "", *_setting_row(each)] for each in settings])]
    return "\n".join(lines)


def _detail_rows(key: str, value: Any) -> list[list[str]]:
    """One row, or one for each entry of a mapping; none for what is empty."""
    if value in ([], {}, None):
        return []
    if isinstance(value, Mapping) and "name" not in value:
        return [[f"{key}.{name}", _inline(each)] for name, each in value.items()]
    return [[key, _inline(value)]]


def _setting_row(setting: Mapping[str, Any]) -> list[str]:
    return [f"{setting['name']}: {setting['type']} = {setting['default']!r}", setting["meaning"]]


def _inline(value: Any) -> str:
    """``name (key = value)`` for a choice, and so on, on one line."""
    if isinstance(value, list):
        return ", ".join(map(_inline, value))
    if not isinstance(value, Mapping):
        return str(value)
    pairs = ", ".join(f"{key} = {_inline(each)}" for key, each in value.items() if key != "name")
    return pairs if "name" not in value else f"{value['name']} ({pairs})" if pairs else str(value["name"])


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns, two spaces apart."""
    filled = [list(row) for row in rows]
    columns = max(map(len, filled))
    widths = [max((len(row[place]) for row in filled if place < len(row)), default=0) for place in range(columns)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in filled
    )
