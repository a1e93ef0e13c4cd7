"""The networks on which the author's claims are tried: small enough for a CPU, and the same in all experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genframe.experiments import Training

#: Adam with a rate of 0.001 on 16 and 32 channels; see ``docs/quality.md``.
_SMALL: Mapping[str, Any] = {"architecture.width": 16, "architecture.hidden": 256}

#: Before so many steps there is nothing to compare.
_FEWEST_STEPS = 50


def small(data: str, steps: int, *, recipe: str = "cdcgan", origin: str = "", **changes: Any) -> Training:
    """A conditional DCGAN with some settings changed.

    Args:
        data: a dataset.
        steps: of the full schedule.
        recipe: another one to begin with.
        origin: the training that this one branches from.
        changes: settings, with ``__`` for the dot, or flags of `genframe.train` where there is none.
    """
    settings = {**_SMALL, **{key.replace("__", "."): value for key, value in changes.items() if "__" in key}}
    flags = {key: value for key, value in changes.items() if "__" not in key}
    return Training(
        recipe=recipe, data=data, steps=steps, settings=settings, flags=flags, origin=origin, least=_FEWEST_STEPS
    )
