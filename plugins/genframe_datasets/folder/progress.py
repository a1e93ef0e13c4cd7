"""A bar on the terminal, for work that takes more than a moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_Item = TypeVar("_Item")

#: Seconds of patience.
PATIENCE = 2.0


def watched(items: Iterable[_Item], title: str, total: int, each: int) -> Iterator[_Item]:
    """The items; on a terminal a bar appears after two seconds, and counts `each` for an item, up to `total`."""
    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task(title, total=total)
    began, shown = time.monotonic(), False
    try:
        for item in items:
            progress.advance(task, each)
            if not shown and time.monotonic() - began > PATIENCE:
                progress.start()
                shown = True
            yield item
    finally:
        progress.stop()
