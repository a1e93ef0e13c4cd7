"""Three digits in one picture: put together by index, from the right part, and counted by a metric as they are."""

import pytest
import torch

from genframe.analysis.classifier import TrainedClassifier
from genframe.errors import ConfigError, DataError
from genframe.settings import validated
from genframe.shapes import Field, Problem
from genframe_datasets import NamedSettings, StackedSettings
from genframe_datasets import stacked as datasets_stacked
from genframe_datasets.augment import Augment
from genframe_datasets.named import open_mnist
from genframe_datasets.parted import Memory, PartedDataset
from genframe_datasets.stacked import CLASSES, Digits, Stacked, open_stacked_mnist
from genframe_points import StackedSettings as ModesSettings
from genframe_points import stacked as points_stacked
from genframe_points.stacked import StackedModes

PIXELS = Problem(output=Field(kind="image", shape=(3, 2, 2)), noise_shape=(2,))


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


def made_up(level):
    """Sixty digits of 2x2 pixels, six of each: pixels are 10 * digit + one of 6, and `level` in the first."""
    labels = torch.arange(60) % 10
    images = (10 * labels + torch.arange(60) // 10).byte()[:, None, None, None].repeat(1, 1, 2, 2)
    images[:, :, 0, 0] = level
    fields = {"image": Field(kind="image", shape=(1, 2, 2)), "label": Field(kind="class", classes=tuple("0123456789"))}
    store = Memory(fields=fields, tensors={"image": images, "label": labels})
    return PartedDataset.of(store, torch.zeros(60, dtype=torch.bool), Augment())


@pytest.fixture
def stacked():
    """Ten thousand pictures of made-up digits; those of the test part have 200 in their first pixel."""
    store = Stacked(count=10_000, train=Digits.of(made_up(100)), test=Digits.of(made_up(200)))
    return PartedDataset.of(store, torch.arange(10_000) % 10 == 9, Augment())


# the pictures


def test_each_colour_shows_the_digit_of_the_class(stacked):
    batch = everything(stacked)
    assert (batch["image"].dtype, batch["image"].shape) == (torch.uint8, (10_000, 3, 2, 2))
    numbers = [int(CLASSES[label]) for label in batch["label"].tolist()]
    digits = batch["image"][:, :, 1, 1] // 10
    assert [100 * r + 10 * g + b for r, g, b in digits.tolist()] == numbers


def test_training_digits_are_never_held_out(stacked):
    train, heldout = (everything(stacked.split(part))["image"] for part in ("train", "heldout"))
    assert train[:, :, 0, 0].unique().tolist() == [100]
    assert heldout[:, :, 0, 0].unique().tolist() == [200]
    assert len(heldout) == 1000


@pytest.mark.parametrize(("part", "each"), [("train", 9), ("heldout", 1)])
def test_all_combinations_are_equally_many(stacked, part, each):
    assert torch.bincount(everything(stacked.split(part))["label"], minlength=1000).unique().tolist() == [each]


def test_a_digit_is_shown_by_all_its_pictures_equally_often(stacked):
    choices = everything(stacked.split("train"))["image"][:, :, 1, 1].long() % 10
    shares = torch.stack([torch.bincount(column, minlength=6) / 9000 for column in choices.T])
    assert (shares - 1 / 6).abs().max() < 4.0 * (5 / 36 / 9000) ** 0.5
    assert torch.corrcoef(choices.T.double()).triu(1).abs().max() < 4.0 / 9000**0.5


def test_a_picture_is_the_same_whatever_is_read_with_it(stacked):
    alone = stacked.read([4321], epoch=0, seed=0)
    among = stacked.read([9, 4321, 0, 4321], epoch=3, seed=5)
    assert all(torch.equal(alone[name][0], among[name][place]) for name in alone for place in (1, 3))
    assert stacked.read([], epoch=0, seed=0)["image"].shape == (0, 3, 2, 2)


def test_real_digits_are_stacked(shared_data):
    data = open_stacked_mnist(StackedSettings(count=1000, data_dir=str(shared_data)))
    assert data.fields["image"] == Field(kind="image", shape=(3, 28, 28))
    mnist = open_mnist(NamedSettings(data_dir=str(shared_data)))
    for part in ("train", "heldout"):
        batch, known = data.split(part).read(range(2), epoch=0, seed=0), everything(mnist.split(part))
        for image, label in zip(batch["image"], batch["label"].tolist(), strict=True):
            for colour, digit in zip(image, CLASSES[label], strict=True):
                same = (known["image"][:, 0] == colour).flatten(1).all(1)
                assert same.any()
                assert known["label"][same].tolist() == [int(digit)]


def test_real_digits_come_in_any_size(shared_data):
    data = open_stacked_mnist(StackedSettings(count=1000, image_size=16, data_dir=str(shared_data)))
    assert data.read([0], epoch=0, seed=0)["image"].shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 999}, r"data\.count is how many pictures are put together, 1000 to 10000000; got 999"),
        ({"count": 10_000_001}, "got 10000001"),
        ({"channels": 1}, r"data\.channels is not a setting"),
        ({"mirror": True}, r"data\.mirror is not a setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_stacked_mnist(validated(StackedSettings, settings, "data"))
    assert "\n" not in str(caught.value)


def test_missing_files_are_asked_for(tmp_path, monkeypatch):
    def nothing(settings):
        raise DataError(f"nothing in {settings.data_dir}")

    monkeypatch.setattr(datasets_stacked, "open_mnist", nothing)
    with pytest.raises(DataError, match="nothing in"):
        open_stacked_mnist(StackedSettings(data_dir=str(tmp_path)))


# the metric


@pytest.fixture
def reader(monkeypatch):
    """Stands for the classifier: reads the tens of the last pixel, and keeps what it would have learnt from."""
    learnt = []

    class Reader(TrainedClassifier):
        def predict(self, images_NCHW):
            return images_NCHW[:, 0, -1, -1].long() // 10

    def classifier_for(dataset, image, label):
        learnt.append(dataset)
        return Reader(field=dataset.fields[label], training=len(dataset), accuracy=0.99, network=torch.nn.Sequential())

    monkeypatch.setattr(points_stacked, "classifier_for", classifier_for)
    return learnt


def measured(view, **settings):
    return StackedModes(ModesSettings(**settings)).measure(view)


@pytest.mark.parametrize(("modes", "kl"), [(1000, 0.0), (250, 1.3862943611), (1, 6.9077552790)])
def test_what_a_generator_shows_is_counted(modes, kl, stacked, reader, pool_view):
    heldout = everything(stacked.split("heldout"))["image"][:modes]
    view = pool_view(problem=PIXELS, pool=heldout.float() / 127.5 - 1.0, data=stacked)
    measurement = measured(view, count=2000)
    assert measurement.value == modes / 1000
    assert measurement.protocol["covered"] == modes
    assert measurement.protocol["kl_to_uniform"] == pytest.approx(kl, abs=1e-9)
    assert measurement.protocol["classifier_accuracy"] == 0.99


def test_the_divergence_of_a_perfect_generator_is_what_the_protocol_says(stacked, reader, pool_view):
    order = torch.randint(1000, (25_600,), generator=torch.Generator().manual_seed(3))
    pool = everything(stacked.split("heldout"))["image"][order].float() / 127.5 - 1.0
    protocol = measured(pool_view(problem=PIXELS, pool=pool, data=stacked)).protocol
    assert protocol["kl_to_uniform"] == pytest.approx(protocol["kl_of_a_perfect_generator"], rel=0.15)


def test_the_classifier_learns_single_colours_and_their_digits(stacked, reader, pool_view):
    pool = everything(stacked.split("heldout"))["image"].float() / 127.5 - 1.0
    measured(pool_view(problem=PIXELS, pool=pool, data=stacked), count=10, training=400)
    (digits,) = reader
    for part, count in (("train", 1200), ("heldout", 1200)):
        split = digits.split(part)
        batch = everything(split)
        assert len(split) == count
        assert batch["image"].shape == (count, 1, 2, 2)
        assert torch.equal(batch["image"][:, 0, 1, 1] // 10, batch["digit"].byte())
        assert batch["image"][:, 0, 0, 0].unique().tolist() == [100 if part == "train" else 200]


@pytest.mark.slow  # trains a classifier
def test_real_digits_are_read(shared_data, pool_view, monkeypatch, tmp_path):
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path))
    data = open_stacked_mnist(StackedSettings(count=1000, image_size=8, data_dir=str(shared_data)))
    pool = everything(data.split("heldout"))["image"].float() / 127.5 - 1.0
    problem = Problem(output=data.fields["image"], noise_shape=(2,))
    measurement = measured(pool_view(problem=problem, pool=pool, data=data), count=100)
    assert measurement.protocol["classifier_training"] == 2700
    assert measurement.protocol["classifier_accuracy"] > 0.8
    assert 0.085 <= measurement.value <= 0.1


def test_other_pictures_are_refused(stacked, pool_view):
    grey = Problem(output=Field(kind="image", shape=(1, 2, 2)), noise_shape=(2,))
    for problem, data in ((grey, stacked), (PIXELS, made_up(0))):
        view = pool_view(problem=problem, pool=torch.zeros(4, *problem.output.shape), data=data)
        with pytest.raises(ConfigError, match=r"a digit in each of three colours.*train on stacked-mnist"):
            measured(view)


@pytest.mark.parametrize("name", ["count", "training"])
def test_a_count_below_1_is_refused(name):
    with pytest.raises(ConfigError, match=rf"'stacked-modes' got {name} = 0; at least 1"):
        StackedModes(ModesSettings(**{name: 0}))
