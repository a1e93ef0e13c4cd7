"""50,000 MNIST-sized samples, beside the generator's bare forward passes; and how much of the time goes into drawing z.

python -m pytest bench/bench_sampling.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from genframe.analysis.placing import placed
from genframe.assembly import assemble
from genframe.interfaces import NoiseSampler
from genframe.options import configure
from genframe.registry import load_registry
from genframe.sampling import CHUNK, View

COUNT, ROUNDS = 50_000, 5


def _view() -> View:
    registry = load_registry()
    config = configure(registry, recipe="cdcgan", options={"image_size": 28, "steps": 1})
    view = assemble(config, registry).view(1)
    for network in view.trained.networks.values():
        network.eval()
    return view


def test_samples_beside_bare_forward_passes(benchmark: Any, report: Callable[..., None]) -> None:
    """The promise: at least 80% of the generator's own speed, on batches of the same size."""
    view = _view()
    part = COUNT // ROUNDS
    indices = torch.arange(CHUNK)
    problem = view.trained.problem
    assert problem.noise_shape is not None
    noise = torch.randn(CHUNK, *problem.noise_shape)
    condition = placed(view.conditions.at(indices), torch.device("cpu"), problem)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(-(-part // CHUNK)):
                view.trained.generator(noise, condition)

    taken = {"bare": 0.0, "samples": 0.0}
    bare()
    for number in range(ROUNDS):
        samples = partial(_drain, view, part, number * part)
        for name, work in (("bare", bare), ("samples", samples)):
            began = time.perf_counter()
            work()
            taken[name] += time.perf_counter() - began
    benchmark.pedantic(lambda: None, rounds=1)
    report(
        benchmark,
        images_a_second=COUNT / taken["samples"],
        percent_of_bare_forward=100 * taken["bare"] / taken["samples"],
    )


def test_share_of_time_in_noise(benchmark: Any, report: Callable[..., None], monkeypatch: Any) -> None:
    """The promise: under 10%."""
    view = _view()
    noise = view.trained.noise
    assert noise is not None
    spent = _timed(noise, monkeypatch)
    began = time.perf_counter()
    benchmark.pedantic(lambda: _drain(view, COUNT, 0), rounds=1)
    total = time.perf_counter() - began
    report(benchmark, images_a_second=COUNT / total, percent_in_noise=100 * sum(spent) / total)


def _drain(view: View, count: int, first: int) -> None:
    for _ in view.stream(count, first=first):
        pass


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
