"""How long `genframe --help` takes beside the least that any click program takes, and what a hundred plugins add.

    python -m pytest bench/bench_cli.py

What is compared is run in turn; what counts is the ratio of the medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 15

PLUGIN = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="law-{number}", summary="One of many", factory="nowhere:Noise")
"""


def _seconds(*words: str, path: str = "") -> float:
    environment = {**os.environ, "PYTHONPATH": path}
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True, env=environment)
    return time.perf_counter() - began


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hundred distributions, as pip installs them, of one plugin each."""
    site = tmp_path_factory.mktemp("site")
    for number in range(100):
        information = site / f"genframe_law_{number}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: genframe-law-{number}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[genframe]\nlaw-{number} = genframe_law_{number}\n")
        (site / f"genframe_law_{number}.py").write_text(PLUGIN.format(number=number))
    return site


@pytest.mark.parametrize("words", [["--help"], ["plugins", "list"], ["plugins", "list", "--specs"]], ids=" ".join)
def test_a_hundred_plugins_beside_none(
    benchmark: Any, report: Callable[..., None], hundred: Path, words: list[str]
) -> None:
    """Help and the list read metadata at most; ``--specs`` imports every plugin, as a run does."""
    command = ("-c", f"from genframe.cli.main import main; main({words})")
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(
        lambda: pairs.append((_seconds(*command, path=str(hundred)), _seconds(*command))),
        rounds=ROUNDS,
        warmup_rounds=2,
    )
    with_them, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    report(benchmark, hundred_ms=with_them * 1e3, none_ms=without * 1e3, ratio=with_them / without)


def test_help_beside_importing_click(benchmark: Any, report: Callable[..., None]) -> None:
    """The promise: at most 1.6 times."""
    ours, bare = ("-c", "from genframe.cli.main import main; main(['--help'])"), ("-c", "import click")
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: pairs.append((_seconds(*ours), _seconds(*bare))), rounds=ROUNDS, warmup_rounds=2)
    help_seconds, click_seconds = (statistics.median(column) for column in zip(*pairs, strict=True))
    report(benchmark, help_ms=help_seconds * 1e3, click_ms=click_seconds * 1e3, ratio=help_seconds / click_seconds)
