"""How much of the time for 50,000 MNIST-sized samples goes into drawing z.

python -m pytest bench/bench_sampling.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from genframe.assembly import assemble
from genframe.interfaces import NoiseSampler
from genframe.options import configure
from genframe.registry import load_registry
from genframe.sampling import draw

COUNT = 50_000


def test_share_of_time_in_noise(benchmark: Any, report: Callable[..., None], monkeypatch: Any) -> None:
    """The promise: under 10%."""
    registry = load_registry()
    config = configure(registry, recipe="cdcgan", options={"image_size": 28, "steps": 1})
    view = assemble(config, registry).view(1)
    noise = view.trained.noise
    assert noise is not None
    spent = _timed(noise, monkeypatch)
    began = time.perf_counter()
    benchmark.pedantic(lambda: sum(1 for _ in draw(view.trained, 0, COUNT, 0, view.conditions.at)), rounds=1)
    total = time.perf_counter() - began
    report(benchmark, images_a_second=COUNT / total, percent_in_noise=100 * sum(spent) / total)


def _timed(noise: NoiseSampler, monkeypatch: Any) -> list[float]:
    spent: list[float] = []
    plain = noise.draw

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return plain(*args)
        finally:
            spent.append(time.perf_counter() - began)

    monkeypatch.setattr(noise, "draw", timed)
    return spent
