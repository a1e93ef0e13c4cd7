"""A progress bar on stderr for long measurements, where somebody watches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from genframe.sampling import View


@contextmanager
def watched(view: View, what: str) -> Iterator[View]:
    """The view, whose streams of samples move a bar labelled `what`; nothing is shown where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def watch(done: int, count: int) -> None:
            progress.update(task, completed=done, total=count)

        yield dataclasses.replace(view, watch=watch)
