"""The kernels as operators of PyTorch: shapes for the compiler, gradients, and gradients of gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels import ConvTransposeBlock, use_backend
from genframe_kernels.testing import relative_error

pytest.importorskip("triton", reason="the operators launch Triton kernels")
from genframe_kernels.triton import interpreted, operators

DEVICE = "cpu" if interpreted() else "cuda"
GEOMETRIES = {
    "transposed": ((2, 2), (1, 1), (8, 10), True),
    "transposed, output padding": ((2, 2), (1, 1), (9, 10), True),
    "transposed, cut": ((2, 2), (1, 1), (8, 9), True),
    "strided": ((2, 2), (1, 1), (2, 2), False),
    "strided, padded at the end": ((2, 2), (1, 1), (3, 3), False),
    "strided, cut": ((1, 1), (2, 2), (3, 4), False),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape, device=DEVICE, requires_grad=True)


def penalty(z: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """What a gradient penalty differentiates: the size of the gradients of a nonlinear function of z."""
    found = torch.autograd.grad(z.pow(3).sum(), inputs, create_graph=True)
    return torch.stack([gradient.square().sum() for gradient in found]).sum()


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("norm", [True, False])
def test_first_and_second_derivatives_are_those_of_plain_pytorch(name, norm):
    stride, padding, size, transposed = GEOMETRIES[name]
    x, weight = leaf(3, 6, 4, 5), leaf(6, 7, 4, 4) if transposed else leaf(7, 6, 4, 4)
    table, bias, gain, shift = leaf(3, 7, *size), leaf(7), leaf(7), leaf(7)

    def fused(x, weight, table, bias, gain, shift):
        place = (stride, padding, size, transposed)
        if norm:
            return operators.conv_norm_act(
                x, weight, table, None, bias, gain, shift, *place, "leaky_relu", 0.2, 1e-5, "ieee"
            )[0]
        return operators.conv_act(x, weight, table, None, None, bias, *place, "tanh", 0.2, "ieee")

    def plain(x, weight, table, bias, gain, shift):
        if transposed:
            y = F.conv_transpose2d(x, weight, None, stride, padding, (1, 1))
        else:
            y = F.conv2d(F.pad(x, (0, 2, 0, 2)), weight, None, stride, padding)
        y = y[:, :, : size[0], : size[1]] + table + bias[:, None, None]
        return F.leaky_relu(F.batch_norm(y, None, None, gain, shift, True), 0.2) if norm else torch.tanh(y)

    inputs = (x, weight, table, gain, shift) if norm else (x, weight, table, bias)
    every = (x, weight, table, bias, gain, shift)
    exact = tuple(tensor.detach().double().requires_grad_() for tensor in every)
    chosen = tuple(exact[[tensor is each for each in every].index(True)] for tensor in inputs)
    z, expected = fused(*every), plain(*exact)
    assert relative_error(z, expected) < 1e-5
    dz = torch.randn_like(z)
    first = torch.autograd.grad(z, inputs, dz, retain_graph=True)
    for value, truth in zip(first, torch.autograd.grad(expected, chosen, dz.double(), retain_graph=True), strict=True):
        assert relative_error(value, truth) < 2e-5
    second = torch.autograd.grad(penalty(z, inputs), inputs)
    for value, truth in zip(second, torch.autograd.grad(penalty(expected, chosen), chosen), strict=True):
        assert relative_error(value, truth) < 1e-3


def test_the_rows_of_a_table_share_its_gradient_in_one_fixed_order():
    x, weight, table = leaf(5, 3, 4, 4), leaf(3, 4, 4, 4), leaf(2, 4, 8, 8)
    rows = torch.tensor([0, 1, 1, 0, 1], device=DEVICE)

    def gradient() -> Tensor:
        z = operators.conv_act(x, weight, table, rows, None, None, (2, 2), (1, 1), (8, 8), True, "sigmoid", 0.2, "ieee")
        return torch.autograd.grad(z.square().sum(), table)[0]

    exact = [tensor.detach().double().requires_grad_() for tensor in (x, weight, table)]
    z = torch.sigmoid(F.conv_transpose2d(exact[0], exact[1], None, 2, 1) + exact[2][rows])
    assert relative_error(gradient(), torch.autograd.grad(z.square().sum(), exact[2])[0]) < 1e-5
    assert all(torch.equal(gradient(), gradient()) for _ in range(3))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "none"])
def test_every_operator_keeps_what_pytorch_asks_of_one(activation):
    x, weight, gain, shift = leaf(3, 6, 4, 5), leaf(7, 6, 4, 4), leaf(7), leaf(7)
    place = ((2, 2), (1, 1), (2, 2), False)
    act = (activation, 0.2)
    torch.library.opcheck(operators.conv_act, (x, weight, None, None, None, shift, *place, *act, "ieee"))
    torch.library.opcheck(
        operators.conv_norm_act, (x, weight, None, None, None, gain, shift, *place, *act, 1e-5, "ieee")
    )
    torch.library.opcheck(operators.norm_act, (leaf(3, 7, 4, 5), gain, shift, *act, 1e-5))
    torch.library.opcheck(operators.norm_act, (leaf(9, 7), None, None, *act, 1e-5))


def test_a_folded_norm_has_no_gradient_and_says_so():
    with pytest.raises(RuntimeError, match="folded"):
        operators.conv_act(
            leaf(2, 3, 4, 4), leaf(3, 4, 4, 4), None, None, torch.ones(4, device=DEVICE), None,
            (2, 2), (1, 1), (8, 8), True, "relu", 0.2, "ieee",
        )  # fmt: skip


@pytest.mark.parametrize("backend", ["torch", "triton", "hybrid"])
def test_a_block_compiles_as_one_graph_with_its_gradient(backend):
    block = ConvTransposeBlock(5, 6, labels=3).to(DEVICE)
    x, labels = leaf(4, 5, 6, 7), torch.randn(4, 3, device=DEVICE)
    with use_backend(backend):
        expected = torch.autograd.grad(block(x, labels).square().sum(), (x, *block.parameters()))
        compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
        found = torch.autograd.grad(compiled(x, labels).square().sum(), (x, *block.parameters()))
    for value, truth in zip(found, expected, strict=True):
        assert relative_error(value, truth.double()) < 1e-5
