"""The nearest neighbour of each query, among as many references as one likes.

References pass by in chunks, so memory does not grow with their number. Nothing is rounded where it matters: which
neighbour wins depends neither on the chunks nor on the machine. Pixels 0 to 255, less 128, of at most 1,024 numbers a
picture have products whose sums stay below 2**24, and float32 holds such whole numbers exactly, in whatever order they
are added; anything else is summed in float64.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

#: Sums of so many products of numbers in [-128, 127] are exact in float32.
_MOST_EXACT = 1024
_CENTRE = 128.0

#: So many queries are compared at once: their products with 1,024 references, 4 MB in float32, stay in a CPU's caches.
_QUERIES = 1024


def nearest_neighbours(
    queries: Tensor, reference: Tensor | Iterable[Tensor], *, chunk: int = 1024
) -> tuple[Tensor, Tensor]:
    """For each query, the Euclidean distance to the nearest reference, and its index; the lowest among equals.

    Args:
        queries: ``(Q, D)``; fastest where both sides are ``uint8`` of at most 1,024 numbers.
        reference: ``(N, D)``, or chunks ``(n, D)`` of it in order, of one dtype.
        chunk: how many references are compared at once.

    Returns:
        ``float32 (Q,)`` and ``int64 (Q,)``, on the queries' device; infinity and -1 for a query that is not finite.

    Raises:
        ValueError: there is no reference.
    """
    parts = [reference] if isinstance(reference, Tensor) else reference
    search: _Search | None = None
    for part in (each for whole in parts for each in torch.split(whole, chunk) if len(each)):
        search = search or _Search(queries, part.dtype, chunk)
        search.add(part)
    if search is None:
        raise ValueError("the nearest neighbour among no references is not defined")
    return search.distances(), search.indices


class _Search:
    """The nearest of the references so far.

    Compared are the scores ``|r|**2 / 2 - q.r``, which order references like their distances to q. In float32 a score
    may be rounded, though its products are exact. Rounding keeps the order: what is rounded above the best so far is
    not looked at again, and the few queries that are left are compared in float64.
    """

    def __init__(self, queries: Tensor, dtype: torch.dtype, chunk: int) -> None:
        are_bytes = queries.dtype == dtype == torch.uint8 and queries.shape[1] <= _MOST_EXACT
        exact = are_bytes and torch.get_float32_matmul_precision() == "highest"
        self._dtype, self._centre = (torch.float32, _CENTRE) if exact else (torch.float64, 0.0)
        self._queries_QD = queries.to(self._dtype) - self._centre
        self._best_Q = self._queries_QD.new_full((len(queries),), torch.inf, dtype=torch.float64)
        self._buffers = self._queries_QD.new_empty(2, min(len(queries), _QUERIES) * chunk)
        self._seen = 0
        self.indices = torch.full((len(queries),), -1, dtype=torch.int64, device=queries.device)

    def add(self, reference: Tensor) -> None:
        """Compares with further references ``(n, D)``."""
        reference_ND = reference.to(self._queries_QD) - self._centre
        halves_N = reference_ND.double().square().sum(1) / 2.0
        for first in range(0, len(self._queries_QD), _QUERIES):
            queries_QD = self._queries_QD[first : first + _QUERIES]
            best_Q = self._best_Q[first : first + _QUERIES]
            products_QN, scores_QN = (
                buffer[: len(queries_QD) * len(reference_ND)].view(len(queries_QD), -1) for buffer in self._buffers
            )
            torch.mm(queries_QD, reference_ND.T, out=products_QN)
            torch.sub(halves_N.to(self._dtype), products_QN, out=scores_QN)
            rows = (scores_QN.amin(1) <= best_Q.to(self._dtype)).nonzero()[:, 0]
            nearest, places = (halves_N - products_QN[rows].double()).min(1)
            closer = nearest < best_Q[rows]  # strictly: an equal one that came earlier stays
            best_Q[rows[closer]] = nearest[closer]
            self.indices[first + rows[closer]] = places[closer] + self._seen
        self._seen += len(reference_ND)

    def distances(self) -> Tensor:
        """``float32 (Q,)``."""
        squares_Q = self._queries_QD.double().square().sum(1)
        distances_Q = (2.0 * self._best_Q + squares_Q).clamp(min=0.0).sqrt().float()
        return distances_Q.masked_fill(self.indices < 0, torch.inf)
