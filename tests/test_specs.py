"""What a spec refuses, in a sentence to its author."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass

import pytest

from genframe.specs import Choice, ConditioningSpec, MetricSpec, NoiseSpec, RecipeSpec

PLAIN = make_dataclass("PlainSettings", [("dim", int, 3)], frozen=True, kw_only=True)
BARE = make_dataclass("BareSettings", [("dim", int)], frozen=True, kw_only=True)
NAMED = make_dataclass("NamedSettings", [("name", str, "")], frozen=True, kw_only=True)


@dataclass
class _Part:
    name: str


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": "Fog"}, "the name of noise 'Fog' is not of lower case letters"),
        ({"name": ""}, "the name of noise '' is not of lower case letters"),
        ({"summary": "two\nlines"}, "the summary of noise 'fog' is one line"),
        ({"summary": ""}, "the summary of noise 'fog' is one line"),
        ({"api": 0}, "the api of noise 'fog' is a version from 1 on; got 0"),
        ({"factory": "nowhere"}, "is written 'package.module:attribute'; got 'nowhere'"),
        ({"settings": dict}, "the settings of noise 'fog' are a dataclass"),
        ({"settings": BARE}, "every setting of noise 'fog' has a default; dim has none"),
        ({"settings": NAMED}, "a setting of noise 'fog' is called 'name', and that is the part's own key"),
    ],
)
def test_a_part_that_cannot_work_is_refused_when_it_is_written(changed, sentence):
    sound = {"name": "fog", "summary": "Fog", "factory": "nowhere:Fog", "settings": PLAIN}
    assert NoiseSpec(**sound).name == "fog"
    with pytest.raises(ValueError, match=sentence):
        NoiseSpec(**(sound | changed))


def test_kinds_of_label_and_directions_are_known_ones():
    with pytest.raises(ValueError, match=r"conditioning 'fog' carries is of .* got 'klass'.*Did you mean 'class'"):
        ConditioningSpec(name="fog", summary="Fog", factory="a:b", carries=frozenset({"klass"}))
    with pytest.raises(ValueError, match="better of metric 'fog' is of 'higher', 'lower'; got 'bigger'"):
        MetricSpec(name="fog", summary="Fog", factory="a:b", better="bigger")


def test_a_recipe_takes_choices_and_nothing_else():
    parts = {
        "algorithm": Choice(name="adversarial"),
        "architecture": Choice(name="dcgan"),
        "data": Choice(name="digits"),
    }
    with pytest.raises(ValueError, match=r"the parts of recipe 'fog' are written Choice\(name=...\)"):
        RecipeSpec(name="fog", summary="Fog", **(parts | {"data": _Part("digits")}))
