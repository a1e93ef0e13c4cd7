"""How long `genframe --help` takes, beside the least that any click program takes.

    python -m pytest bench/bench_cli.py

The two are run in turn; what counts is the ratio of the medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 15


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def test_help_beside_importing_click(benchmark: Any, report: Callable[..., None]) -> None:
    """The promise: at most 1.6 times."""
    ours, bare = ("-c", "from genframe.cli.main import main; main(['--help'])"), ("-c", "import click")
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: pairs.append((_seconds(*ours), _seconds(*bare))), rounds=ROUNDS, warmup_rounds=2)
    help_seconds, click_seconds = (statistics.median(column) for column in zip(*pairs, strict=True))
    report(benchmark, help_ms=help_seconds * 1e3, click_ms=click_seconds * 1e3, ratio=help_seconds / click_seconds)
