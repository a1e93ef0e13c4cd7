"""Hugging Face's library is an extra: one sentence where it is missing, its tables where it is there."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from genframe.errors import ConfigError, DataError
from genframe_datasets import HuggingFaceSettings
from genframe_datasets.huggingface import open_huggingface

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 10, 14, 3), dtype=np.uint8)

needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="the extra 'huggingface' is not installed"
)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Saves a dataset of pictures and classes; returns its folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"photo": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"])})

    def table(first, last):
        rows = {"photo": [Image.fromarray(each) for each in PIXELS[first:last]], "kind": [0, 1] * ((last - first) // 2)}
        return datasets.Dataset.from_dict(rows, features=features)

    def save(**splits):
        datasets.DatasetDict({name: table(*bounds) for name, bounds in splits.items()}).save_to_disk(tmp_path / "set")
        return str(tmp_path / "set")

    return save


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"pip install 'genframe\[huggingface\]'"):
        open_huggingface(HuggingFaceSettings(repository="anything"))


def test_without_a_name_one_is_asked_for():
    with pytest.raises(ConfigError, match=r"data\.repository=NAME"):
        open_huggingface(HuggingFaceSettings())


@needs_datasets
def test_a_saved_dataset_has_its_pictures_classes_and_test_part(saved):
    dataset = open_huggingface(HuggingFaceSettings(repository=saved(train=(0, 16), test=(16, 20))))
    assert dataset.fields["label"].classes == ("cat", "dog")
    heldout = dataset.split("heldout").read(range(4), epoch=0, seed=0)
    assert torch.equal(heldout["image"], torch.from_numpy(PIXELS[16:]).movedim(-1, 1))
    assert heldout["label"].tolist() == [0, 1, 0, 1]


@needs_datasets
def test_size_channels_and_labels_are_chosen(saved):
    settings = HuggingFaceSettings(repository=saved(train=(0, 20)), image_size="8x12", channels=1, label="none")
    dataset = open_huggingface(settings)
    assert {name: field.shape for name, field in dataset.fields.items()} == {"image": (1, 8, 12)}
    assert len(dataset.split("heldout")) == 2


@needs_datasets
@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"image": "foto"}, ConfigError, "Did you mean 'photo'"),
        ({"label": "photo"}, ConfigError, "'kind'"),
        ({"repository": "/no/such/thing"}, DataError, "cannot load '/no/such/thing'"),
    ],
)
def test_what_is_not_there_is_a_sentence(saved, settings, error, said):
    with pytest.raises(error, match=said):
        open_huggingface(HuggingFaceSettings(**{"repository": saved(train=(0, 20)), **settings}))


@needs_datasets
def test_a_dataset_without_a_training_split_is_refused(saved):
    with pytest.raises(DataError, match="no 'train'"):
        open_huggingface(HuggingFaceSettings(repository=saved(test=(0, 20))))
