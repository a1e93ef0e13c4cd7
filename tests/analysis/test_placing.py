"""Conditions as networks take them."""

import torch
from torch import nn

from genframe.analysis.placing import device_of, placed
from genframe.shapes import Field, Problem


def test_pixels_become_numbers_from_minus_one_to_one_and_labels_stay_as_they_are():
    problem = Problem(
        output=Field(kind="image", shape=(1, 2, 2)),
        condition={
            "outline": Field(kind="image", shape=(1, 1, 2)),
            "label": Field(kind="class", classes=("a", "b")),
            "pose": Field(kind="vector", shape=(2,)),
        },
    )
    condition = {
        "outline": torch.tensor([[[[0, 255]]]], dtype=torch.uint8),
        "label": torch.tensor([1]),
        "pose": torch.tensor([[3.0, -200.0]]),
    }
    result = placed(condition, torch.device("cpu"), problem)
    assert {name: values.tolist() for name, values in result.items()} == {
        "outline": [[[[-1.0, 1.0]]]],
        "label": [1],
        "pose": [[3.0, -200.0]],
    }
    assert placed(condition, torch.device("meta"), problem)["label"].device.type == "meta"


def test_networks_are_where_their_parameters_or_buffers_are():
    assert device_of({"a": nn.BatchNorm1d(2, affine=False, device="meta")}).type == "meta"
    assert device_of({"a": nn.Tanh(), "b": nn.Linear(2, 2, device="meta")}).type == "meta"
    assert device_of({"a": nn.Tanh()}).type == "cpu"
