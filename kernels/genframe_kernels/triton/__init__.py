"""The Triton kernels and what launches them; nothing here is imported before a block is served by them."""

from __future__ import annotations

from functools import cache


@cache
def interpreted() -> bool:
    """Whether Triton's interpreter runs the kernels, on the CPU: ``TRITON_INTERPRET=1`` when they were imported."""
    from triton import knobs

    return bool(knobs.runtime.interpret)
