"""A part that calls another's code is not blamed for it."""

from __future__ import annotations

import pytest

CONDITIONING = """
import genframe
from genframe.specs import ConditioningSpec

class Careless:
    def __init__(self, settings, problem): pass
    def encoder(self, role): return 1 / {place}
    def block(self, spec): return None
    def head(self, features, *, bias=True): return None
    def complete(self, networks): raise LookupError("lost")

@genframe.hookimpl
def genframe_conditionings():
    yield ConditioningSpec(name="careless", summary="Fails", factory=Careless)
"""

ARCHITECTURE = """
import genframe
from genframe.specs import ArchitectureSpec

class Plain:
    def __init__(self, settings): pass
    def build(self, problem, conditioning):
        conditioning.encoder("generator")
        return {}

@genframe.hookimpl
def genframe_architectures():
    yield ArchitectureSpec(name="plain", summary="Asks", factory=Plain, roles=frozenset({"generator", "critic"}))
"""


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (0, "plugin 'careless' (genframe-careless 1.0) failed when architecture 'plain' was built: ZeroDivisionError"),
        (
            1,
            "conditioning 'careless' of plugin 'careless' (genframe-careless 1.0) failed when it was built: Look",
        ),
    ],
)
def test_what_fails_in_anothers_call_is_named(make_distribution, cli, place, sentence):
    make_distribution("genframe-careless", {"careless": CONDITIONING.format(place=place)})
    make_distribution("genframe-plain", {"plain": ARCHITECTURE})
    result = cli("run", "--plugin", "dcgan", "--architecture", "plain", "--conditioning", "careless", "--dry-run")
    assert result.code == 1
    assert result.err.startswith(f"genframe: {sentence}"), result.err
