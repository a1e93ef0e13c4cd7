"""The independent classifier: what it tells, that it is the same everywhere, and where it is kept."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe.analysis import classifier as module
from genframe.analysis.classifier import FEATURES, classifier_for
from genframe.errors import ConfigError, DataError
from genframe.shapes import Field
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The first of some pictures are to train on, the others are held out."""

    fields: Mapping[str, Field]
    images: Tensor
    labels: Tensor
    train: int

    def __len__(self) -> int:
        return len(self.images)

    def split(self, part: str) -> Pictures:
        members = slice(None, self.train) if part == "train" else slice(self.train, None)
        return replace(self, images=self.images[members], labels=self.labels[members])

    def read(self, indices: list[int], *, epoch: int, seed: int) -> dict[str, Tensor]:
        assert (epoch, seed) == (0, 0)
        places = torch.tensor(list(indices), dtype=torch.int64)
        return {"image": self.images[places], "label": self.labels[places]}


def pictures(shape=(1, 8, 8), count=60, train=40, labels=None, seed=0) -> Pictures:
    """Noise; those of class 1 are brighter."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2 if labels is None else labels
    images = torch.randint(0, 128, (count, *shape), generator=rng) + 100 * (labels > 0).view(-1, 1, 1, 1)
    fields = {"image": Field(kind="image", shape=shape), "label": Field(kind="class", classes=("dark", "bright"))}
    return Pictures(fields=fields, images=images.byte(), labels=labels, train=train)


@pytest.fixture
def fresh(monkeypatch, tmp_path) -> Iterator[None]:
    """Nothing is known and little is learnt."""
    monkeypatch.setattr(module, "_trained", {})
    monkeypatch.setattr(module, "_samples_seen", lambda count: 512)
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings(image_size=8))


def weights(classifier) -> list[bytes]:
    return [values.numpy().tobytes() for values in classifier.network.state_dict().values()]


def files(tmp_path) -> list:
    return sorted((tmp_path / "cache" / "classifiers").iterdir())


# what it tells


def test_held_out_digits_are_read_as_well_as_it_says(digits):
    classifier = classifier_for(digits, "image", "label")
    real = digits.split("heldout").read(range(297), epoch=0, seed=0)
    predicted = classifier.predict(real["image"])
    assert predicted.dtype == torch.int64
    assert float((predicted == real["label"]).double().mean()) == classifier.accuracy > 0.97
    assert classifier.logits(real["image"]).argmax(1).tolist() == predicted.tolist()
    assert classifier.protocol["classifier_training"] == 1500
    assert classifier.protocol["classifier_accuracy"] == classifier.accuracy


def test_features_are_numbers_from_zero_on_that_do_not_depend_on_the_company(digits):
    classifier = classifier_for(digits, "image", "label")
    images = digits.split("heldout").read(range(297), epoch=0, seed=0)["image"]
    features = classifier.embed(images)
    assert features.shape == (297, FEATURES) == (297, classifier.features)
    assert features.dtype == torch.float32
    assert bool((features >= 0).all())
    assert torch.equal(features, classifier.embed(images))
    assert torch.allclose(features[[290]], classifier.embed(images[[290]]), atol=1e-4)
    assert classifier.embed(images[:0]).shape == (0, FEATURES)


def test_labels_that_are_not_exclusive_are_told_one_by_one(fresh, monkeypatch):
    monkeypatch.setattr(module, "_samples_seen", lambda count: 6000)
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (300, 2), generator=rng).float()
    images = torch.randint(0, 100, (300, 1, 8, 8), generator=rng)
    images[:, :, :4] += (100 * labels[:, 0]).long().view(-1, 1, 1, 1)
    images[:, :, 4:] += (100 * labels[:, 1]).long().view(-1, 1, 1, 1)
    fields = {
        "image": Field(kind="image", shape=(1, 8, 8)),
        "label": Field(kind="multilabel", shape=(2,), classes=("top", "bottom")),
    }
    data = Pictures(fields=fields, images=images.byte(), labels=labels, train=200)
    classifier = classifier_for(data, "image", "label")
    told = classifier.predict(images[200:].byte())
    assert told.dtype == torch.bool
    assert told.shape == (100, 2)
    assert float((told == labels[200:]).double().mean()) == classifier.accuracy > 0.95


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 9), (1, 28, 28), (4, 64, 64), (3, 70, 20), (1, 1, 200)])
def test_pictures_of_any_size_have_features(fresh, shape):
    classifier = classifier_for(pictures(shape, count=12, train=8), "image", "label")
    features = classifier.embed(pictures(shape, count=5, train=4).images)
    assert features.shape == (5, FEATURES)
    assert bool(features.isfinite().all())


@pytest.mark.parametrize(
    ("count", "seen"), [(40, 30_000), (1500, 30_000), (4500, 90_000), (60_000, 180_000), (10**6, 10**6)]
)
def test_large_sets_are_seen_a_few_times_and_small_ones_often(count, seen):
    assert module._samples_seen(count) == seen


# the same everywhere


def test_nothing_of_the_process_is_touched(fresh):
    def state():
        return (
            torch.random.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        )

    before = state()
    with torch.no_grad():
        classifier_for(pictures(), "image", "label")
    assert state() == before


def test_it_is_the_same_with_any_seed_and_any_number_of_threads(fresh, monkeypatch):
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.manual_seed(number)
            torch.set_num_threads(number)
            monkeypatch.setattr(module, "_trained", {})
            monkeypatch.setenv("GENFRAME_CACHE", "/dev/null/nowhere")
            found.append(weights(classifier_for(pictures((3, 16, 16)), "image", "label")))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_other_pictures_labels_or_held_out_samples_make_another(fresh, tmp_path):
    data = pictures()
    others = [
        data,
        pictures(seed=1),
        replace(data, labels=data.labels.flip(0)),
        replace(data, images=torch.cat([data.images[:40], data.images[40:].flip(0)])),
        replace(data, train=30),
    ]
    for each in others:
        classifier_for(each, "image", "label")
    assert len(files(tmp_path)) == len(others)


# where it is kept


def test_what_was_learnt_once_is_read_from_the_file(fresh, monkeypatch):
    learnt = classifier_for(pictures(), "image", "label")
    assert classifier_for(pictures(), "image", "label") is learnt
    monkeypatch.setattr(module, "_trained", {})
    monkeypatch.setattr(module, "_fit", lambda *arguments: pytest.fail("it learns again"))
    found = classifier_for(pictures(), "image", "label")
    assert weights(found) == weights(learnt)
    assert (found.accuracy, found.protocol) == (learnt.accuracy, learnt.protocol)
    assert torch.equal(found.embed(pictures().images), learnt.embed(pictures().images))


def changed(content: bytes) -> bytes:
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: content[:1000], changed, lambda content: b"x" * 999]
)
def test_a_damaged_file_is_made_again(fresh, monkeypatch, tmp_path, damage):
    learnt = classifier_for(pictures(), "image", "label")
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    monkeypatch.setattr(module, "_trained", {})
    assert weights(classifier_for(pictures(), "image", "label")) == weights(learnt)
    assert path.read_bytes() == whole


def test_where_nothing_can_be_kept_it_learns_all_the_same(fresh, monkeypatch):
    monkeypatch.setenv("GENFRAME_CACHE", "/dev/null/nowhere")
    assert classifier_for(pictures(), "image", "label").training == 40


# what cannot be learnt


@pytest.mark.parametrize(
    ("image", "label", "sentence"),
    [
        ("picture", "label", r"'picture' is none of the data's 'image \(image\)', 'label \(class\)'"),
        ("label", "label", "reads a field of pictures, and 'label' is none"),
        ("image", "image", "learns a field of classes or of labels, and 'image' is none"),
    ],
)
def test_fields_of_other_kinds_are_refused(image, label, sentence):
    with pytest.raises(ConfigError, match=sentence):
        classifier_for(pictures(), image, label)


@pytest.mark.parametrize("train", [0, 60])
def test_an_empty_part_is_refused(train):
    with pytest.raises(DataError, match="one of them is empty"):
        classifier_for(pictures(train=train), "image", "label")


def test_a_single_class_is_refused(fresh):
    with pytest.raises(DataError, match="one class only"):
        classifier_for(pictures(labels=torch.ones(60, dtype=torch.int64)), "image", "label")
