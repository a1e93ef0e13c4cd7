"""Conditioning schemes: codes, blocks and heads, and what they make of whole networks."""

import pkgutil
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from genframe.errors import ConfigError
from genframe.interfaces import BlockSpec
from genframe.shapes import Field, Problem
from genframe_conditioning import genframe_conditionings
from genframe_kernels import normalise_spectrum

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


LABELLED = sorted(SPECS.keys() - {"none"})
LABELS = {"digit": DIGIT, "traits": TRAITS, "pose": POSE}


def make(name: str, settings: dict[str, Any] | None = None, **condition: Field):
    spec = SPECS[name]
    problem = Problem(output=IMAGE, condition=condition)
    return pkgutil.resolve_name(spec.factory)(spec.settings(**(settings or {})), problem)


def test_no_conditioning_carries_nothing_and_the_others_every_kind_of_label():
    kinds = {name: set(spec.carries) for name, spec in SPECS.items()}
    assert kinds == {"none": set()} | {name: {"class", "multilabel", "vector"} for name in LABELLED}
    assert LABELLED == [
        "auxiliary-classifier",
        "concat",
        "conditional-batch-norm",
        "embedding",
        "hidden",
        "projection",
    ]


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
@pytest.mark.parametrize("name", LABELLED)
def test_data_without_labels_is_refused_in_one_sentence(name, condition):
    with pytest.raises(ConfigError, match=rf"^conditioning '{name}' got data without labels .* --conditioning none$"):
        make(name, **condition)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("embedding", {"dim": 0}), ("auxiliary-classifier", {"weight": 0.0}), ("hidden", {"dropout": 1})],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(ConfigError, match=f"^conditioning '{name}' got"):
        make(name, settings, label=DIGIT)


def test_an_embedding_is_a_row_a_class_a_sum_of_many_labels_and_a_multiple_of_values():
    encoder = make("embedding", {"dim": 4}, **LABELS).encoder("generator")
    encoder.reset_parameters()
    table = encoder.table.weight.T  # digits, pose, traits: the order of the names
    code = encoder(
        {"digit": torch.tensor([2]), "traits": torch.tensor([[1.0, 1.0]]), "pose": torch.tensor([[0.5, -2.0]])}
    )
    expected = table[2] + 0.5 * table[3] - 2.0 * table[4] + table[5] + table[6]
    torch.testing.assert_close(code[0], expected)


@pytest.mark.parametrize("operation", ["linear", "conv", "conv_transpose"])
def test_conditional_batch_norm_is_the_norm_without_a_gain_then_the_labels_own(operation):
    scheme = make("conditional-batch-norm", label=DIGIT)
    block = scheme.block(BlockSpec(operation=operation, in_channels=2, out_channels=4, role="generator"))
    x = torch.randn((5, 2) if operation == "linear" else (5, 2, 8, 8))
    code = scheme.encoder("generator")({"label": torch.tensor([0, 1, 2, 1, 0])})
    nn.init.normal_(block.gain.weight)
    nn.init.normal_(block.shift.weight)
    y = block.normed[0](x)
    y = F.batch_norm(y, None, None, training=True)
    each = (5, 4, *(1,) * (y.dim() - 2))
    expected = F.relu(block.gain(code).view(each) * y + block.shift(code).view(each))
    torch.testing.assert_close(block(x, code), expected)


def test_conditional_batch_norm_begins_as_the_plain_block():
    scheme = make("conditional-batch-norm", label=DIGIT)
    block = scheme.block(BlockSpec(operation="conv", in_channels=2, out_channels=4, role="generator"))
    block.reset_parameters()
    x, code = torch.randn(3, 2, 8, 8), torch.eye(3)
    torch.testing.assert_close(block(x, code), F.relu(block.normed(x)))


def test_conditional_batch_norm_keeps_pieces_and_dropout_behind_it():
    scheme = make("conditional-batch-norm", label=DIGIT)
    spec = BlockSpec(operation="linear", in_channels=2, out_channels=4, activation="maxout", pieces=3, dropout=0.25)
    block = scheme.block(spec)
    assert block(torch.randn(6, 2), torch.zeros(6, 3)).shape == (6, 4)
    assert [type(layer).__name__ for layer in block.finish] == ["Maxout", "Dropout"]
    assert block.gain.out_features == 12


def test_the_projecting_head_adds_the_inner_product_with_the_labels_embedding():
    head = make("projection", label=DIGIT).head(5)
    features = torch.randn(3, 5)
    (logits,) = head(features, torch.eye(3)).logits
    embeddings = head.embedding.weight.T
    torch.testing.assert_close(logits, head.linear(features)[:, 0] + (embeddings * features).sum(1))


