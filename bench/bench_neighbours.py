"""The 1-nearest-neighbour search of 10,000 real among 50,000 generated pictures, beside the matrix product it needs.

    python -m pytest bench/bench_neighbours.py

Both sides are random bytes of 28x28: the search's work does not depend on what they show, but for the few queries of a
chunk that find a nearer neighbour. Both are timed in turn, with the machine's default number of threads.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from genframe.analysis.neighbours import nearest_neighbours

QUERIES, REFERENCES, PIXELS, CHUNK = 10_000, 50_000, 784, 1024
ROUNDS = 3


def test_search_beside_the_bare_matrix_product(benchmark: Any, report: Callable[..., None]) -> None:
    """The promise: under 15 s on two cores, and within 1.3 times of the product in float32."""
    rng = torch.Generator().manual_seed(0)
    queries = torch.randint(256, (QUERIES, PIXELS), generator=rng, dtype=torch.uint8)
    references = torch.randint(256, (REFERENCES, PIXELS), generator=rng, dtype=torch.uint8)
    floats, others = queries.float() - 128.0, references.float() - 128.0
    products = torch.empty(QUERIES, CHUNK)

    def product() -> None:
        for part in torch.split(others, CHUNK):
            torch.mm(floats, part.T, out=products[:, : len(part)])

    taken: dict[str, list[float]] = {"product": [], "search": []}
    product()
    for _ in range(ROUNDS):
        for name, work in (("product", product), ("search", lambda: nearest_neighbours(queries, references))):
            began = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - began)
    benchmark.pedantic(lambda: None, rounds=1)
    seconds = {name: statistics.median(each) for name, each in taken.items()}
    report(benchmark, seconds=seconds["search"], times_the_product=seconds["search"] / seconds["product"])
