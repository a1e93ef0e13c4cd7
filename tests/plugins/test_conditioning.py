"""Conditioning schemes: codes, blocks and heads."""

import pkgutil

import pytest
import torch

from genframe.errors import ConfigError
from genframe.interfaces import BlockSpec
from genframe.shapes import Field, Problem
from genframe_conditioning import genframe_conditionings

SPECS = {spec.name: spec for spec in genframe_conditionings()}
IMAGE = Field(kind="image", shape=(1, 8, 8))
DIGIT = Field(kind="class", classes=("zero", "one", "two"))
TRAITS = Field(kind="multilabel", shape=(2,), classes=("bold", "slanted"))
POSE = Field(kind="vector", shape=(2,))
SOURCE = Field(kind="image", shape=(3, 8, 8))
BLOCK = BlockSpec(operation="conv", in_channels=2, out_channels=4)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def make(name: str, **condition: Field):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(), Problem(output=IMAGE, condition=condition))


def test_no_conditioning_carries_nothing_and_the_others_every_kind_of_label():
    assert {name: set(spec.carries) for name, spec in SPECS.items()} == {
        "none": set(),
        "concat": {"class", "multilabel", "vector"},
        "hidden": {"class", "multilabel", "vector"},
    }


def test_without_conditioning_the_code_is_none_and_the_layers_are_plain():
    scheme = make("none")
    code = scheme.encoder("generator")({})
    assert code is None
    block, head = scheme.block(BLOCK), scheme.head(5)
    assert block(torch.randn(3, 2, 8, 8), code).shape == (3, 4, 4, 4)
    assert block[0].in_channels == 2
    features = torch.randn(3, 5)
    (logits,) = head(features, code).logits
    torch.testing.assert_close(logits, features @ head.linear.weight[0] + head.linear.bias)


def test_a_class_becomes_one_hot():
    code = make("concat", label=DIGIT).encoder("generator")({"label": torch.tensor([2, 0])})
    assert code.dtype == torch.float32
    assert code.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_labels_stand_side_by_side_in_the_order_of_their_names():
    condition = {
        "digit": torch.tensor([1]),
        "traits": torch.tensor([[0.0, 1.0]]),
        "pose": torch.tensor([[0.5, -2.0]]),
    }
    expected = [[0, 1, 0, 0.5, -2.0, 0, 1]]
    one = make("concat", digit=DIGIT, traits=TRAITS, pose=POSE)
    other = make("concat", traits=TRAITS, pose=POSE, digit=DIGIT)
    assert one.encoder("generator")(condition).tolist() == other.encoder("generator")(condition).tolist() == expected


def test_concatenation_leaves_pictures_of_the_condition_to_the_architecture():
    scheme = make("concat", label=DIGIT, source=SOURCE)
    condition = {"label": torch.tensor([0]), "source": torch.zeros(1, 3, 8, 8)}
    assert scheme.encoder("generator")(condition).shape == (1, 3)


@pytest.mark.parametrize("operation", ["linear", "conv", "conv_transpose"])
def test_concatenation_adds_one_input_channel_a_label_to_every_block(operation):
    scheme = make("concat", label=DIGIT)
    plain, block = (
        make(name, label=DIGIT).block(BlockSpec(operation=operation, in_channels=2, out_channels=4))
        for name in ("none", "concat")
    )
    per_channel = plain[0].weight.numel() // 2
    assert block[0].weight.numel() == per_channel * 5
    x = torch.randn((3, 2) if operation == "linear" else (3, 2, 8, 8))
    outputs = [block.eval()(x, scheme.encoder("generator")({"label": torch.full((3,), k)})) for k in range(3)]
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_the_conditional_head_is_linear_in_features_and_code():
    head = make("concat", label=DIGIT).head(5)
    features, code = torch.randn(4, 5), torch.eye(3)[[0, 2, 1, 1]]
    (logits,) = head(features, code).logits
    assert logits.shape == (4,)
    torch.testing.assert_close(logits, head.linear(torch.cat((features, code), dim=1))[:, 0])


@pytest.mark.parametrize("condition", [{}, {"source": SOURCE}])
def test_concatenation_without_labels_is_refused_in_one_sentence(condition):
    with pytest.raises(ConfigError, match=r"^conditioning 'concat' got data without labels .* --conditioning none$"):
        make("concat", **condition)
