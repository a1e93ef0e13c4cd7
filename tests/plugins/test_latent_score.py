"""The score of arithmetic: a fraction of questions, beside what chance reaches, with its protocol."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genframe.analysis.intervals import wilson
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Batch, Trained
from genframe.sampling import Conditions, View
from genframe.shapes import Field, Problem
from genframe_arithmetic import ArithmeticScoreSettings, score
from genframe_arithmetic.score import ArithmeticScore
from genframe_noise import NoiseSettings
from genframe_noise.laws import Gaussian

IMAGE = Field(kind="image", shape=(1, 2, 2))
LOOK = Field(kind="multilabel", shape=(3,), classes=("hat", "scarf", "smile"))


class Faces:
    """One real picture of each combination of attributes."""

    fields = {"image": IMAGE, "look": LOOK}
    count = 8

    def split(self, part: str) -> Faces:
        return self

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Any, *, epoch: int, seed: int) -> Batch:
        look = torch.tensor([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in indices]).float()
        return {"image": torch.zeros(len(look), 1, 2, 2).byte(), "look": look}


class Reader:
    """Three attributes: the first three pixels are light."""

    field = LOOK
    protocol = {"classifier": "pixels", "classifier_accuracy": 0.9}

    def predict(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3] > 127


@pytest.fixture(autouse=True)
def _reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "classifier_for", lambda dataset, image, label: Reader())


def shows_z(noise: Tensor, condition: Any) -> Tensor:
    return (noise / 4.0).view(-1, 1, 2, 2)


def constant(noise: Tensor, condition: Any) -> Tensor:
    return torch.zeros(len(noise), 1, 2, 2)


def view(generator: Any = shows_z, *, noise: bool = True) -> View:
    problem = Problem(output=IMAGE, noise_shape=(4,) if noise else None)
    return View(
        trained=Trained(
            problem=problem, generator=generator, networks={}, noise=Gaussian(NoiseSettings(dim=4)) if noise else None
        ),
        conditions=Conditions(problem, {}),
        title="a view, step 0",
        seed=5,
        find_dataset=Faces,
    )


def test_where_z_carries_attributes_the_score_is_far_above_chance():
    measured = ArithmeticScore(ArithmeticScoreSettings(samples=512)).measure(view())
    protocol = measured.protocol
    assert measured.value > protocol["random_triples"] + 0.3
    assert measured.interval == wilson(round(measured.value * 200), 200)
    assert protocol["triples"] == 200
    assert protocol["enough_samples"] == 1.0
    assert protocol["right_where_enough"] == measured.value
    assert protocol["classifier_accuracy"] == 0.9
    assert protocol["attributes"] == "hat, scarf, smile"


def test_fewer_attributes_are_easier_to_get_right():
    every = ArithmeticScore(ArithmeticScoreSettings(samples=512)).measure(view()).value
    measured = ArithmeticScore(ArithmeticScoreSettings(samples=512, attributes=("smile", "hat"))).measure(view())
    assert measured.value > every
    assert measured.protocol["attributes"] == "hat, smile"


def test_a_run_that_shows_one_face_has_the_score_zero():
    measured = ArithmeticScore(ArithmeticScoreSettings(samples=64, count=20)).measure(view(constant))
    assert measured.value == 0.0
    assert measured.protocol["enough_samples"] == 0.0
    assert measured.protocol["right_where_enough"] == 0.0


def test_measured_again_the_score_is_the_same():
    metric = ArithmeticScore(ArithmeticScoreSettings(samples=256, count=50))
    assert metric.measure(view()) == metric.measure(view())


def test_a_run_without_noise_is_refused():
    with pytest.raises(ConfigError, match="the metric 'arithmetic-score' looks at the space of z"):
        ArithmeticScore(ArithmeticScoreSettings()).measure(view(noise=False))


def test_data_without_attributes_is_refused(monkeypatch):
    monkeypatch.setattr(Faces, "fields", {"image": IMAGE, "label": Field(kind="class", classes=("a", "b"))})
    with pytest.raises(ConfigError, match="no field of several labels; it has 'image', 'label'"):
        ArithmeticScore(ArithmeticScoreSettings()).measure(view())


def test_data_that_suggests_no_question_is_refused(monkeypatch):
    monkeypatch.setattr(Faces, "count", 1)
    with pytest.raises(DataError, match="the held-out part holds no such samples"):
        ArithmeticScore(ArithmeticScoreSettings()).measure(view())


def test_an_unknown_attribute_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"the attribute 'smle'; .*Did you mean 'smile'"):
        ArithmeticScore(ArithmeticScoreSettings(attributes=("smle",))).measure(view())


@pytest.mark.parametrize("wrong", [{"count": 0}, {"average": 0}, {"samples": 5}])
def test_numbers_that_make_no_question_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"'arithmetic-score' got {next(iter(wrong))} = "):
        ArithmeticScore(ArithmeticScoreSettings(**wrong))
