"""Random numbers by key: the right bits, the right laws, and each number a function of its own index alone."""

import math
from collections.abc import Iterator
from itertools import islice

import pytest
import torch

from genframe.randomness import derive_key, normal, random_bits, seeded_generator, uniform


def splitmix(seed: int) -> Iterator[int]:
    """SplitMix64 in Python's integers, from the paper's definition."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = seed
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


def test_the_oracle_gives_the_published_answers():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert list(islice(splitmix(1234567), 4)) == published


@pytest.mark.parametrize("key", [0, 1, 0x299F31D0A4093822, 2**63 - 1])
def test_bits_are_those_of_the_stream_that_the_keys_stream_seeds(key):
    indices = [0, 1, 7, 1000]
    bits = random_bits(torch.tensor(indices), 12, key).tolist()
    for index, row in zip(indices, bits, strict=True):
        seed = next(islice(splitmix(key), index, None))
        assert [value % 2**64 for value in row] == list(islice(splitmix(seed), 12))


def test_fewer_numbers_are_a_prefix_of_more():
    indices = torch.arange(5)
    assert torch.equal(random_bits(indices, 7, key=3), random_bits(indices, 8, key=3)[:, :7])


@pytest.mark.parametrize("law", [uniform, normal])
def test_a_sample_is_the_same_alone_and_in_any_company(law):
    together = law(torch.arange(1000), (3, 5), 7)
    some = torch.tensor([999, 0, 500, 500])
    assert torch.equal(law(some, (3, 5), 7), together[some])
    assert torch.equal(law(torch.tensor([123]), (3, 5), 7)[0], together[123])
    assert together.shape == (1000, 3, 5)
    assert together.dtype == torch.float32


@pytest.mark.parametrize("law", [uniform, normal])
def test_another_key_or_index_gives_other_numbers(law):
    base = law(torch.tensor([5]), (64,), 1)
    others = [
        law(torch.tensor([5]), (64,), 2),
        law(torch.tensor([5 + 2**32]), (64,), 1),
        law(torch.tensor([6]), (64,), 1),
    ]
    assert all((base != other).float().mean() > 0.9 for other in others)


def test_uniform_numbers_have_the_moments_of_their_law():
    u = uniform(torch.arange(20_000), (10,), 11).double()
    assert 0.0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1.0
    error = 1 / math.sqrt(u.numel())
    for power in (1, 2, 3, 4):
        assert (u**power).mean().item() == pytest.approx(1 / (power + 1), abs=2 * error)
    assert (u * 2**24).frac().count_nonzero() == 0


def test_normal_numbers_are_finite_and_have_the_moments_of_their_law():
    x = normal(torch.arange(20_000), (9,), 12).double()
    assert x.isfinite().all()
    error = 1 / math.sqrt(x.numel())
    # Four standard errors of each mean: Var x^p = m_2p - m_p^2, with m_2, m_4, m_6, m_8 = 1, 3, 15, 105.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert (x**power).mean().item() == pytest.approx(moment, abs=4 * error * math.sqrt(variance))
    assert (x.abs() > 4).double().mean().item() == pytest.approx(6.33e-5, abs=8e-5)


@pytest.mark.parametrize("law", [uniform, normal])
def test_neither_neighbouring_indices_nor_positions_are_correlated(law):
    x = law(torch.arange(20_000), (8,), 13).double()
    assert (torch.corrcoef(x.T) - torch.eye(8)).abs().max() < 5 / math.sqrt(20_000)
    for shift in (1, 2):
        assert torch.corrcoef(torch.stack((x[:-shift, 0], x[shift:, 0])))[0, 1].abs() < 5 / math.sqrt(20_000)


def test_a_key_depends_on_seed_purpose_and_path_and_on_nothing_else():
    keys = [
        derive_key(0, "noise"),
        derive_key(1, "noise"),
        derive_key(0, "data"),
        derive_key(0, "noise", 1),
        derive_key(0, "noise", 1, 1),
        derive_key(0, "noise", 11),
        derive_key(-1, "noise"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 2**63 for key in keys)
    assert derive_key(0, "noise", 1) == keys[3]


def test_a_key_is_the_same_in_every_process_and_release():
    assert derive_key(0, "noise", 1) == 2_376_061_928_063_757_211


def test_a_generator_starts_from_its_key():
    first, second = (torch.rand(3, generator=seeded_generator(2**63 - 1)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(3, generator=seeded_generator(5)))
