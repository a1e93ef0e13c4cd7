"""Metrics on raw pixels, against known answers and against scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from sklearn.neighbors import KernelDensity

from genframe.errors import ConfigError, DataError
from genframe.randomness import derive_key, normal
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_metrics.diversity import Diversity
from genframe_metrics.duplicates import Duplicates
from genframe_metrics.nn_distance import NeighbourDistance
from genframe_metrics.parzen import Parzen, log_likelihoods
from genframe_metrics.settings import DiversitySettings, DuplicateSettings, NeighbourSettings, ParzenSettings

ALL = [
    NeighbourDistance(NeighbourSettings(count=100)),
    Duplicates(DuplicateSettings(count=100)),
    Diversity(DiversitySettings(count=100)),
    Parzen(ParzenSettings(count=100)),
]


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings())


def part(data, name: str):
    half = data.split(name)
    return half.read(range(len(half)), epoch=0, seed=0)


def signed(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 127.5 - 1.0


@pytest.fixture
def make_view(pool_view, digits):
    """A view of a pool of digits, by default the training ones, with their labels or without."""

    def make(images=None, labels=None, data=digits, **fields):
        train = part(digits, "train")
        images = train["image"] if images is None else images
        conditions = {} if labels is None else {"label": labels}
        condition = {} if labels is None else {"label": digits.fields["label"]}
        problem = fields.pop("problem", Problem(output=digits.fields["image"], condition=condition))
        return pool_view(problem=problem, pool=signed(images), conditions=conditions, data=data, **fields)

    return make


# nn-distance


def test_the_held_out_pictures_themselves_are_at_no_distance(make_view, digits):
    view = make_view(part(digits, "heldout")["image"])
    assert NeighbourDistance(NeighbourSettings(count=297)).measure(view).value == 0.0


def test_the_distance_is_that_of_brute_force_and_has_an_interval(make_view, digits):
    queries, known = (part(digits, name)["image"].flatten(1).double() for name in ("heldout", "train"))
    expected = torch.cdist(queries, known[:500]).amin(1).mean()
    measurement = NeighbourDistance(NeighbourSettings(count=500)).measure(make_view())
    assert measurement.value == pytest.approx(float(expected), rel=1e-6)
    low, high = measurement.interval
    assert low < measurement.value < high


# duplicates


def test_copies_of_training_pictures_are_all_found(make_view):
    measurement = Duplicates(DuplicateSettings(count=1500)).measure(make_view())
    assert measurement.value == 1.0
    assert measurement.protocol["exact_copies"] == 1500


def test_new_pictures_have_the_share_of_new_pictures(make_view, digits):
    view = make_view(part(digits, "heldout")["image"])
    measurement = Duplicates(DuplicateSettings(count=297, share=0.1)).measure(view)
    assert measurement.value == pytest.approx(0.1, abs=1.5 / 297)
    assert measurement.protocol["exact_copies"] == 0


def test_noise_is_no_duplicate(make_view):
    noise = torch.randint(0, 256, (100, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert Duplicates(DuplicateSettings(count=100)).measure(make_view(noise)).value == 0.0


# diversity


def test_one_picture_again_and_again_has_no_diversity(make_view, digits):
    one = part(digits, "train")["image"][:1]
    measurement = Diversity(DiversitySettings(count=50)).measure(make_view(one))
    assert measurement.value == 0.0
    assert measurement.interval == (0.0, 0.0)


@pytest.mark.parametrize("labelled", [False, True])
def test_the_held_out_pictures_are_as_diverse_as_themselves(make_view, digits, labelled):
    heldout = part(digits, "heldout")
    view = make_view(heldout["image"], heldout["label"] if labelled else None)
    measurement = Diversity(DiversitySettings(count=297)).measure(view)
    assert measurement.value == pytest.approx(1.0)
    assert measurement.protocol["of"] == ("one class" if labelled else "all")


def test_pictures_of_half_the_contrast_are_half_as_diverse(make_view, digits):
    heldout = part(digits, "heldout")
    view = replace(make_view(heldout["image"]), pool=signed(heldout["image"]) / 2)
    assert Diversity(DiversitySettings(count=297)).measure(view).value == pytest.approx(0.5, abs=0.01)


def test_pairs_are_of_one_class(make_view, digits):
    """Each class is one picture: whatever is asked for, two of a class are the same."""
    train = part(digits, "train")
    firsts = torch.stack([train["image"][train["label"] == label][0] for label in range(10)])
    view = make_view(firsts, torch.arange(10))
    assert Diversity(DiversitySettings(count=60)).measure(view).value == 0.0
    assert Diversity(DiversitySettings(count=60)).measure(make_view(firsts)).value > 0.5


def test_a_single_picture_of_each_class_has_no_pair(make_view, digits):
    train = part(digits, "train")
    view = make_view(train["image"][:10], torch.arange(10))
    with pytest.raises(DataError, match="no class has two"):
        Diversity(DiversitySettings(count=10)).measure(view)


# parzen


def test_the_windows_are_scikit_learns():
    queries, samples = (torch.randint(0, 256, (n, 20), dtype=torch.uint8) for n in (7, 40))
    expected = KernelDensity(bandwidth=0.2).fit(samples.numpy() / 255.0).score_samples(queries.numpy() / 255.0)
    (found,) = log_likelihoods(queries, samples, [0.2])
    assert found.tolist() == pytest.approx(expected.tolist())


def test_many_windows_of_a_gaussian_are_near_its_own_density():
    """Windows of deviation h around samples of N(m, s) tend to N(m, sqrt(s*s + h*h))."""
    noise = normal(torch.arange(40_000), (1,), derive_key(0, "parzen test"))
    samples = (127.5 + 20.0 * noise).round().clamp(0, 255).byte()
    deviation = math.sqrt((20 / 255) ** 2 + 0.1**2)
    queries = torch.tensor([[100], [128], [170]], dtype=torch.uint8)
    normal_law = torch.distributions.Normal(0.5, deviation)
    (found,) = log_likelihoods(queries, samples, [0.1])
    assert found.tolist() == pytest.approx(normal_law.log_prob(queries[:, 0].double() / 255).tolist(), abs=0.01)


def test_the_likeliest_deviation_is_chosen_and_told(make_view, digits):
    settings = ParzenSettings(count=1000, validation=200, deviations=(0.01, 0.1, 0.2, 1.0))
    measurement = Parzen(settings).measure(make_view(part(digits, "train")["image"][300:]))
    queries, samples = (
        part(digits, "train")["image"][:200].flatten(1),
        part(digits, "train")["image"][300:1300].flatten(1),
    )
    means = [float(each.mean()) for each in log_likelihoods(queries, samples, settings.deviations)]
    assert measurement.protocol["deviation"] == settings.deviations[means.index(max(means))]
    low, high = measurement.interval
    assert high - low == pytest.approx(2 * 1.96 * measurement.protocol["standard_error"])


def test_real_digits_are_likelier_windows_than_noise(make_view, digits):
    others = part(digits, "train")["image"][500:]  # the first 500 choose the deviation
    noise = torch.randint(0, 256, (1000, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    good, bad = (Parzen(ParzenSettings()).measure(make_view(images)).value for images in (others, noise))
    assert good > bad + 10


# what cannot be measured


@pytest.mark.parametrize("metric", ALL, ids=lambda each: type(each).__name__)
def test_what_does_not_fit_is_told_in_a_sentence(make_view, metric):
    points = Problem(output=Field(kind="points", shape=(2,)))
    with pytest.raises(ConfigError, match="compares pictures, and this run generates points"):
        metric.measure(make_view(problem=points))
    with pytest.raises(DataError, match="has no dataset"):
        metric.measure(make_view(data=None))
    with pytest.raises(DataError, match="take the data that the run was trained on"):
        metric.measure(make_view(data=open_digits(ImageSettings(image_size=16))))
    broken = make_view()
    broken.pool[3] = float("nan")
    with pytest.raises(DataError, match="sample 3 holds what is no number"):
        metric.measure(broken)


@pytest.mark.parametrize("metric", ALL, ids=lambda each: type(each).__name__)
def test_a_measurement_repeats_exactly(make_view, metric):
    assert metric.measure(make_view()) == metric.measure(make_view())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NeighbourDistance(NeighbourSettings(count=0)), "count = 0; at least 1"),
        (lambda: Duplicates(DuplicateSettings(count=0)), "count = 0; at least 1"),
        (lambda: Duplicates(DuplicateSettings(share=1.0)), "share = 1.0; it lies between 0 and 1"),
        (lambda: Diversity(DiversitySettings(count=0)), "count = 0; at least 1"),
        (lambda: Parzen(ParzenSettings(validation=0)), "validation = 0; at least 1"),
        (lambda: Parzen(ParzenSettings(deviations=())), "numbers above 0"),
        (lambda: Parzen(ParzenSettings(deviations=(0.1, 0.0))), "numbers above 0"),
    ],
)
def test_settings_without_sense_are_refused(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()
