"""How long MNIST takes to load, beside the least that any reader of its files takes.

    python -m pytest bench/bench_data.py

The two are run in turn in one process; what counts is the ratio of the medians. The real files are needed: the folder
that ``GENFRAME_TEST_DATA`` names, else ``shared/data`` beside the repository.
"""

from __future__ import annotations

import gzip
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genframe_datasets import NamedSettings
from genframe_datasets.named import open_mnist

ROUNDS = 15


@pytest.fixture
def mnist() -> Path:
    """The folder of the four real files."""
    data = Path(os.environ.get("GENFRAME_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "mnist").is_dir():
        pytest.skip(f"no real MNIST at {data / 'mnist'}; set GENFRAME_TEST_DATA to a folder that holds it")
    return data / "mnist"


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def test_mnist_beside_gunzip(benchmark: Any, report: Callable[..., None], mnist: Path) -> None:
    """The promise: at most 1.5 times, though ours recognises the files, and reads the 10,000 test images too."""

    def bare() -> object:
        with gzip.open(mnist / "train-images-idx3-ubyte.gz") as file:
            return np.frombuffer(file.read(), dtype=np.uint8, offset=16)

    def ours() -> object:
        return open_mnist(NamedSettings(data_dir=str(mnist)))

    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: pairs.append((_seconds(ours), _seconds(bare))), rounds=ROUNDS, warmup_rounds=1)
    loading, gunzip = (statistics.median(column) for column in zip(*pairs, strict=True))
    report(benchmark, loading_ms=loading * 1e3, gunzip_ms=gunzip * 1e3, ratio=loading / gunzip)
