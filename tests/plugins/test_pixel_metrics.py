"""Metrics on raw pixels, against known answers and against scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from genframe.errors import ConfigError, DataError
from genframe.randomness import derive_key, normal
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_metrics import genframe_metrics
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


def bytes_by_chance(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def in_any_order(batch):
    """Neighbours in the file of digits are by one hand; samples of a generator are not."""
    order = torch.randperm(len(batch["image"]), generator=torch.Generator().manual_seed(0))
    return {name: values[order] for name, values in batch.items()}


def stored(digits, images: torch.Tensor, labels: torch.Tensor, heldout: torch.Tensor):
    """A dataset of these pictures in this order."""
    store = replace(digits.store, tensors={"image": images, "label": labels})
    return replace(digits, store=store, heldout=heldout, members=torch.arange(len(images)))


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


def test_labels_change_no_distance(make_view, digits):
    metric = NeighbourDistance(NeighbourSettings(count=500))
    assert metric.measure(make_view(labels=part(digits, "train")["label"])) == metric.measure(make_view())


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


def test_copies_are_found_where_the_parts_share_pictures(make_view, digits):
    images = part(digits, "train")["image"][:200]
    data = stored(digits, torch.cat([images, images]), torch.zeros(400, dtype=torch.int64), torch.arange(400) >= 200)
    measurement = Duplicates(DuplicateSettings(count=200)).measure(make_view(images, data=data))
    assert (measurement.value, measurement.protocol["threshold"]) == (1.0, 0.0)
    assert measurement.protocol["of_new_pictures"] == 1.0


def test_some_of_the_held_out_pictures_say_what_is_near(make_view):
    measurement = Duplicates(DuplicateSettings(count=50, reference=100)).measure(make_view())
    assert measurement.protocol["heldout"] == 100
    assert measurement.protocol["of_new_pictures"] == 0.01


def test_noise_is_no_duplicate(make_view):
    noise = bytes_by_chance(100, 1, 8, 8)
    assert Duplicates(DuplicateSettings(count=100)).measure(make_view(noise)).value == 0.0


# diversity


def test_one_picture_again_and_again_has_no_diversity(make_view, digits):
    one = part(digits, "train")["image"][:1]
    measurement = Diversity(DiversitySettings(count=50)).measure(make_view(one))
    assert measurement.value == 0.0
    assert measurement.interval == (0.0, 0.0)


@pytest.mark.parametrize("labelled", [False, True])
def test_real_pictures_are_as_diverse_as_real_ones(make_view, digits, labelled):
    train = in_any_order(part(digits, "train"))
    view = make_view(train["image"], train["label"] if labelled else None)
    measurement = Diversity(DiversitySettings(count=1500)).measure(view)
    assert measurement.value == pytest.approx(1.0, abs=0.05)
    low, high = measurement.interval
    assert low < 1.0 < high
    assert measurement.protocol["of"] == ("one class" if labelled else "all")


def test_sorted_files_are_as_diverse_as_shuffled_ones(make_view, digits):
    """Neighbours in a file that is sorted by class are alike; pairs are not neighbours."""
    train = in_any_order(part(digits, "train"))
    order = train["label"].argsort(stable=True)
    data = stored(digits, train["image"][order], train["label"][order], torch.ones(1500, dtype=torch.bool))
    measurement = Diversity(DiversitySettings(count=1500)).measure(make_view(train["image"], data=data))
    assert measurement.value == pytest.approx(1.0, abs=0.05)


def test_classes_of_unequal_size_are_as_diverse_as_equal_ones(make_view, digits):
    """Samples take turns between a class of like pictures and one of unlike; of the data, one in eleven is unlike."""
    unlike, places = bytes_by_chance(440, 1, 8, 8), torch.arange(440)
    asked, kept = places % 2, (places % 11 == 0).long()

    def scaled(labels):
        return torch.where(labels.bool()[:, None, None, None], unlike, unlike // 8)

    data = stored(digits, scaled(kept), kept, torch.ones(440, dtype=torch.bool))
    measurement = Diversity(DiversitySettings(count=440)).measure(make_view(scaled(asked), asked, data))
    assert measurement.value == pytest.approx(1.0, abs=0.03)


def test_pictures_of_half_the_contrast_are_half_as_diverse(make_view, digits):
    train = part(digits, "train")["image"]
    whole, half = make_view(train), replace(make_view(train), pool=signed(train) / 2)
    values = [Diversity(DiversitySettings(count=1500)).measure(view).value for view in (whole, half)]
    assert values[1] == pytest.approx(values[0] / 2, rel=0.01)


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


def test_held_out_pictures_that_are_all_the_same_are_no_measure(make_view, digits):
    images = part(digits, "train")["image"][:1].repeat(20, 1, 1, 1)
    data = stored(digits, images, torch.zeros(20, dtype=torch.int64), torch.ones(20, dtype=torch.bool))
    with pytest.raises(DataError, match="all the same"):
        Diversity(DiversitySettings(count=10)).measure(make_view(data=data))


# parzen


@pytest.mark.parametrize("deviation", [0.05, 0.2])
def test_the_windows_are_scikit_learns_and_scipys(deviation):
    queries, samples = bytes_by_chance(300, 20), bytes_by_chance(340, 20)[300:]  # more than one chunk
    points, centres = (each.numpy() / 255.0 for each in (queries, samples))
    (found,) = log_likelihoods(queries, samples, [deviation])
    by_density = KernelDensity(bandwidth=deviation).fit(centres).score_samples(points)
    assert found.tolist() == pytest.approx(by_density.tolist())
    exponents = -((points[:, None] - centres) ** 2).sum(2) / (2 * deviation**2)
    directly = logsumexp(exponents, axis=1) - math.log(40) - 10 * math.log(2 * math.pi * deviation**2)
    assert found.tolist() == pytest.approx(directly.tolist())


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
    train = part(digits, "train")["image"]
    settings = ParzenSettings(count=1000, validation=1500, deviations=(0.01, 0.1, 0.2, 1.0))
    measurement = Parzen(settings).measure(make_view(train[500:]))
    values = log_likelihoods(train.flatten(1), train[500:].flatten(1), settings.deviations)
    means = [float(each.mean()) for each in values]
    chosen = settings.deviations[means.index(max(means))]
    (heldout,) = log_likelihoods(part(digits, "heldout")["image"].flatten(1), train[500:].flatten(1), [chosen])
    error = float(heldout.std()) / math.sqrt(297)
    assert measurement.value == pytest.approx(float(heldout.mean()))
    assert measurement.interval == pytest.approx((measurement.value - 1.96 * error, measurement.value + 1.96 * error))
    told = {name: measurement.protocol[name] for name in ("sigma", "samples", "validation", "queries")}
    assert told == {"sigma": chosen, "samples": 1000, "validation": 1500, "queries": 297}
    assert measurement.protocol["standard_error"] == pytest.approx(error)


def test_real_digits_are_likelier_windows_than_noise(make_view, digits):
    others = part(digits, "train")["image"][500:]
    noise = bytes_by_chance(1000, 1, 8, 8)
    good, bad = (Parzen(ParzenSettings(count=1000)).measure(make_view(images)).value for images in (others, noise))
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
def test_a_part_without_pictures_is_told_in_a_sentence(make_view, digits, metric):
    train = part(digits, "train")
    data = stored(digits, train["image"], train["label"], torch.zeros(1500, dtype=torch.bool))
    with pytest.raises(DataError, match=r"needs at least \d pictures in the part 'heldout'; got 0"):
        metric.measure(make_view(data=data))


@pytest.mark.parametrize("metric", ALL, ids=lambda each: type(each).__name__)
def test_a_measurement_repeats_exactly(make_view, metric):
    assert metric.measure(make_view()) == metric.measure(make_view())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NeighbourDistance(NeighbourSettings(count=0)), "count = 0; at least 1"),
        (lambda: Duplicates(DuplicateSettings(count=0)), "count = 0; at least 1"),
        (lambda: Duplicates(DuplicateSettings(reference=0)), "reference = 0; at least 1"),
        (lambda: Parzen(ParzenSettings(count=-5)), "count = -5; at least 1"),
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


def test_specs_say_which_direction_is_better():
    better = {spec.name: spec.better for spec in genframe_metrics()}
    assert better["nn-distance"] == better["duplicates"] == "lower"
    assert better["diversity"] == better["parzen"] == "higher"
