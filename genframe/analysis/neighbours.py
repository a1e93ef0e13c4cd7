"""The nearest neighbour of each query, among as many references as one likes.

References pass by in chunks, so memory does not grow with their number. Sums are taken in float64: for pixel values 0
to 255 every distance is then exact, and neither the chunks nor the machine can change which neighbour wins.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def nearest_neighbours(
    queries: Tensor, reference: Tensor | Iterable[Tensor], *, chunk: int = 1024
) -> tuple[Tensor, Tensor]:
    """For each query, the Euclidean distance to the nearest reference, and its index; the lowest among equals.

    Args:
        queries: ``(Q, D)``.
        reference: ``(N, D)``, or chunks ``(n, D)`` of it in order.
        chunk: how many references are compared at once, where they come as one tensor.

    Returns:
        ``float32 (Q,)`` and ``int64 (Q,)``, on the queries' device; infinity and -1 for a query that is not finite.

    Raises:
        ValueError: there is no reference.
    """
    chunks = torch.split(reference, chunk) if isinstance(reference, Tensor) else reference
    queries_QD = queries.double()
    squares_Q = queries_QD.square().sum(1)
    best = torch.full_like(squares_Q, torch.inf)
    indices = torch.full(squares_Q.shape, -1, dtype=torch.int64, device=queries.device)
    start = 0
    for part in (part for part in chunks if len(part)):
        reference_ND = part.to(queries_QD)
        partial = reference_ND.square().sum(1) - 2.0 * queries_QD @ reference_ND.T
        nearest, places = (partial + squares_Q[:, None]).min(1)
        closer = nearest < best  # strictly: an equal one that came earlier stays
        best[closer] = nearest[closer]
        indices[closer] = places[closer] + start
        start += len(part)
    if start == 0:
        raise ValueError("the nearest neighbour among no references is not defined")
    return best.clamp(min=0.0).sqrt().float(), indices
