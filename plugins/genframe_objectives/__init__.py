"""Adversarial objectives."""

from __future__ import annotations

from collections.abc import Iterable

import genframe
from genframe.specs import ObjectiveSpec


@genframe.hookimpl
def genframe_objectives() -> Iterable[ObjectiveSpec]:
    """The loss that DCGAN trains with."""
    yield ObjectiveSpec(
        name="non-saturating",
        summary="Binary cross-entropy; the generator maximises the log-probability of being taken for real",
        factory="genframe_objectives.non_saturating:NonSaturating",
    )
