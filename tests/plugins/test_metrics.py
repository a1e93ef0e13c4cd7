"""Metrics give the known answer where the answer is known."""

from dataclasses import replace

import pytest
import torch

from genframe.errors import ConfigError, DataError
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_metrics import AccuracySettings, NeighbourSettings, genframe_metrics
from genframe_metrics.label_accuracy import LabelAccuracy
from genframe_metrics.nn1 import NeighbourError

METRICS = [NeighbourError(NeighbourSettings(count=50)), LabelAccuracy(AccuracySettings(count=50))]


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings(image_size=8))


@pytest.fixture(scope="module")
def make_view(digits, pool_view):
    """A generator that has learnt the training digits by heart."""

    def make(images=None, labels=None, **changes):
        real = digits.split("train").read(range(1500), epoch=0, seed=0)
        images = real["image"] if images is None else images
        return pool_view(
            **{
                "problem": Problem(output=digits.fields["image"], condition={"label": digits.fields["label"]}),
                "pool": images.float() / 127.5 - 1,
                "conditions": {"label": real["label"] if labels is None else labels},
                "data": digits,
                **changes,
            }
        )

    return make


def shuffled_labels(digits):
    labels = digits.split("train").read(range(1500), epoch=0, seed=0)["label"]
    return labels[torch.randperm(1500, generator=torch.Generator().manual_seed(0))]


# nn1


def test_real_training_digits_leave_the_error_of_real_data(make_view):
    assert 0.005 <= NeighbourError(NeighbourSettings()).measure(make_view()).value <= 0.025


def test_shuffled_labels_are_as_bad_as_guessing(make_view, digits):
    value = NeighbourError(NeighbourSettings()).measure(make_view(labels=shuffled_labels(digits))).value
    assert 0.85 <= value <= 0.95


def test_the_held_out_digits_themselves_leave_no_error(make_view, digits):
    real = digits.split("heldout").read(range(297), epoch=0, seed=0)
    assert NeighbourError(NeighbourSettings(count=297)).measure(make_view(real["image"], real["label"])).value == 0.0


def test_one_class_for_all_leaves_the_share_of_the_other_nine(make_view):
    value = NeighbourError(NeighbourSettings()).measure(make_view(labels=torch.full((1500,), 3))).value
    assert value == pytest.approx(1 - 30 / 297)


def test_the_protocol_of_nn1_says_how_to_repeat_it(make_view):
    assert NeighbourError(NeighbourSettings(count=40)).measure(make_view()).protocol == {
        "samples": 40,
        "queries": 297,
        "interval": "Wilson 95% of the queries",
        "reference": "generated",
        "pixels": "uint8",
        "seed": 7,
        "batch_norm": "running",
    }


# label-accuracy


def test_digits_that_the_classifier_learnt_from_are_what_they_say(make_view):
    measured = LabelAccuracy(AccuracySettings(count=1500)).measure(make_view())
    assert measured.value >= 0.995
    low, high = measured.interval
    assert low < measured.value <= high
    assert measured.protocol["interval"] == "Wilson 95% of the samples"


def test_shuffled_labels_are_right_by_chance_only(make_view, digits):
    value = LabelAccuracy(AccuracySettings()).measure(make_view(labels=shuffled_labels(digits))).value
    assert 0.06 <= value <= 0.14


def test_a_third_of_wrong_labels_costs_a_third(make_view, digits):
    labels = digits.split("train").read(range(1500), epoch=0, seed=0)["label"].clone()
    labels[:500] = (labels[:500] + 1) % 10
    assert LabelAccuracy(AccuracySettings(count=1500)).measure(make_view(labels=labels)).value == pytest.approx(
        2 / 3, abs=0.01
    )


def test_the_protocol_says_how_good_the_classifier_is(make_view):
    protocol = LabelAccuracy(AccuracySettings(count=10)).measure(make_view()).protocol
    assert protocol["classifier_training"] == 1500
    assert 0.97 < protocol["classifier_accuracy"] < 1.0


def test_a_measurement_repeats_exactly(make_view):
    for metric in METRICS:
        assert metric.measure(make_view()) == metric.measure(make_view())


def test_the_error_has_an_interval_of_its_queries(make_view):
    measurement = METRICS[0].measure(make_view())
    low, high = measurement.interval
    assert 0 <= low < measurement.value < high <= 1


# what cannot be measured


def test_a_generator_that_gives_no_numbers_is_told_so(make_view, digits):
    view = make_view()
    broken = view.pool.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="sample 3 holds what is no number"):
        METRICS[0].measure(replace(view, pool=broken))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("output", "condition", "sentence"),
    [
        (Field(kind="image", shape=(1, 8, 8)), {}, "generates image from noise alone"),
        (Field(kind="points", shape=(2,)), {"label": "class"}, "generates points from label"),
        (Field(kind="image", shape=(1, 8, 8)), {"label": "class", "style": "class"}, r"from label \(class\), style"),
    ],
)
def test_other_problems_are_refused_in_a_sentence(make_view, metric, output, condition, sentence):
    fields = {name: Field(kind=kind, classes=("a", "b")) for name, kind in condition.items()}
    with pytest.raises(ConfigError, match=sentence):
        metric.measure(make_view(problem=Problem(output=output, condition=fields)))


@pytest.mark.parametrize("metric", METRICS)
def test_a_run_without_its_data_or_with_other_data_is_told_so(make_view, metric):
    with pytest.raises(DataError, match="has no dataset"):
        metric.measure(make_view(data=None))
    with pytest.raises(DataError, match="the data that the run was trained on"):
        metric.measure(make_view(data=open_digits(ImageSettings(image_size=16))))


def test_an_empty_part_and_a_single_class_are_told_so(make_view, digits):
    empty = digits.split("train")
    with pytest.raises(DataError, match="this part of the dataset is empty"):
        METRICS[0].measure(make_view(data=empty))
    tensors = {**digits.store.tensors, "label": digits.store.tensors["label"] * 0}
    one_class = replace(digits, store=replace(digits.store, tensors=tensors))
    with pytest.raises(DataError, match="holds one class only"):
        METRICS[1].measure(make_view(data=one_class))


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (NeighbourError, NeighbourSettings(count=0)),
        (LabelAccuracy, AccuracySettings(count=-1)),
    ],
)
def test_counts_below_one_are_refused(make, settings):
    with pytest.raises(ConfigError, match=r"count = (0|-1); at least 1"):
        make(settings)


def test_specs_say_which_direction_is_better():
    directions = {spec.name: (spec.better, spec.percent) for spec in genframe_metrics()}
    assert directions["nn1"] == ("lower", True)
    assert directions["label-accuracy"] == ("higher", True)
    assert directions["fd-classifier"] == directions["mmd-classifier"] == directions["fid"] == ("lower", False)
    assert directions["recall"] == ("higher", True)
    assert directions["density"] == directions["is"] == ("higher", False)
