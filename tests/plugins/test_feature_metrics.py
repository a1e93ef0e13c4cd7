"""Distances and neighbourhoods in features give the known answer where it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_metrics import ComparisonSettings, CoverageSettings, ManifoldSettings, manifold, mmd
from genframe_metrics.frechet import FrechetDistance, frechet_distance
from genframe_metrics.manifold import Coverage, Density, Manifold, Precision, Recall
from genframe_metrics.mmd import KernelDistance, squared_mmd

MAKERS = {
    "fd-classifier": (FrechetDistance, ComparisonSettings),
    "mmd-classifier": (KernelDistance, ComparisonSettings),
    "precision": (Precision, ManifoldSettings),
    "recall": (Recall, ManifoldSettings),
    "density": (Density, CoverageSettings),
    "coverage": (Coverage, CoverageSettings),
}


def drawn(count: int, width: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def standard(count: int, width: int, seed: int = 0) -> Tensor:
    """Samples whose mean is 0 and whose covariance is 1, exactly."""
    centred = drawn(count, width, seed)
    centred -= centred.mean(0)
    root = torch.linalg.cholesky(centred.T @ centred / (count - 1))
    return torch.linalg.solve_triangular(root, centred.T, upper=False).T


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings(image_size=8))


@pytest.fixture(scope="module")
def make_view(digits, pool_view):
    """A generator that has learnt the training digits by heart."""

    def make(images=None, **changes):
        images = digits.split("train").read(range(1500), epoch=0, seed=0)["image"] if images is None else images
        return pool_view(
            **{
                "problem": Problem(output=digits.fields["image"]),
                "pool": images.float() / 127.5 - 1,
                "data": digits,
                **changes,
            }
        )

    return make


def measured(name, view, **settings):
    make, settings_class = MAKERS[name]
    return make(settings_class(**{"count": 300, **settings})).measure(view)


# the distance of two normal laws


def test_a_shifted_and_scaled_law_is_as_far_as_the_formula_says():
    real = standard(50, 4)
    # |shift|**2 + (3 - 1)**2 for each of four features
    assert frechet_distance(real, 3 * real + 2) == pytest.approx(4 * 2**2 + 4 * (3 - 1) ** 2)
    assert frechet_distance(real, 3 * standard(70, 4, seed=1) + 2) == pytest.approx(32)


def test_equal_samples_are_at_no_distance():
    for samples in (drawn(40), drawn(5, 30), torch.ones(9, 4, dtype=torch.float64)):
        assert frechet_distance(samples, samples) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("count", "width"), [(60, 5), (300, 40), (8, 20)])
def test_the_distance_is_that_of_matrix_roots_and_of_torch_fidelity(count, width):
    mixing = drawn(width, width, seed=3)
    sides = drawn(count, width), drawn(count + 3, width, seed=1) @ mixing + 0.5
    means, covs = [s.mean(0).numpy() for s in sides], [np.cov(s.numpy(), rowvar=False) for s in sides]
    apart = ((means[0] - means[1]) ** 2).sum() + sum(np.trace(cov) for cov in covs)
    eigenvalues = np.linalg.eigvals(covs[0] @ covs[1]).astype("complex128")
    assert frechet_distance(*sides) == pytest.approx(apart - 2 * np.sqrt(eigenvalues).real.sum(), rel=1e-5)
    if count > width:  # scipy's root of a singular matrix is not exact
        assert frechet_distance(*sides) == pytest.approx(apart - 2 * np.trace(sqrtm(covs[0] @ covs[1]).real), rel=1e-6)


def test_dead_features_change_nothing():
    sides = drawn(60, 5), drawn(50, 5, seed=1) + 0.3
    dead = [torch.cat([side, side.new_full((len(side), 7), 0.25)], dim=1) for side in sides]
    assert frechet_distance(*dead) == pytest.approx(frechet_distance(*sides))


# the distance by a kernel


def ones(*sides: Tensor) -> list[Tensor]:
    return [side.new_ones(1, len(side)) for side in sides]


def test_the_kernel_distance_is_the_unbiased_estimate_of_scikit_learns_kernel(monkeypatch):
    real, generated = drawn(40, 6), drawn(31, 6, seed=1) + 0.4
    within, others, between = (
        polynomial_kernel(*(each.numpy() for each in pair), degree=3, gamma=1 / 6, coef0=1)
        for pair in ((real, real), (generated, generated), (real, generated))
    )
    expected = (
        (within.sum() - np.trace(within)) / (40 * 39)
        + (others.sum() - np.trace(others)) / (31 * 30)
        - 2 * between.mean()
    )
    assert float(squared_mmd(real, generated, *ones(real, generated))) == pytest.approx(expected)
    monkeypatch.setattr(mmd, "_ROWS", 7)
    assert float(squared_mmd(real, generated, *ones(real, generated))) == pytest.approx(expected)


def test_two_samples_of_one_law_are_at_no_distance_in_the_mean():
    pairs = [(drawn(30, 4, seed=2 * n), drawn(30, 4, seed=2 * n + 1)) for n in range(200)]
    values = torch.tensor([float(squared_mmd(*pair, *ones(*pair))) for pair in pairs])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 200**0.5
    assert float(values.min()) < 0 < float(values.max())


def test_weights_count_samples_that_often():
    real, generated = drawn(4, 3), drawn(5, 3, seed=1)
    counts = torch.tensor([[2.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    kernel = (real @ real.T / 3 + 1) ** 3
    within = sum(counts[0, i] * counts[0, j] * kernel[i, j] for i in range(4) for j in range(4) if i != j) / 12
    one = float(squared_mmd(real, generated, counts, generated.new_ones(1, 5)))
    other = (generated @ generated.T / 3 + 1) ** 3
    between = (counts @ (real @ generated.T / 3 + 1) ** 3).sum() / 20
    assert one == pytest.approx(float(within + (other.sum() - other.trace()) / 20 - 2 * between))


# neighbourhoods


def naive(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    """Both papers' definitions, sample by sample."""
    reals, fakes = real.numpy(), generated.numpy()

    def radii(samples):
        return [np.sort(np.linalg.norm(samples - each, axis=1))[k] for each in samples]

    real_radii, fake_radii = radii(reals), radii(fakes)
    inside = np.array(
        [[np.linalg.norm(r - f) <= radius for f in fakes] for r, radius in zip(reals, real_radii, strict=True)]
    )
    around = np.array(
        [[np.linalg.norm(r - f) <= radius for r in reals] for f, radius in zip(fakes, fake_radii, strict=True)]
    )
    return {
        "precision": inside.any(0).mean(),
        "recall": around.any(0).mean(),
        "density": inside.sum(0).mean() / k,
        "coverage": inside.any(1).mean(),
    }


