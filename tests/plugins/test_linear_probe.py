"""A linear classifier reads from features what is in them, and a conditional critic gives no label away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from genframe.errors import ConfigError, DataError
from genframe.interfaces import BlockSpec, Critique, Trained
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_datasets.parted import Memory, PartedDataset
from genframe_kernels import block
from genframe_metrics import ProbeSettings, patches, probe_features
from genframe_metrics.patches import PatchDictionary
from genframe_metrics.probe import LinearProbe, _Probe
from genframe_metrics.probe_features import MAKERS

LABEL = Field(kind="class", classes=tuple("0123456789"))


class Eye(nn.Module):
    """A convolution of random weights and a block of genframe's; labels change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Sequential(nn.Conv2d(1, 6, 3, 1, 1), nn.ReLU())
        spec = BlockSpec(operation="conv", in_channels=6, out_channels=5, norm=False, activation="leaky_relu")
        self.block = block(spec)

    def forward(self, images_BCHW: Tensor, condition: Any) -> Critique:
        return Critique(logits=(self.block(self.plain(images_BCHW)).sum((1, 2, 3)),))


class Parrot(nn.Module):
    """Sees nothing of the picture and says the label."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(10, 10, 1)

    def forward(self, images_BCHW: Tensor, condition: Any) -> Critique:
        said = nn.functional.one_hot(condition["label"], 10).float()[:, :, None, None]
        return Critique(logits=(self.conv(said.expand(-1, -1, 8, 8)).sum((1, 2, 3)),))


@pytest.fixture(scope="module")
def digits() -> PartedDataset:
    return open_digits(ImageSettings(image_size=8))


@pytest.fixture
def make_view(digits, pool_view):
    """A run on digits with these networks."""

    @dataclass(frozen=True, kw_only=True)
    class WithNetworks(pool_view):
        networks: Any = None

        @property
        def trained(self) -> Trained:
            return replace(super().trained, networks=self.networks or {})

    def make(critic=None, **changes):
        given = changes.pop("condition", {"label": LABEL})
        torch.manual_seed(0)
        return WithNetworks(
            **{
                "problem": Problem(output=digits.fields["image"], condition=given),
                "pool": torch.zeros(10, 1, 8, 8),
                "conditions": {"label": torch.arange(10)} if given else {},
                "data": digits,
                "networks": {"critic": critic.eval()} if critic else {"encoder": nn.Identity()},
                **changes,
            }
        )

    return make


@pytest.fixture
def short(monkeypatch):
    """The baselines learn little."""
    monkeypatch.setattr(probe_features, "_SEEN", 1280)
    monkeypatch.setattr(patches, "_CENTROIDS", 20)
    monkeypatch.setattr(patches, "_PICTURES", 200)


def measured(view, **settings):
    return LinearProbe(ProbeSettings(**{"labels": 200, **settings})).measure(view)


# what is read


def test_pixels_and_random_convolutions_tell_digits_apart(make_view):
    for measurement in (measured(make_view(Eye())), measured(make_view(), features="pixels")):
        assert 0.85 < measurement.value < 0.99
        low, high = measurement.interval
        assert low < measurement.value < high
        assert measurement.protocol["interval"] == "Wilson 95% of the held-out samples"


def test_a_critic_that_is_told_the_label_does_not_give_it_away(make_view):
    measurement = measured(make_view(Parrot()))
    assert measurement.value < 0.2
    assert measurement.protocol["critic_is_told"] == "the mean over the same 10 conditions for every picture"


def test_a_critic_that_knows_no_labels_is_shown_the_pictures_alone(make_view):
    protocol = measured(make_view(Eye(), condition={})).protocol
    assert "critic_is_told" not in protocol
    # plain: 6 maps of 8x8, pooled to 4x4; block: 5 maps of 4x4
    assert protocol["features"] == 6 * 16 + 5 * 16


def test_the_protocol_says_how_to_repeat_it(make_view):
    measurement = measured(make_view(), features="pixels", reference=100)
    assert dict(measurement.protocol) == {
        "of": "pixels",
        "features": 64,
        "labelled_samples": 200,
        "repeats": 1,
        "choice_of_labelled_samples": 0,
        "reference": "held-out",
        "reference_samples": 100,
        "classifier": "linear L2-SVM",
        "C": measurement.protocol["C"],
        "interval": "Wilson 95% of the held-out samples",
    }
    assert measured(make_view(), features="pixels", reference=100) == measurement
    assert measured(make_view(), features="pixels", labels=0).protocol["labelled_samples"] == 1500


def test_repeats_learn_from_other_samples(make_view):
    measurement = measured(make_view(), features="pixels", labels=50, repeats=3)
    low, high = measurement.interval
    assert low < measurement.value < high
    assert measurement.protocol["interval"] == "Student's t 95% of the repeats' mean"
    assert len(measurement.protocol["C"].split(", ")) == 3
    other = measured(make_view(), features="pixels", labels=50, repeats=3, seed=1)
    assert other.value != measurement.value


def test_more_labels_teach_more(make_view):
    few, many = (measured(make_view(), features="pixels", labels=labels).value for labels in (20, 0))
    assert few < many - 0.1


def test_labels_that_are_not_exclusive_are_read_one_by_one(make_view):
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (300, 3), generator=rng).float()
    labels[:, 2] = 1  # the same for all
    images = torch.randint(0, 100, (300, 1, 8, 8), generator=rng)
    images[:, :, :4] += (100 * labels[:, 0]).long().view(-1, 1, 1, 1)
    images[:, :, 4:] += (100 * labels[:, 1]).long().view(-1, 1, 1, 1)
    fields = {
        "image": Field(kind="image", shape=(1, 8, 8)),
        "marks": Field(kind="multilabel", shape=(3,), classes=("top", "bottom", "always")),
    }
    store = Memory(fields=fields, tensors={"image": images.byte(), "marks": labels})
    data = PartedDataset.of(store, torch.arange(300) >= 200, open_digits(ImageSettings(image_size=8)).augment)
    measurement = measured(make_view(data=data), features="pixels", labels=100)
    assert measurement.value > 0.95
    assert measurement.protocol["interval"].startswith("bootstrap 95%")


def test_the_probe_is_scikit_learns_on_standard_features():
    rng = torch.Generator().manual_seed(0)
    known, asked = (
        torch.randn(60, 4, generator=rng) * torch.tensor([1.0, 50.0, 0.01, 0.0]),
        torch.randn(30, 4, generator=rng),
    )
    labels = (known[:, :1] + 50 * known[:, 2:3] > 0).long()
    probe = _Probe(known, labels)
    scale = torch.tensor([*known.std(0)[:3], 1.0]) * 2
    standard = [((each - known.mean(0)) / scale).numpy() for each in (known, asked)]
    expected = LinearSVC(C=probe.penalty, random_state=0).fit(standard[0], labels[:, 0].numpy()).predict(standard[1])
    assert probe.predict(asked)[:, 0].tolist() == expected.tolist()


# the features


@pytest.mark.parametrize("features", ["untrained", "kmeans", "autoencoder"])
def test_baselines_are_the_same_each_time_and_touch_no_global_generator(short, make_view, digits, features):
    view, train = make_view(Eye()), digits.split("train")
    state = torch.random.get_rng_state()
    made = [MAKERS[features](view, train, "image") for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    images = train.read(range(70), epoch=0, seed=0)["image"]
    first, second = (each(images) for each in made)
    assert torch.equal(first, second)
    assert first.shape[0] == 70
    assert bool(first.isfinite().all())
    assert float(first.std(0).max()) > 0


@pytest.mark.parametrize("features", ["kmeans", "autoencoder"])
def test_baselines_read_digits(short, make_view, features):
    assert measured(make_view(), features=features).value > 0.8


@pytest.mark.parametrize("features", ["untrained", "kmeans", "autoencoder"])
@pytest.mark.parametrize("shape", [(3, 9, 17), (1, 28, 28)])
def test_baselines_take_pictures_of_any_shape(short, make_view, features, shape):
    critic = nn.Sequential(nn.Conv2d(shape[0], 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    images = torch.randint(0, 256, (80, *shape), generator=torch.Generator().manual_seed(0)).byte()
    fields = {"image": Field(kind="image", shape=shape)}
    augment = open_digits(ImageSettings(image_size=8)).augment
    data = PartedDataset.of(Memory(fields=fields, tensors={"image": images}), torch.arange(80) >= 70, augment)

    class Lenient(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = critic

        def forward(self, images_BCHW: Tensor, condition: Any) -> Tensor:
            return self.layers(images_BCHW)

    made = MAKERS[features](make_view(Lenient(), condition={}), data.split("train"), "image")(images)
    assert made.shape[0] == 80
    assert bool(made.isfinite().all())


def test_the_untrained_critic_is_another_network_than_the_trained_one(make_view, digits):
    view, train = make_view(Eye()), digits.split("train")
    before = [values.clone() for values in view.trained.networks["critic"].state_dict().values()]
    images = train.read(range(8), epoch=0, seed=0)["image"]
    trained, untrained = (MAKERS[name](view, train, "image")(images) for name in ("critic", "untrained"))
    assert trained.shape == untrained.shape
    assert not torch.allclose(trained, untrained)
    assert all(map(torch.equal, before, view.trained.networks["critic"].state_dict().values()))


def test_patches_without_contrast_are_no_trouble():
    fields = {"image": Field(kind="image", shape=(1, 8, 8))}
    store = Memory(fields=fields, tensors={"image": torch.zeros(30, 1, 8, 8, dtype=torch.uint8)})
    data = PartedDataset.of(store, torch.arange(30) >= 20, open_digits(ImageSettings(image_size=8)).augment)
    made = PatchDictionary(data.split("train"), "image")
    assert bool(made(store.tensors["image"]).isfinite().all())


# what cannot be read


@pytest.mark.parametrize("features", ["critic", "untrained"])
def test_a_run_whose_critic_cannot_be_asked_is_told_so(make_view, features):
    with pytest.raises(ConfigError, match="this run has the networks 'encoder': choose other features"):
        measured(make_view(), features=features)
    with pytest.raises(ConfigError, match="this run's critic has none: choose other features"):
        measured(make_view(nn.Linear(3, 3)), features=features)
    source = {"source": Field(kind="image", shape=(3, 8, 8))}
    with pytest.raises(ConfigError, match="judges them together with 'source'"):
        measured(make_view(Eye(), condition=source), features=features)


def test_too_few_or_too_many_labels_are_refused(make_view, digits):
    with pytest.raises(ConfigError, match="labels = 9; at least 10 are needed, or 0 for all"):
        LinearProbe(ProbeSettings(labels=9))
    with pytest.raises(ConfigError, match="labels = -1"):
        LinearProbe(ProbeSettings(labels=-1))
    with pytest.raises(ConfigError, match="repeats = 0; at least 1"):
        LinearProbe(ProbeSettings(repeats=0))
    with pytest.raises(DataError, match="learn from 2000 labelled training samples, and the run's data has 1500"):
        measured(make_view(), features="pixels", labels=2000)


def test_data_that_does_not_fit_is_refused(make_view, digits):
    with pytest.raises(DataError, match="has no dataset"):
        measured(make_view(data=None), features="pixels")
    with pytest.raises(DataError, match="is empty"):
        measured(make_view(data=digits.split("train")), features="pixels")
    unlabelled = replace(digits, store=replace(digits.store, fields={"image": digits.fields["image"]}))
    with pytest.raises(ConfigError, match="the run's data has none"):
        measured(make_view(data=unlabelled), features="pixels")
    tensors = {**digits.store.tensors, "label": digits.store.tensors["label"] * 0}
    one_class = replace(digits, store=replace(digits.store, tensors=tensors))
    with pytest.raises(DataError, match="of one class only"):
        measured(make_view(data=one_class), features="pixels")
    with pytest.raises(ConfigError, match="is of pictures"):
        measured(make_view(problem=Problem(output=Field(kind="points", shape=(2,)))), features="pixels")
