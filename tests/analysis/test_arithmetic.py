"""Arithmetic of z, on a generator whose pictures show its z: there, vectors carry attributes by construction."""

import pytest
import torch
from torch import Tensor

from genframe.analysis.arithmetic import Readings, combined, read, scored, surroundings, triples
from genframe.interfaces import Trained
from genframe.sampling import Conditions, View
from genframe.shapes import Field, Problem
from genframe_noise import NoiseSettings
from genframe_noise.laws import Gaussian

EVERY = torch.tensor([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]).bool()


def view(generator=lambda noise, condition: noise.view(-1, 1, 2, 2)) -> View:
    problem = Problem(output=Field(kind="image", shape=(1, 2, 2)), noise_shape=(4,))
    law = Gaussian(NoiseSettings(dim=4))
    return View(
        trained=Trained(problem=problem, generator=generator, networks={}, noise=law),
        conditions=Conditions(problem, {}),
        title="a view, step 0",
        seed=5,
        find_dataset=lambda: pytest.fail("nobody asks for data"),
    )


def signs(images: Tensor) -> Tensor:
    """Three attributes: the first three numbers of z are positive."""
    return images.flatten(1)[:, :3] > 0


def test_means_are_subtracted_and_added():
    a, b, c = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[10.0, 0.0]]), torch.tensor([[0.5, 0.25]])
    assert combined(a, b, c).tolist() == [-7.5, 3.25]


def test_with_means_over_three_a_result_is_as_long_as_a_z():
    noise = torch.randn(3, 3, 20_000, generator=torch.Generator().manual_seed(0))
    assert float(combined(*noise).std()) == pytest.approx(1.0, abs=0.02)


def test_neighbours_are_within_the_radius_and_the_same_for_the_same_seed():
    centre = torch.randn(100, generator=torch.Generator().manual_seed(0))
    near = surroundings(centre, 8, 0.25, seed=3)
    moves = near - centre
    assert near.shape == (8, 100)
    assert float(moves.abs().max()) <= 0.25 + 1e-6
    assert float(moves.abs().mean()) == pytest.approx(0.125, abs=0.01)
    assert torch.equal(near, surroundings(centre, 8, 0.25, seed=3))
    assert not torch.equal(near, surroundings(centre, 8, 0.25, seed=4))


def test_samples_are_found_by_what_they_show():
    readings = Readings(noise=torch.zeros(8, 4), condition={}, attributes=EVERY)
    assert readings.showing(torch.tensor([True, False, True])).tolist() == [5]
    looked_at = torch.tensor([True, False, True])
    assert readings.showing(torch.tensor([True, True, True]), looked_at).tolist() == [5, 7]
    assert readings.showing(torch.tensor([False, False, False]), torch.zeros(3).bool()).tolist() == list(range(8))


def test_readings_are_of_the_samples_themselves():
    readings = read(view(), signs, 150)
    samples = view().samples(150)
    assert torch.equal(readings.noise, samples.noise)
    assert torch.equal(readings.attributes, signs(samples.output))


def test_triples_ask_for_one_attribute_on_another_base():
    for triple in triples(EVERY, 50):
        has = torch.zeros(3).bool()
        has[triple.attribute] = True
        assert torch.equal(triple.a, triple.b | has)
        assert torch.equal(triple.wanted, triple.c | has)
        assert not triple.b[triple.attribute]
        assert not triple.c[triple.attribute]
        assert not torch.equal(triple.b, triple.c)


def test_triples_are_the_same_for_the_same_data_in_any_order():
    first, second = triples(EVERY, 30), triples(EVERY.flip(0).repeat(2, 1), 30)
    assert [(t.attribute, t.b.tolist(), t.c.tolist()) for t in first] == [
        (t.attribute, t.b.tolist(), t.c.tolist()) for t in second
    ]


def test_what_no_real_sample_shows_is_not_asked():
    exclusive = torch.tensor([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1]]).bool()  # of the first two, exactly one
    asked = triples(exclusive, 40)
    assert {triple.attribute for triple in asked} == {2}
    known = {tuple(row) for row in exclusive.tolist()}
    assert all(tuple(each.tolist()) in known for t in asked for each in (t.a, t.b, t.c, t.wanted))


@pytest.mark.parametrize("real", [torch.eye(3).bool(), torch.ones(5, 2).bool(), torch.tensor([[0], [1]]).bool()])
def test_where_nothing_can_be_asked_there_are_no_triples(real):
    assert triples(real, 10) == []


def test_where_z_carries_attributes_arithmetic_beats_a_random_direction():
    asked = triples(EVERY, 100)
    score = scored(view(), signs, read(view(), signs, 512), asked, 3)
    assert bool(score.shown.all())
    right, randomly = (float(each.double().mean()) for each in (score.right, score.right_randomly))
    gained, gained_randomly = (float(each.double().mean()) for each in (score.gained, score.gained_randomly))
    assert right > 0.5 > randomly
    assert gained > 0.85
    assert gained > gained_randomly + 0.3
    assert bool((score.gained | ~score.right).all())  # what is right has the attribute, too


def test_results_that_are_exact_are_all_right():
    def steps(noise: Tensor, condition) -> Tensor:
        return noise.sign().view(-1, 1, 2, 2)

    asked = triples(EVERY, 40)
    readings = read(view(steps), signs, 512)
    ideal = Readings(noise=readings.noise.sign(), condition={}, attributes=readings.attributes)
    assert bool(scored(view(), signs, ideal, asked, 3).right.all())


def test_the_same_run_is_scored_the_same_twice():
    asked, readings = triples(EVERY, 30), read(view(), signs, 256)
    first, second = (scored(view(), signs, readings, asked, 3) for _ in range(2))
    assert torch.equal(first.right, second.right)
    assert torch.equal(first.right_randomly, second.right_randomly)


def test_a_run_that_shows_one_thing_only_is_wrong_everywhere():
    def constant(images: Tensor) -> Tensor:
        return torch.ones(len(images), 3).bool()

    score = scored(view(), constant, read(view(), constant, 64), triples(EVERY, 20), 3)
    assert not score.shown.any()
    assert not score.right.any()
    assert not score.right_randomly.any()
