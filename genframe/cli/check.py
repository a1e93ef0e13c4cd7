"""``genframe plugins check``: whether a part keeps what its kind promises."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genframe.cli.options import PLUGINS_DIR

if TYPE_CHECKING:
    from genframe.testing import Check, Result


@click.command()
@click.argument("name", metavar="[KIND/]NAME")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the part (repeatable)")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@PLUGINS_DIR
def check(name: str, assignments: tuple[str, ...], as_json: bool, plugins_dirs: tuple[Path, ...]) -> None:
    """Check that a part, or all parts of a plugin, keep what their kinds promise.

    \b
    genframe plugins check noise/uniform
    genframe plugins check dataset/npz --set path=pictures.npz
    genframe plugins check my-plugin --plugins-dir plugins/

    Checks that say nothing about a part are skipped, with the reason. Nothing is asked of the network. The exit code is
    1 if a check fails.
    """
    from genframe.registry import load_registry
    from genframe.testing import checks
    from genframe.testing.results import count_of

    registry = load_registry(plugins_dirs)
    found = checks(name, settings=_settings(assignments), plugins_dirs=plugins_dirs, registry=registry)
    results = _results(found, told=not as_json)
    counts = count_of(results)
    if as_json:
        rows = [dataclasses.asdict(result) for result in results]
        click.echo(json.dumps({"checks": rows, "counts": counts}, indent=2))
    else:
        click.echo("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if counts["failed"]:
        _fail(registry.search(name), results)


def _settings(assignments: Sequence[str]) -> dict[str, Any]:
    from genframe.config import assignment

    settings: dict[str, Any] = {}
    for text in assignments:
        settings |= assignment(text)
    return settings


def _results(found: Sequence[Check], told: bool) -> list[Result]:
    """Runs the checks; a line each as they go, with a heading for each part."""
    results: list[Result] = []
    width = max(len(each.name) for each in found)
    for part, group in groupby(found, key=lambda each: each.part):
        if told:
            click.echo(f"\n{part}" if results else part)
        before = ""
        for each in group:
            result = each()
            results.append(result)
            if told:
                said = "as above" if result.reason and result.reason == before else result.reason or each.explanation
                before = result.reason
                click.echo(f"  {result.outcome:<7}  {result.name:<{width}}  {said}")
    return results


def _fail(found: Sequence[Any], results: Sequence[Result]) -> None:
    """A defect of the plugin, which is named.

    Raises:
        GenframeError: always.
    """
    from genframe.errors import GenframeError

    failed = [f"{result.part} fails '{result.name}'" for result in results if result.outcome == "failed"]
    names = {f"{each.spec.kind}/{each.spec.name}": each.plugin for each in found}
    plugins = dict.fromkeys(str(names[result.part]) for result in results if result.outcome == "failed")
    raise GenframeError(f"plugin {' and '.join(plugins)} does not keep its promises: {'; '.join(failed)}")
