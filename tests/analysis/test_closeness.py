"""Whether a law of z is near that of the training."""

import math
import pkgutil
from types import SimpleNamespace

import pytest
import torch
from scipy import stats

from genframe.analysis.closeness import difference, is_standard_normal, wasserstein
from genframe.randomness import normal, uniform
from genframe_noise import genframe_noise_samplers

SPECS = {spec.name: spec for spec in genframe_noise_samplers()}
CPU = torch.device("cpu")


def make(name, **settings):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(**settings))


def test_the_distance_is_scipys():
    values, others = torch.randn(500), torch.rand(500) * 3
    assert wasserstein(values, others) == pytest.approx(stats.wasserstein_distance(values, others), rel=1e-5)
    assert wasserstein(values, values.flip(0)) == 0.0


@pytest.mark.parametrize("dim", [100, 512])
@pytest.mark.parametrize(
    ("name", "settings"), [("gaussian", {}), ("spherical", {}), ("truncated", {"bound": 3.0}), ("mixture", {})]
)
def test_laws_near_the_normal_one_are_not_spoken_of(name, settings, dim):
    law, training = make(name, dim=dim, **settings), make("gaussian", dim=dim)
    assert difference(law, training, CPU) == ""
    assert difference(training, law, CPU) == ""


@pytest.mark.parametrize("dim", [1, 10, 100])
@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("uniform", {}, "nearer to the origin"),
        ("truncated", {"bound": 0.5}, "nearer to the origin"),
        ("mixture", {"spread": 3.0}, "farther from the origin"),
        ("uniform", {"low": -3.0, "high": 3.0}, "farther from the origin"),
    ],
)
def test_laws_far_from_the_normal_one_are_and_the_way_is_said(name, settings, said, dim):
    law, training = make(name, dim=dim, **settings), make("gaussian", dim=dim)
    assert said in difference(law, training, CPU)
    assert difference(training, law, CPU)


def test_other_numbers_of_the_same_length_are_far_too():
    signs = SimpleNamespace(
        shape=(4, 25), draw=lambda indices, key: normal(indices, (4, 25), key).sign(), project=lambda noise: noise
    )
    training = SimpleNamespace(shape=(4, 25), draw=lambda indices, key: normal(indices, (4, 25), key))
    assert "as long as the training's and of other numbers" in difference(signs, training, CPU)


def test_lengths_are_told_as_they_are():
    sentence = difference(make("spherical", dim=64, radius=2.0), make("spherical", dim=64), CPU)
    assert "(|z| is 2 in the mean instead of 8)" in sentence


def test_a_law_of_one_point_is_compared_too():
    point = SimpleNamespace(shape=(3,), draw=lambda indices, key: torch.zeros(len(indices), 3))
    assert difference(point, point, CPU) == ""
    assert "farther" in difference(make("gaussian", dim=3), point, CPU)
    assert "nearer" in difference(point, make("gaussian", dim=3), CPU)


def test_fewer_are_drawn_of_a_law_of_many_numbers():
    asked = []

    def draw(indices, key):
        asked.append(len(indices))
        return torch.zeros(len(indices), 2**15)

    law = SimpleNamespace(shape=(2**15,), draw=draw)
    assert difference(law, law, CPU) == ""
    assert asked == [32, 32]


def law_of(shape, draw):
    return SimpleNamespace(shape=shape, draw=draw)


@pytest.mark.parametrize("shape", [(1,), (8,), (784,), (3, 4, 4)])
def test_a_standard_normal_law_is_told_from_others_of_the_same_numbers_or_lengths(shape):
    size = math.prod(shape)
    assert is_standard_normal(law_of(shape, lambda indices, key: normal(indices, shape, key)))
    assert not is_standard_normal(law_of(shape, lambda indices, key: 1.1 * normal(indices, shape, key)))
    assert not is_standard_normal(law_of(shape, lambda indices, key: 3.0 * uniform(indices, shape, key) - 1.5))
    if size > 1:
        one_number = law_of(shape, lambda indices, key: normal(indices, (1,), key).expand(-1, size).reshape(-1, *shape))
        assert not is_standard_normal(one_number)
