"""Paths in the space of z have known lengths and ends, and any z can be turned into a picture."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genframe.analysis.latent import check_latent, linear, rendered, repeated, samples_at, spherical
from genframe.errors import ConfigError
from genframe.interfaces import Trained
from genframe.sampling import Conditions, View
from genframe.shapes import Field, Problem
from genframe_noise import NoiseSettings, UniformSettings
from genframe_noise.laws import Gaussian, Uniform

IMAGE = Field(kind="image", shape=(1, 2, 2))
DIGIT = Field(kind="class", classes=("nil", "one", "two"))


def normal(count: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed))


def as_pixels(noise: Tensor, condition) -> Tensor:
    """A generator that shows its z."""
    return noise.view(-1, 1, 2, 2)


def view(law=None, condition=None, output: Field = IMAGE, generator: Callable = as_pixels, seed: int = 5) -> View:
    problem = Problem(output=output, condition=condition or {}, noise_shape=law.shape if law else None)
    return View(
        trained=Trained(problem=problem, generator=generator, networks={}, noise=law),
        conditions=Conditions(problem, {}),
        title="a view, step 0",
        seed=seed,
        find_dataset=lambda: pytest.fail("nobody asks for data"),
    )


@pytest.mark.parametrize("way", [linear, spherical])
@pytest.mark.parametrize("shape", [(1,), (2,), (100,), (3, 4, 4)])
@pytest.mark.parametrize("steps", [2, 3, 9])
def test_both_ends_are_exact(way, shape, steps):
    first, last = normal(2, *shape)
    path = way(first, last, steps)
    assert path.shape == (steps, *shape)
    assert path.dtype == first.dtype
    assert torch.equal(path[0], first)
    assert torch.equal(path[-1], last)


def test_the_straight_way_is_even():
    path = linear(torch.tensor([0.0, 4.0]), torch.tensor([8.0, 0.0]), 5)
    assert path.tolist() == [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0]]


def test_a_quarter_circle_is_walked_in_equal_angles():
    path = spherical(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 4)
    angles = torch.tensor([0.0, 30.0, 60.0, 90.0]) * math.pi / 180
    torch.testing.assert_close(path, 2.0 * torch.stack([angles.cos(), angles.sin()], 1))


@pytest.mark.parametrize("seed", range(5))
def test_between_z_of_one_length_every_z_has_that_length(seed):
    first, last = normal(2, 50, seed=seed).double()
    last = last * first.norm() / last.norm()
    lengths = spherical(first, last, 11).norm(dim=1)
    torch.testing.assert_close(lengths, first.norm().expand(11))
    assert linear(first, last, 3)[1].norm() < 0.9 * first.norm()


def test_lengths_that_differ_change_evenly():
    lengths = spherical(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0]), 5).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1.5, 2.0, 2.5, 3.0]))


def test_it_is_whites_formula():
    first, last = normal(2, 20, seed=3).double()
    last = last * first.norm() / last.norm()
    angle = torch.acos(first @ last / first.norm() / last.norm())
    shares = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None]
    expected = (((1 - shares) * angle).sin() * first + (shares * angle).sin() * last) / angle.sin()
    torch.testing.assert_close(spherical(first, last, 7), expected)


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_parallel_z_have_the_straight_way_between_them(factor):
    first = normal(1, 30)[0]
    torch.testing.assert_close(spherical(first, factor * first, 5), linear(first, factor * first, 5))


@pytest.mark.parametrize("size", [2, 30])
def test_opposite_z_are_joined_by_a_half_circle(size):
    first = normal(1, size)[0].double()
    path = spherical(first, -first, 5)
    torch.testing.assert_close(path.norm(dim=1), first.norm().expand(5))
    steps = (path[1:] * path[:-1]).sum(1) / first.norm().square()
    torch.testing.assert_close(steps, torch.full((4,), math.cos(math.pi / 4), dtype=torch.float64))


@pytest.mark.parametrize(("first", "last"), [([0.0, 0.0], [2.0, 4.0]), ([3.0], [-1.0])])
def test_where_there_is_no_circle_the_way_is_straight(first, last):
    ends = torch.tensor(first), torch.tensor(last)
    assert torch.equal(spherical(*ends, 5), linear(*ends, 5))


def test_the_z_of_samples_by_index_is_that_of_the_samples():
    one = view(Gaussian(NoiseSettings(dim=4)), {"label": DIGIT})
    noise, condition = samples_at(one, [70, 0, 129, 70])
    for row, index in enumerate([70, 0, 129, 70]):
        alone = one.samples(1, first=index)
        assert torch.equal(noise[row], alone.noise[0])
        assert condition["label"][row] == index % 3
    assert torch.equal(rendered(one, noise, condition)[0], one.samples(1, first=70).output[0])


def test_an_index_below_zero_is_refused():
    with pytest.raises(ConfigError, match="by their index, from 0 on; got -2"):
        samples_at(view(Gaussian(NoiseSettings(dim=4))), [1, -2])


def test_what_lies_outside_the_law_is_brought_to_its_edge():
    noise = torch.tensor([[-3.0, -1.0, 0.5, 9.0]])
    clamped = rendered(view(Uniform(UniformSettings(dim=4))), noise, {})
    assert clamped.flatten().tolist() == [-1.0, -1.0, 0.5, 1.0]
    assert torch.equal(rendered(view(Gaussian(NoiseSettings(dim=4))), noise, {}).flatten(), noise[0])


def test_more_pictures_than_are_computed_at_once_come_in_order_each_with_its_condition():
    def with_label(noise: Tensor, condition) -> Tensor:
        return as_pixels(noise, {}) + 10.0 * condition["label"].view(-1, 1, 1, 1)

    labels = torch.arange(150) % 3
    pictures = rendered(
        view(Gaussian(NoiseSettings(dim=4)), {"label": DIGIT}, generator=with_label),
        normal(150, 4),
        {"label": labels},
    )
    assert torch.equal(pictures, normal(150, 4).view(-1, 1, 2, 2) + 10.0 * labels.view(-1, 1, 1, 1))


def test_rows_of_a_condition_are_repeated_one_after_the_other():
    assert repeated({"label": torch.tensor([4, 7])}, 3)["label"].tolist() == [4, 4, 4, 7, 7, 7]


@pytest.mark.parametrize(
    ("output", "law", "reason"),
    [
        (IMAGE, None, "generates without noise"),
        (Field(kind="points", shape=(2,)), Gaussian(NoiseSettings(dim=4)), "generates points"),
        (Field(kind="frames", shape=(3, 1, 4, 4)), Gaussian(NoiseSettings(dim=4)), "generates frames"),
    ],
)
def test_runs_without_noise_or_without_single_pictures_are_refused_by_name(output, law, reason):
    with pytest.raises(ConfigError, match=f"the visualizer 'x' .*{reason}"):
        check_latent(view(law, output=output), "the visualizer 'x'")
