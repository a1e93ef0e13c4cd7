"""The blocks, against ``nn.Sequential`` of plain layers over the concatenated input."""

import copy

import pytest
import torch
from torch import Tensor, nn

from genframe.interfaces import BlockSpec
from genframe_kernels import ConvBlock, ConvTransposeBlock, LinearBlock, block

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.3),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "none": nn.Identity(),
}
GEOMETRY = {"kernel": (5, 4), "stride": (2, 3), "padding": (2, 1), "output_padding": (1, 2)}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def plain(spec: BlockSpec, labels: int) -> nn.Sequential:
    channels = (spec.in_channels + labels, spec.out_channels)
    operation = {
        "linear": lambda: nn.Linear(*channels, bias=not spec.norm),
        "conv": lambda: nn.Conv2d(*channels, (5, 4), (2, 3), (2, 1), bias=not spec.norm),
        "conv_transpose": lambda: nn.ConvTranspose2d(*channels, (5, 4), (2, 3), (2, 1), (1, 2), bias=not spec.norm),
    }[spec.operation]()
    norm = nn.BatchNorm1d if spec.operation == "linear" else nn.BatchNorm2d
    return nn.Sequential(operation, *([norm(spec.out_channels)] if spec.norm else []), ACTIVATIONS[spec.activation])


def inputs(spec: BlockSpec, labels: int) -> tuple[Tensor, Tensor | None, Tensor]:
    """x, the labels, and their concatenation."""
    shape = (4, spec.in_channels) if spec.operation == "linear" else (4, spec.in_channels, 7, 9)
    x = torch.randn(shape, dtype=torch.float64)
    if not labels:
        return x, None, x
    y = torch.randn(4, labels, dtype=torch.float64)
    maps = y.reshape(4, labels, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
    return x, y, torch.cat((x, maps), dim=1)


@pytest.mark.parametrize("labels", [0, 3])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("operation", ["linear", "conv", "conv_transpose"])
def test_a_block_is_the_plain_layers_in_parameters_outputs_and_running_statistics(operation, activation, norm, labels):
    spec = BlockSpec(
        operation=operation, in_channels=5, out_channels=6, norm=norm, activation=activation, slope=0.3, **GEOMETRY
    )
    ours, oracle = block(spec, labels).double(), plain(spec, labels).double()
    shapes = {key: value.shape for key, value in oracle.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes
    ours.load_state_dict(oracle.state_dict())
    for mode in (True, False):  # the second pass uses the statistics of the first
        x, y, both = inputs(spec, labels)
        torch.testing.assert_close(ours.train(mode)(x, y), oracle.train(mode)(both), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.state_dict(), oracle.state_dict(), rtol=1e-12, atol=1e-12)


def test_the_keys_of_a_checkpoint_are_those_of_a_sequence():
    assert list(ConvTransposeBlock(3, 4).state_dict()) == [
        "0.weight",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    ]
    assert list(ConvBlock(3, 4, norm=False).state_dict()) == ["0.weight", "0.bias"]


@pytest.mark.parametrize(
    ("made", "described"),
    [
        (LinearBlock(2, 3, labels=4), BlockSpec(operation="linear", in_channels=2, out_channels=3)),
        (ConvBlock(2, 3, labels=4), BlockSpec(operation="conv", in_channels=2, out_channels=3)),
        (ConvTransposeBlock(2, 3, labels=4), BlockSpec(operation="conv_transpose", in_channels=2, out_channels=3)),
    ],
)
def test_the_defaults_of_a_block_are_those_of_its_description(made, described):
    assert repr(made) == repr(block(described, labels=4))


@pytest.mark.parametrize(("labels", "given"), [(0, 3), (3, None), (3, 2)])
def test_labels_that_do_not_fit_are_refused(labels, given):
    made = LinearBlock(2, 3, labels=labels)
    with pytest.raises(ValueError, match=f"takes {labels} numbers of label a sample and got {given or 0}"):
        made(torch.zeros(4, 2), None if given is None else torch.zeros(4, given))


def test_a_copy_of_a_block_is_independent_and_equal():
    made = ConvTransposeBlock(2, 3, labels=4)
    copied = copy.deepcopy(made)
    x, y = torch.randn(2, 2, 4, 4), torch.randn(2, 4)
    assert torch.equal(made.eval()(x, y), copied.eval()(x, y))
    nn.init.zeros_(copied[0].weight)
    assert made[0].weight.count_nonzero() > 0


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"norm": True, "bias": True}, {"0.weight", "0.bias", "1.weight", "1.bias"}),
        ({"norm": False, "bias": False}, {"0.weight"}),
        ({"norm": True, "affine": False}, {"0.weight"}),
    ],
)
@pytest.mark.parametrize("operation", ["linear", "conv", "conv_transpose"])
def test_biases_and_gains_are_there_where_they_are_asked_for(operation, changes, keys):
    made = block(BlockSpec(operation=operation, in_channels=2, out_channels=3, **changes))
    assert {name for name, _ in made.named_parameters()} == keys


def test_the_norm_adds_eps_to_the_variance():
    made = block(BlockSpec(operation="linear", in_channels=1, out_channels=1, activation="none", eps=3.0))
    torch.nn.init.ones_(made[0].weight)
    x = torch.tensor([[-1.0], [1.0]])
    torch.testing.assert_close(made(x), x / 2)


@pytest.mark.parametrize("operation", ["linear", "conv"])
def test_maxout_is_the_largest_of_neighbouring_pieces(operation):
    spec = BlockSpec(
        operation=operation, in_channels=2, out_channels=3, norm=False, activation="maxout", pieces=4, kernel=(4, 4)
    )
    made = block(spec)
    assert made[0].weight.shape[0] == 12
    x = torch.randn((5, 2) if operation == "linear" else (5, 2, 8, 8))
    pieces = made[0](x)
    expected = torch.stack([pieces[:, 4 * unit : 4 * unit + 4].amax(1) for unit in range(3)], dim=1)
    torch.testing.assert_close(made(x), expected)


def test_dropout_follows_the_activation_in_training_only():
    made = block(BlockSpec(operation="linear", in_channels=8, out_channels=1000, norm=False, dropout=0.25))
    x = torch.randn(1, 8)
    whole = made.eval()(x)
    torch.testing.assert_close(whole, made[0](x).relu())
    dropped = made.train()(x)
    active = whole > 0
    assert 0.2 < (dropped[active] == 0).double().mean().item() < 0.3
    torch.testing.assert_close(dropped[dropped > 0], whole[dropped > 0] / 0.75)


def test_pieces_without_maxout_are_refused():
    with pytest.raises(ValueError, match="pieces are of the activation 'maxout'"):
        LinearBlock(2, 2, pieces=3)
