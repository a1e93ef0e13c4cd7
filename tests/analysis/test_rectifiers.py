"""The rules at rectifiers: against torch's gradient, and against transposed layers one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.analysis.rectifiers import rectifiers, response_gradient
from genframe_kernels import ConvBlock


class Net(nn.Module):
    """Convolution, rectifier, pooling with switches, strided convolution, BatchNorm, leaky rectifier."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.second = nn.Conv2d(4, 5, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(5)
        nn.init.normal_(self.norm.weight)
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0)
        self.last = nn.LeakyReLU(0.2)
        self.eval()

    def forward(self, images: Tensor, condition: object) -> Tensor:
        x, self.switches = self.pool(F.relu(self.first(images)))
        return self.last(self.norm(self.second(x)))


IMAGES = torch.randn(3, 2, 12, 9, generator=torch.Generator().manual_seed(0))


def one_hot(output: Tensor) -> Tensor:
    """The strongest number of map 1 of each picture, all else zero."""
    kept = torch.zeros_like(output)
    flat, source = kept.view(len(output), output.shape[1], -1), output.flatten(2)
    places = source[:, 1].argmax(1)
    flat[torch.arange(len(output)), 1, places] = source[torch.arange(len(output)), 1, places]
    return kept


def down(net: Net, rule: str) -> Tensor:
    return response_gradient(net, net.last, IMAGES, {}, one_hot, rule)


def test_the_plain_rule_is_torchs_gradient():
    net = Net()
    images = IMAGES.clone().requires_grad_()
    output = net(images, {})
    (expected,) = torch.autograd.grad(output, images, one_hot(output.detach()))
    torch.testing.assert_close(down(net, "gradient"), expected)


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_the_other_rules_are_the_transposed_layers_one_after_the_other(rule):
    net = Net()
    with torch.no_grad():
        output = net(IMAGES, {})
        before_last = net.norm(net.second(net.pool(F.relu(net.first(IMAGES)))[0]))
        before_first = net.first(IMAGES)
        signal = one_hot(output).clamp(min=0)
        if rule == "guided":
            signal = signal * (before_last > 0)
        scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
        signal = F.conv_transpose2d(
            signal * scale[:, None, None], net.second.weight, stride=2, padding=1, output_padding=(0, 0)
        )
        signal = F.pad(signal, (0, 4 - signal.shape[3], 0, 6 - signal.shape[2]))
        signal = F.max_unpool2d(signal, net.switches, 2, output_size=(12, 9)).clamp(min=0)
        if rule == "guided":
            signal = signal * (before_first > 0)
        expected = F.conv_transpose2d(signal, net.first.weight, padding=1)
    found = down(net, rule)
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 0


def test_a_fused_block_has_the_rule_too():
    torch.manual_seed(0)
    block = ConvBlock(2, 4, norm=True, activation="leaky_relu").eval()
    nn.init.normal_(block.norm.weight)
    plain = nn.Sequential(*block)
    images = IMAGES[:, :, :8, :8]

    def of(network: nn.Module) -> Tensor:
        return response_gradient(lambda x, _: network(x), network, images, {}, lambda y: torch.ones_like(y), "guided")

    torch.testing.assert_close(of(block), of(plain))


def test_outside_the_rule_nothing_has_changed():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with rectifiers("deconvnet"):
        inside = F.relu(x, inplace=False)
    outside = F.relu(x)
    signal = torch.tensor([1.0, -1.0])
    assert torch.autograd.grad(inside, x, signal)[0].tolist() == [1.0, 0.0]
    assert torch.autograd.grad(outside, x, signal)[0].tolist() == [0.0, -1.0]


def test_in_place_rectifiers_are_caught_and_values_are_the_same():
    x = torch.randn(50, generator=torch.Generator().manual_seed(1))
    with rectifiers("guided"):
        assert torch.equal(nn.ReLU(inplace=True)(x.clone()), x.clamp(min=0))
        assert torch.equal(torch.relu_(x.clone()), x.clamp(min=0))
        assert torch.equal(nn.LeakyReLU(0.3)(x), torch.where(x > 0, x, 0.3 * x))
