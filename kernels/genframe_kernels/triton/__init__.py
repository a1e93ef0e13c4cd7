"""The Triton kernels and what launches them; nothing here is imported before a block is served by them."""

from triton import knobs

_INTERPRETED = bool(knobs.runtime.interpret)


def interpreted() -> bool:
    """Whether Triton's interpreter runs the kernels, on the CPU: ``TRITON_INTERPRET=1`` when they were imported."""
    return _INTERPRETED
