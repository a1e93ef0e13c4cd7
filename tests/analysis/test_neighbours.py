"""The nearest neighbour is the one that brute force finds, however the references arrive."""

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from genframe.analysis.neighbours import nearest_neighbours


def pixels(count: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, dim), generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize(("queries", "references", "dim"), [(1, 1, 1), (7, 300, 3), (50, 1, 64), (33, 1025, 17)])
def test_neighbours_are_those_of_brute_force(queries, references, dim):
    q, r = torch.randn(queries, dim), torch.randn(references, dim)
    distances, indices = nearest_neighbours(q, r, chunk=100)
    every = torch.cdist(q.double(), r.double(), compute_mode="donot_use_mm_for_euclid_dist")
    assert torch.equal(indices, every.argmin(1))
    torch.testing.assert_close(distances, every.min(1).values.float())
    assert (distances.dtype, indices.dtype) == (torch.float32, torch.int64)


def test_a_classifier_made_of_it_agrees_with_scikit_learn():
    known, labels, asked = pixels(500, 64, 0), torch.arange(500) % 10, pixels(200, 64, 1)
    expected = KNeighborsClassifier(1, algorithm="brute").fit(known.numpy(), labels.numpy()).predict(asked.numpy())
    assert labels[nearest_neighbours(asked, known)[1]].tolist() == expected.tolist()


@pytest.mark.parametrize("chunk", [1, 7, 128, 10_000])
def test_chunks_change_nothing(chunk):
    q, r = pixels(40, 200, 2), pixels(700, 200, 3)
    whole, parts = nearest_neighbours(q, r, chunk=700), nearest_neighbours(q, r, chunk=chunk)
    assert torch.equal(whole[0], parts[0])
    assert torch.equal(whole[1], parts[1])


def test_references_may_stream_from_an_iterator_of_uneven_chunks():
    q, r = pixels(20, 30, 4), pixels(100, 30, 5)
    streamed = nearest_neighbours(q, (part for part in r.split([1, 60, 0, 39])))
    assert torch.equal(streamed[1], nearest_neighbours(q, r)[1])


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_lowest_index_wins_a_tie(chunk):
    point = pixels(1, 50, 6)
    references = torch.cat([pixels(4, 50, 7), point.expand(6, 50)])
    distances, indices = nearest_neighbours(point, references, chunk=chunk)
    assert (distances.tolist(), indices.tolist()) == ([0.0], [4])


def test_large_offsets_do_not_hide_small_distances():
    q = torch.tensor([[10_000.0, 10_000.0]])
    r = torch.tensor([[10_000.0, 10_001.0], [10_000.5, 10_000.0]])
    distances, indices = nearest_neighbours(q, r)
    assert (distances.tolist(), indices.tolist()) == ([0.5], [1])


def test_bytes_are_taken_as_they_are():
    q, r = pixels(5, 40, 8), pixels(30, 40, 9)
    assert torch.equal(nearest_neighbours(q.byte(), r.byte())[0], nearest_neighbours(q, r)[0])


@pytest.mark.parametrize("dim", [1, 784, 1024, 1025])
def test_bytes_are_compared_exactly(dim):
    """The worst there is: all black and all white, with neighbours that differ in one level of one pixel."""
    white = torch.full((1, dim), 255, dtype=torch.uint8)
    black = torch.zeros(1, dim, dtype=torch.uint8)
    nearly = white.clone()
    nearly[0, -1] = 254
    references = torch.cat([white, white, nearly, white])
    distances, indices = nearest_neighbours(torch.cat([black, white, nearly]), references, chunk=3)
    assert indices.tolist() == [2, 0, 2]
    assert distances.double().square().round().tolist() == pytest.approx([(dim - 1) * 255**2 + 254**2, 0, 0], rel=1e-6)


def test_bytes_and_numbers_have_the_same_neighbours():
    q, r = pixels(300, 784, 10) // 64, pixels(3000, 784, 11) // 64  # few levels: many ties
    of_bytes, of_numbers = nearest_neighbours(q.byte(), r.byte()), nearest_neighbours(q, r)
    assert torch.equal(of_bytes[0], of_numbers[0])
    assert torch.equal(of_bytes[1], of_numbers[1])


def test_what_is_not_finite_has_no_neighbour():
    q = torch.tensor([[torch.nan, 0.0], [0.0, 0.0]])
    distances, indices = nearest_neighbours(q, torch.tensor([[1.0, 0.0]]))
    assert distances.tolist() == [torch.inf, 1.0]
    assert indices.tolist() == [-1, 0]


@pytest.mark.parametrize("nothing", [torch.empty(0, 3), iter([])])
def test_no_reference_is_an_error(nothing):
    with pytest.raises(ValueError, match="no references"):
        nearest_neighbours(torch.zeros(2, 3), nothing)