def test_the_classifiers_guesses_cost_what_their_kind_says():
    head = make("auxiliary-classifier", {"weight": 0.5}, **LABELS).head(6)
    condition = {
        "digit": torch.tensor([2, 0]),
        "traits": torch.tensor([[0.0, 1.0], [1.0, 1.0]]),
        "pose": torch.tensor([[0.5, -2.0], [0.0, 3.0]]),
    }
    code = make("auxiliary-classifier", **LABELS).encoder("critic")(condition)
    features = torch.randn(2, 6)
    critique = head(features, code)
    assert {name: tuple(guess.shape) for name, guess in critique.aux.items()} == {
        "digit": (2, 3),
        "pose": (2, 2),
        "traits": (2, 2),
    }
    expected = {
        "digit_error": F.cross_entropy(critique.aux["digit"], condition["digit"]),
        "pose_error": F.mse_loss(critique.aux["pose"], condition["pose"]),
        "traits_error": F.binary_cross_entropy_with_logits(critique.aux["traits"], condition["traits"]),
    }
    assert critique.losses.keys() == expected.keys()
    for name, error in expected.items():
        torch.testing.assert_close(critique.losses[name], 0.5 * error)
    changed = head(features, code.flip(0))
    torch.testing.assert_close(changed.logits, critique.logits)


def test_a_critic_that_guesses_or_projects_sees_the_label_in_its_head_alone():
    for name in ("projection", "auxiliary-classifier"):
        scheme = make(name, label=DIGIT)
        block = scheme.block(BlockSpec(operation="conv", in_channels=2, out_channels=4, role="critic")).eval()
        x = torch.randn(3, 2, 8, 8)
        torch.testing.assert_close(block(x, torch.eye(3)), block(x, torch.eye(3).flip(0)))


class _Network(nn.Module):
    """A network of one block, and of a head where it is a critic's."""

    def __init__(self, scheme, role: str, **spec: Any) -> None:
        super().__init__()
        self.encoder = scheme.encoder(role)
        self.block = scheme.block(BlockSpec(operation="linear", in_channels=4, out_channels=4, role=role, **spec))
        self.head = scheme.head(4) if role == "critic" else None


@pytest.mark.parametrize(
    ("name", "settings", "spec", "refused"),
    [
        ("concat", {}, {}, None),
        ("concat", {"layers": "entry"}, {"entry": True}, None),
        ("concat", {"layers": "entry"}, {}, "conditioning.layers=every"),
        ("embedding", {"layers": "entry"}, {}, "conditioning.layers=every"),
        ("hidden", {}, {}, "--conditioning concat"),
        ("conditional-batch-norm", {}, {"norm": False}, "--conditioning concat"),
        ("projection", {"generator": "batch-norm"}, {"norm": False}, "conditioning.generator=concat"),
        ("projection", {}, {"norm": False}, None),
        ("auxiliary-classifier", {"generator": "batch-norm"}, {"norm": False}, "conditioning.generator=concat"),
        ("auxiliary-classifier", {}, {"norm": False}, None),
    ],
)
def test_networks_that_labels_would_not_steer_are_refused_with_a_remedy(name, settings, spec, refused):
    scheme = make(name, settings, label=DIGIT)
    networks = {role: _Network(scheme, role, **spec) for role in ("generator", "critic")}
    if refused is None:
        scheme.complete(networks)
        return
    with pytest.raises(
        ConfigError, match=f"^conditioning '{name}' finds no place for labels in the generator .*{refused}"
    ):
        scheme.complete(networks)


def test_completion_leaves_a_network_alone_that_asked_for_no_labels():
    extractor = nn.Linear(3, 3)
    before = extractor.weight.clone()
    make("hidden", label=DIGIT).complete({"extractor": extractor})
    assert torch.equal(extractor.weight, before)


def test_completion_gives_the_schemes_own_layers_their_weights_also_under_spectral_normalisation():
    scheme = make("projection", label=DIGIT)
    critic = _Network(scheme, "critic")
    for parameter in critic.parameters():
        nn.init.zeros_(parameter)
    normalise_spectrum(critic)
    scheme.complete({"critic": critic})
    embedding = critic.eval().head.embedding
    assert embedding.parametrizations.weight.original.std().item() == pytest.approx(0.5, rel=0.5)
    assert torch.linalg.matrix_norm(embedding.weight, 2).item() == pytest.approx(1.0, abs=0.05)
    assert (critic.head.linear.parametrizations.weight.original == 0).all()