def figures(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    among, around = Manifold.of(real, generated, k), Manifold.of(generated, real, k)
    return {
        "precision": float((among.balls > 0).double().mean()),
        "recall": float((around.balls > 0).double().mean()),
        "density": float(among.balls.double().mean()) / k,
        "coverage": float(among.reached.double().mean()),
    }


@pytest.mark.parametrize(("count", "other", "k", "rows"), [(50, 40, 3, 512), (33, 60, 5, 10), (6, 6, 5, 4)])
def test_neighbourhoods_are_those_of_the_papers(monkeypatch, count, other, k, rows):
    monkeypatch.setattr(manifold, "_ROWS", rows)
    real, generated = drawn(count), 0.7 * drawn(other, seed=1) + 0.5
    assert figures(real, generated, k) == pytest.approx(naive(real, generated, k))


def test_equal_sets_are_whole_and_distant_ones_have_nothing_in_common():
    samples = drawn(40)
    assert figures(samples, samples, 3) == {"precision": 1, "recall": 1, "density": pytest.approx(4 / 3), "coverage": 1}
    assert figures(samples, samples + 100, 3) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_a_dropped_mode_costs_recall_and_coverage_and_no_precision():
    modes = torch.cat([drawn(100), drawn(100, seed=1) + 50])
    kept = figures(modes, drawn(200, seed=2), 3)
    assert kept["recall"] == pytest.approx(0.5, abs=0.03)
    assert kept["coverage"] == pytest.approx(0.5, abs=0.03)
    assert kept["precision"] > 0.9


def test_copies_of_one_sample_lie_in_its_ball():
    same = torch.full((8, 3), 0.1, dtype=torch.float64)
    assert figures(same, same, 5)["precision"] == 1


# of a run


@pytest.mark.parametrize("name", MAKERS)
def test_real_digits_are_nearer_than_their_negatives(make_view, digits, name):
    images = digits.split("train").read(range(300), epoch=0, seed=0)["image"]
    real, negative = (measured(name, make_view(each)) for each in (images, 255 - images))
    low, high = real.interval
    assert low <= real.value <= high
    if name in ("fd-classifier", "mmd-classifier"):
        assert real.value < 0.1 * negative.value
    else:
        assert real.value > negative.value + 0.5
    equally_many = MAKERS[name][1] is not ComparisonSettings
    assert real.protocol["samples"] == (297 if equally_many else 300)
    assert real.protocol["reference_samples"] == 297
    assert real.protocol["classifier_accuracy"] > 0.97
    assert "95%" in real.protocol["interval"]
    assert measured(name, make_view(images)) == real


def test_samples_of_the_same_law_have_an_interval_around_no_distance(make_view):
    low, high = measured("mmd-classifier", make_view(), count=1500).interval
    assert low < 0 < high


def test_the_first_of_the_held_out_pictures_are_compared_with(make_view):
    assert measured("fd-classifier", make_view(), reference=50).protocol["reference_samples"] == 50
    assert measured("coverage", make_view(), count=50).protocol["reference_samples"] == 50


@pytest.mark.parametrize("name", MAKERS)
def test_what_cannot_be_compared_is_refused_in_a_sentence(make_view, digits, name):
    points = Problem(output=Field(kind="points", shape=(2,)))
    with pytest.raises(ConfigError, match=f"'{name}' compares pictures, and this run generates points"):
        measured(name, make_view(problem=points))
    with pytest.raises(DataError, match="has no dataset"):
        measured(name, make_view(data=None))
    with pytest.raises(DataError, match="take the data that the run was trained on"):
        measured(name, make_view(data=open_digits(ImageSettings(image_size=16))))
    store = replace(digits.store, fields={"image": digits.fields["image"]})
    with pytest.raises(ConfigError, match="has no classes or labels to train one on"):
        measured(name, make_view(data=replace(digits, store=store)))
    heldout = digits.heldout.clone()
    heldout[heldout.nonzero()[1:, 0]] = False
    with pytest.raises(DataError, match=f"'{name}' needs at least .* held-out pictures, and the run's data has 1"):
        measured(name, make_view(data=replace(digits, heldout=heldout)))


@pytest.mark.parametrize("name", MAKERS)
def test_a_sample_that_is_no_number_is_refused(make_view, name):
    view = make_view()
    pool = view.pool.clone()
    pool[7, 0, 3, 3] = float("nan")
    with pytest.raises(DataError, match="sample 7 holds what is no number"):
        measured(name, replace(view, pool=pool))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("count", [1, 0, -5])
def test_too_few_samples_are_refused(name, count):
    make, settings_class = MAKERS[name]
    with pytest.raises(ConfigError, match=rf"'{name}' got count = {count}; at least [246] are needed"):
        make(settings_class(count=count))


@pytest.mark.parametrize("name", ["fd-classifier", "mmd-classifier"])
def test_too_few_real_pictures_are_refused(name):
    make, settings_class = MAKERS[name]
    with pytest.raises(ConfigError, match="reference = 1; at least 2 are needed"):
        make(settings_class(reference=1))


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_a_ball_reaches_to_some_neighbour(name):
    make, settings_class = MAKERS[name]
    with pytest.raises(ConfigError, match="k = 0; at least 1"):
        make(settings_class(k=0))
    with pytest.raises(ConfigError, match="count = 9; at least 10 are needed"):
        make(settings_class(k=9, count=9))
