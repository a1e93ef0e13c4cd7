"""Figures that a benchmark reports beside its own time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """``report(benchmark, name=value)``: into the JSON of pytest-benchmark, and onto the terminal."""

    def say(benchmark: Any, **figures: float) -> None:
        benchmark.extra_info.update(figures)
        with capsys.disabled():
            print("".join(f"\n  {name.replace('_', ' ')}: {value:.2f}" for name, value in figures.items()))

    return say
