"""``genframe diff``: where two runs part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genframe.comparing import Comparison

#: So many tensors are named.
_SHOWN = 5


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object")
def diff(first: Path, second: Path, as_json: bool) -> None:
    """Say where the runs FIRST and SECOND part: their settings, the first step, the tensors that differ there.

    \b
    genframe diff runs/cdcgan-digits-0001 runs/cdcgan-digits-0002
    """
    from genframe.comparing import compare

    comparison = compare(first, second)
    if as_json:
        click.echo(json.dumps(vars(comparison)))
        return
    for line in _lines(comparison):
        click.echo(line)


def _lines(found: Comparison) -> list[str]:
    lines = [f"{key}: {_shown(ours)} | {_shown(theirs)}" for key, ours, theirs in found.settings]
    if not lines:
        lines.append("the same settings")
    if not found.steps:
        return [*lines, "no step that both have logged: nothing to compare"]
    if found.equal_until is not None and found.parts_at is not None:
        lines.append(f"equal at step {found.equal_until:,} and at all that both logged before it")
    if found.parts_at is None:
        compared = f"{len(found.steps)} steps that both have logged, the last of them {found.steps[-1]:,}"
        return [*lines, f"they do not part: compared {found.of} tensors at {compared}"]
    named = ", ".join(found.tensors[:_SHOWN]) + (" ..." if len(found.tensors) > _SHOWN else "")
    return [*lines, f"part at step {found.parts_at:,}: {len(found.tensors)} of {found.of} tensors differ: {named}"]


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
