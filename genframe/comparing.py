"""Where two runs part: in their settings, and at the first step at which what they train differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genframe.config import leaves, read_toml
from genframe.errors import CheckpointError
from genframe.rundir import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        settings: those that differ: their path, the first run's value, the second's; None where there is none.
        steps: the logged steps that both have, in order.
        equal_until: the last of them at which everything is equal, before the first at which something differs.
        parts_at: the first of them at which something differs; None if they never part.
        tensors: the names of what differs there.
        of: how many tensors there are.
    """

    settings: tuple[tuple[str, Any, Any], ...]
    steps: tuple[int, ...]
    equal_until: int | None
    parts_at: int | None
    tensors: tuple[str, ...]
    of: int


def compare(first: Path, second: Path) -> Comparison:
    """Compares two run directories by their settings and by the digests of their tensors.

    Raises:
        CheckpointError: one of them is not a run, or has no digests.
    """
    for run in (first, second):
        if not RunDirectory(run).run_file.is_file():
            raise CheckpointError(f"{run} is not a run directory: there is no run.json")
    names, ours = _digests(first)
    other_names, theirs = _digests(second)
    common = sorted(ours.keys() & theirs.keys())
    parts_at, tensors = None, []
    for step in common:
        tensors = _parted(dict(zip(names, ours[step], strict=True)), dict(zip(other_names, theirs[step], strict=True)))
        if tensors:
            parts_at = step
            break
    before = [step for step in common if parts_at is None or step < parts_at]
    return Comparison(
        settings=tuple(_settings(first, second)),
        steps=tuple(common),
        equal_until=before[-1] if before else None,
        parts_at=parts_at,
        tensors=tuple(tensors),
        of=len({*names, *other_names}),
    )


def _digests(run: Path) -> tuple[list[str], dict[int, list[str]]]:
    """The names of the tensors, and their digests by step."""
    file = RunDirectory(run).path / "digests.jsonl"
    try:
        lines = file.read_bytes().splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith(b"\n")]  # a live run may be writing the last
        first = next(number for number, row in enumerate(rows) if "tensors" in row)
        names: list[str] = rows[first]["tensors"]
        digests = {int(row["step"]): _divided(row["digests"], len(names)) for row in rows[first:] if "digests" in row}
    except OSError as error:
        raise CheckpointError(f"{run} cannot be compared: {file.name} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        raise CheckpointError(f"{run} cannot be compared: {file.name} is damaged") from None
    return names, digests


def _divided(digests: str, count: int) -> list[str]:
    if len(digests) != 8 * count:
        raise ValueError("a digest for each tensor")
    return [digests[at : at + 8] for at in range(0, 8 * count, 8)]


def _parted(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """What differs or is in one of them only, in the order of the first."""
    return [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]


def _settings(first: Path, second: Path) -> list[tuple[str, Any, Any]]:
    ours, theirs = _all_settings(first), _all_settings(second)
    return [(key, ours.get(key), theirs.get(key)) for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]


def _all_settings(run: Path) -> dict[str, Any]:
    """The configuration, and what else decides the numbers."""
    content = RunDirectory(run).read_run()
    machine = {key: content.get(key) for key in ("versions", "device", "precision")}
    return leaves({**read_toml(run / "config.toml"), **machine})
