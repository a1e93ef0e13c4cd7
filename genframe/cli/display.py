"""What a run shows on the terminal: a progress bar, or plain lines where nobody watches."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from genframe.figures import figure_line
from genframe.specs import MetricSpec

if TYPE_CHECKING:
    from genframe.interfaces import RunView
    from genframe.registry import Registry
    from genframe.run import Run

#: How many seconds apart plain lines are.
PLAIN_EVERY = 10.0


class _Terminal(io.TextIOBase):
    """A stream whose reader may go away: a run is worth more than what is said of it."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class Display:
    """An observer that shows how a run is doing. Progress goes to stderr, the summary to stdout."""

    def __init__(self, registry: Registry, plugins_dirs: Sequence[Path] = ()) -> None:
        self._registry = registry
        self._plugins_dirs = plugins_dirs
        self._console = Console(file=cast(IO[str], _Terminal(sys.stderr)), highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("train", figures="")
        self._metrics = {found.spec.name for found in registry.all("metric")}
        self._steps: int | None = None
        self._batch_size = 0
        self._seen = (0, 0.0)
        self._shown = 0.0

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, run: Mapping[str, Any]) -> None:
        """Says what begins."""
        self._steps, self._batch_size = run["steps"], run["batch_size"]
        length = f"{self._steps:,} steps" if self._steps else f"{run['minutes']:g} minutes, in steps"
        networks = ", ".join(f"{role} {count:,}" for role, count in run["parameters"].items())
        self._console.print(
            f"{run['title']}: {run['samples']['train']:,} training samples, "
            f"{length} of {self._batch_size} on {run['device']} in {run['precision']}",
            f"parameters: {networks}",
            f"run directory: {run['directory']}",
            sep="\n",
            soft_wrap=True,
        )
        behind = self._say_where_it_begins(run)
        self._progress.update(self._task, total=self._steps, completed=behind)
        self._progress.start()
        self._seen = (behind, time.monotonic())

    def _say_where_it_begins(self, run: Mapping[str, Any]) -> int:
        """How many steps are behind a run that goes on or branches off, which is said."""
        resumed, origin = run.get("resumed"), run.get("branched_from")
        begins = resumed[-1] if resumed else origin
        if not begins:
            return 0
        step: int = begins["step"]
        said = f"resumed after step {step:,}" if resumed else f"branched from {begins['checkpoint']}, step {step:,}"
        self._console.print(*begins["notes"], said, sep="\n", soft_wrap=True)
        return step

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """Moves the bar, or prints a line now and then; held-out figures have a line of their own."""
        if values.keys() <= self._metrics:
            entries = {name: {"value": value} for name, value in values.items()}
            self._console.print(f"step {step:,}", *self._figure_lines(entries), sep="  ", soft_wrap=True)
            return
        now = time.monotonic()
        since_step, since = self._seen
        speed = (step - since_step) * self._batch_size / max(now - since, 1e-9)
        self._seen = (step, now)
        losses = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items() if "loss" in name)
        figures = f"{losses}  {speed:,.0f} images/s"
        self._progress.update(self._task, completed=step, figures=figures)
        if self._progress.disable and (now - self._shown >= PLAIN_EVERY or step == self._steps):
            self._shown = now
            total = f"/{self._steps:,}" if self._steps else ""
            self._console.print(f"step {step:,}{total}  {figures}", soft_wrap=True)

    def remarked(self, step: int, sentence: str) -> None:
        """A warning has a line of its own."""
        self._console.print(sentence, soft_wrap=True)

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """Pictures are named once, at the end; after the last one the figures take a while."""
        if picture.stem == "final":
            self._progress.stop()
            self._console.print("measuring on held-out data")

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """Takes the bar away."""
        self._progress.stop()

    def summarise(self, run: Run) -> None:
        """Where the pictures are, the held-out figures, what to try next; last the run directory, for scripts."""
        click.echo(f"done in {run.summary['timings']['seconds']:.0f} s; final picture: {run.picture}")
        for line in self._figure_lines(run.summary["metrics"]):
            click.echo(f"  {line}")
        best = run.summary.get("best", {})
        if best is None:
            click.echo("no checkpoint was kept as the best: the first metric never gave a figure")
        elif best:
            (line,) = self._figure_lines({best["metric"]: best})
            click.echo(f"best at step {best['step']:,}, kept in {run.directory / best['checkpoint']}\n  {line}")
        click.echo("\nworth trying next:")
        for command in _suggestions(run, self._plugins_dirs):
            click.echo(f"  {command}")
        click.echo(f"\n{run.directory}")

    def _figure_lines(self, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
        specs = {name: cast(MetricSpec, self._registry.find_spec("metric", name)) for name in entries}
        return [figure_line(specs[name], entry) for name, entry in entries.items()]


def _suggestions(run: Run, plugins_dirs: Sequence[Path]) -> list[str]:
    program, directory = _program(), shlex.quote(str(run.directory))
    more = "".join(f" --plugins-dir {shlex.quote(str(folder))}" for folder in plugins_dirs)
    return [
        f"{program} sample {directory} -n 64 --seed 1{more}",
        f"{program} visualize {directory} samples --set columns=16 --output samples.png{more}",
        f"{program} run --config {directory}/config.toml --seed 1{more}",
    ]


def _program() -> str:
    """What the user can type to run this program: its path, where a virtual environment is not activated."""
    if shutil.which("genframe"):
        return "genframe"
    started = Path(sys.argv[0])
    return os.path.relpath(started) if started.name == "genframe" else "python -m genframe"
