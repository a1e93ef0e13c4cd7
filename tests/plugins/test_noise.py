"""Noise samplers: their laws, and each z a function of its own index."""

import math
import pkgutil

import pytest
import torch

from genframe.errors import ConfigError
from genframe_noise import genframe_noise_samplers

SPECS = {spec.name: spec for spec in genframe_noise_samplers()}


def make(name: str, **settings):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(**settings))


def test_the_plugin_offers_both_laws():
    assert set(SPECS) == {"uniform", "gaussian"}


@pytest.mark.parametrize("name", list(SPECS))
def test_the_default_is_the_papers_hundred_numbers(name):
    assert make(name).shape == (100,)
    assert make(name).draw(torch.arange(3), 0).shape == (3, 100)


@pytest.mark.parametrize("name", list(SPECS))
def test_a_sample_depends_on_its_key_and_index_alone(name):
    sampler = make(name, dim=7)
    together = sampler.draw(torch.arange(50), 9)
    assert together.dtype == torch.float32
    assert torch.equal(sampler.draw(torch.tensor([41, 3]), 9), together[[41, 3]])
    assert not torch.isclose(sampler.draw(torch.arange(50), 10), together).any(dim=1).all()


def test_uniform_noise_fills_the_interval_from_minus_one_to_one():
    z = make("uniform").draw(torch.arange(2000), 1).double()
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() < 1
    error = 4 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1 / 3, abs=error)


def test_gaussian_noise_is_standard_normal():
    z = make("gaussian").draw(torch.arange(2000), 1).double()
    error = 4 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1, abs=2 * error)
    assert (z.abs() < 1).double().mean().item() == pytest.approx(0.6827, abs=error)


def test_projection_is_onto_the_cube_for_uniform_noise_and_nothing_for_gaussian():
    z = torch.tensor([[-3.0, -1.0, 0.25, 1.0, 1.5]])
    assert make("uniform", dim=5).project(z).tolist() == [[-1.0, -1.0, 0.25, 1.0, 1.0]]
    assert torch.equal(make("gaussian", dim=5).project(z), z)


@pytest.mark.parametrize("name", list(SPECS))
@pytest.mark.parametrize("dim", [0, -3])
def test_fewer_than_one_number_is_refused(name, dim):
    with pytest.raises(ConfigError, match=f"dim = {dim} and needs at least 1"):
        make(name, dim=dim)
