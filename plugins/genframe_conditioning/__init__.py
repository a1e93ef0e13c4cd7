"""Conditioning schemes: how labels enter the networks."""

from __future__ import annotations

from collections.abc import Iterable

import genframe
from genframe.specs import ConditioningSpec


@genframe.hookimpl
def genframe_conditionings() -> Iterable[ConditioningSpec]:
    """No labels, and labels as further inputs of every layer."""
    yield ConditioningSpec(
        name="none",
        summary="No labels: unconditional generation",
        factory="genframe_conditioning.none:Unconditional",
    )
    yield ConditioningSpec(
        name="concat",
        summary="The label joins the input of every layer of both networks",
        factory="genframe_conditioning.concat:Concatenation",
        carries=frozenset({"class", "multilabel", "vector"}),
    )
