"""The versions of a checkpoint's layout, and the ways from older ones to this one.

A release that changes what a checkpoint holds raises `SCHEMA` and adds the function that brings the layout before it
to the new one. Checkpoints of every release are kept under ``tests/golden`` and must load for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: The version that is written.
SCHEMA = 1

#: From each older version to the next: what ``state.json`` holds, brought there. Tensors keep their names so far.
MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def migrated(state: dict[str, Any], schema: int) -> dict[str, Any]:
    """The content of a ``state.json`` of version `schema`, as it is in version `SCHEMA`."""
    for version in range(schema, SCHEMA):
        state = MIGRATIONS[version](state)
    return state
