"""Drawn faces: the same bytes everywhere, attributes that are independent and can be read back."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from genframe.errors import ConfigError
from genframe.settings import validated
from genframe_datasets import EmoticonSettings
from genframe_datasets.emoticons import ATTRIBUTES, described, open_emoticons
from genframe_datasets.faces import drawn


@pytest.fixture(scope="module")
def emoticons():
    return open_emoticons(EmoticonSettings())


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


def groups(attributes):
    """The five attributes as one class each, by name; of logits too."""
    glasses, hat, smile = ((attributes[:, k] > 0.0).long() for k in range(3))
    tone, background = (attributes[:, first : first + 4].argmax(1) for first in (3, 7))
    return {"glasses": glasses, "hat": hat, "smile": smile, "tone": tone, "background": background}


def fitted_classifier(images, attributes):
    """Three convolutions and a linear layer, six epochs: three seconds on one core."""
    layers = [nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()]
    network = nn.Sequential(
        *layers, nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(512, len(ATTRIBUTES))
    )
    batches = torch.cat([torch.randperm(len(images)) for _ in range(6)]).split(50)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=len(batches))
    for batch in batches:
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(network(images[batch]), attributes[batch]).backward()
        optimizer.step()
        schedule.step()
    return network


# what comes out


def test_faces_are_colour_pictures_with_named_attributes(emoticons):
    batch = everything(emoticons)
    assert (batch["image"].dtype, batch["image"].shape) == (torch.uint8, (5000, 3, 32, 32))
    assert (batch["attributes"].dtype, batch["attributes"].shape) == (torch.float32, (5000, 11))
    assert emoticons.fields["attributes"].classes == ATTRIBUTES
    assert ATTRIBUTES[:4] == ("glasses", "hat", "smile", "light skin")


def test_the_bytes_of_the_faces_never_change():
    dataset = open_emoticons(EmoticonSettings(count=100))
    batch = dataset.read(range(64), epoch=0, seed=0)
    digests = [hashlib.sha256(batch[name].numpy().tobytes()).hexdigest()[:16] for name in ("image", "attributes")]
    assert digests == ["b00cf5ffa07882d8", "398376c99c3cb2ab"]


def test_a_face_is_the_same_however_many_there_are_and_whatever_is_drawn_beside_it(emoticons):
    few, many = everything(open_emoticons(EmoticonSettings(count=1403))), everything(emoticons)
    assert all(torch.equal(few[name], many[name][:1403]) for name in many)
    faces, attributes = described(torch.tensor([4321]))
    assert torch.equal(torch.from_numpy(drawn(faces, 32)), many["image"][4321:4322])
    assert torch.equal(attributes, many["attributes"][4321:4322])


def test_no_two_faces_are_alike(emoticons):
    assert len(everything(emoticons)["image"].flatten(1).unique(dim=0)) == 5000


def test_every_tenth_face_is_held_out_and_stays_so(emoticons):
    assert emoticons.split("heldout").members.tolist() == list(range(9, 5000, 10))
    assert len(emoticons.split("train")) == 4500
    assert open_emoticons(EmoticonSettings(count=100)).split("heldout").members.tolist() == list(range(9, 100, 10))


# attributes


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_attributes_are_balanced_and_independent_in_each_part(emoticons, part):
    values = groups(everything(emoticons.split(part))["attributes"])
    names = list(values)
    for place, name in enumerate(names):
        share = torch.bincount(values[name]) / len(values[name])
        assert (share - 1 / len(share)).abs().max() < 0.02
        for other in names[:place]:
            table = torch.zeros(len(share), len(values[other].unique()))
            table.index_put_((values[name], values[other]), torch.ones(()), accumulate=True)
            assert chi2_contingency(table.numpy()).pvalue > 0.1, f"{name} and {other}"


def test_each_run_of_1280_faces_has_every_combination_ten_times_and_once_held_out():
    _, attributes = described(torch.arange(1280))
    for members, times in ((attributes, 10), (attributes[9::10], 1)):
        combinations, counts = members.unique(dim=0, return_counts=True)
        assert (len(combinations), counts.unique().tolist()) == (128, [times])


def test_a_face_has_one_skin_and_one_background(emoticons):
    attributes = everything(emoticons)["attributes"]
    assert set(attributes.unique().tolist()) == {0.0, 1.0}
    assert (attributes[:, 3:7].sum(1) == 1).all()
    assert (attributes[:, 7:].sum(1) == 1).all()


def test_a_small_classifier_reads_each_attribute_of_99_in_100_held_out_faces(emoticons):
    train, heldout = (everything(emoticons.split(part)) for part in ("train", "heldout"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = fitted_classifier(train["image"].float() / 127.5 - 1.0, train["attributes"])
    with torch.no_grad():
        read = groups(network(heldout["image"].float() / 127.5 - 1.0))
    true = groups(heldout["attributes"])
    accuracies = {name: (read[name] == true[name]).float().mean().item() for name in true}
    assert min(accuracies.values()) >= 0.99, accuracies


@pytest.mark.parametrize("attribute", range(3))
def test_an_attribute_shows_on_every_face_and_leaves_most_of_the_picture_alone(attribute):
    faces, _ = described(torch.arange(64))
    without, wearing = (
        drawn(replace(faces, **{ATTRIBUTES[attribute]: np.full(64, worn)}), 32) for worn in (False, True)
    )
    changed = (without != wearing).any(1).mean((1, 2))
    assert 0.01 < changed.min() < changed.max() < 0.4


# settings


@pytest.mark.parametrize(("size", "shape"), [(16, (16, 16)), (64, (64, 64)), ("24x40", (24, 40)), (150, (150, 150))])
def test_faces_come_in_any_size(size, shape):
    dataset = open_emoticons(EmoticonSettings(count=100, image_size=size))
    images = dataset.read([0, 1], epoch=0, seed=0)["image"]
    assert dataset.fields["image"].shape == (3, *shape)
    assert images.shape == (2, 3, *shape)


def test_larger_faces_are_drawn_and_not_enlarged():
    small, large = (everything(open_emoticons(EmoticonSettings(count=100, image_size=s)))["image"] for s in (32, 64))
    reduced = nn.functional.avg_pool2d(large.float(), 2)
    assert (reduced - small).abs().mean() < 3.0
    assert (large[..., 1:].float() - large[..., :-1]).abs().amax() > (
        small[..., 1:].float() - small[..., :-1]
    ).abs().amax()


def test_faces_come_in_grey_and_are_mirrored_like_other_pictures():
    assert open_emoticons(EmoticonSettings(count=100, channels=1)).fields["image"].shape == (1, 32, 32)
    plain, mirrored = (open_emoticons(EmoticonSettings(count=100, mirror=on)).split("train") for on in (False, True))
    same = (everything(plain)["image"] == everything(mirrored)["image"]).flatten(1).all(1)
    assert 30 <= same.sum() <= 60


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 99}, r"data\.count is how many faces are drawn, 100 to 100000; got 99"),
        ({"count": 100_001}, "got 100001"),
        ({"count": -5}, "got -5"),
        ({"count": "many"}, r"data\.count = 'many'"),
        ({"count": 100.5}, r"data\.count = 100\.5"),
        ({"count": True}, r"data\.count = true: int is wanted"),
        ({"faces": 100}, r"data\.faces is not a setting"),
        ({"image_size": 0}, "image_size is a number of pixels"),
        ({"channels": 2}, r"data\.channels is 1 \(grey\)"),
        ({"crop": 0.0}, r"data\.crop"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_emoticons(validated(EmoticonSettings, settings, "data"))
    assert "\n" not in str(caught.value)
