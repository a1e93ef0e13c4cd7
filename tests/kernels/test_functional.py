"""The blocks as functions: what the modules compute, for weights kept anywhere."""

import pytest
import torch

from genframe_kernels import (
    ConvBlock,
    ConvTransposeBlock,
    Norm,
    UnsupportedError,
    conv_block,
    conv_transpose_block,
    use_backend,
)
from genframe_kernels.testing import relative_error

FUNCTIONS = {"conv": (ConvBlock, conv_block), "conv_transpose": (ConvTransposeBlock, conv_transpose_block)}


def norm_of(block) -> Norm | None:
    norm = block.norm
    if norm is None:
        return None
    return Norm(norm.running_mean, norm.running_var, norm.weight, norm.bias, training=norm.training)


@pytest.mark.parametrize("backend", ["torch", "triton"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("with_norm", [True, False])
@pytest.mark.parametrize("operation", FUNCTIONS)
def test_a_function_is_its_module(operation, with_norm, training, backend):
    if backend == "triton":
        pytest.importorskip("triton", reason="the kernels need Triton")
    device = "cuda" if backend == "triton" and torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    make, function = FUNCTIONS[operation]
    block = make(5, 6, labels=2, norm=with_norm, activation="leaky_relu", slope=0.3).to(device).train(training)
    twin = make(5, 6, labels=2, norm=with_norm, activation="leaky_relu", slope=0.3).to(device).train(training)
    twin.load_state_dict(block.state_dict())
    x, labels = torch.randn(3, 5, 6, 4, device=device), torch.randn(3, 2, device=device)
    z = function(
        x,
        block[0].weight,
        block[0].bias,
        labels_BK=labels,
        norm=norm_of(block),
        activation="leaky_relu",
        slope=0.3,
        backend=backend,
    )
    with use_backend("torch"):
        expected = twin(x, labels)
    assert relative_error(z, expected.double()) < (1e-5 if device == "cpu" else 1e-3)
    for ours, theirs in zip(block.buffers(), twin.buffers(), strict=True):
        if ours.is_floating_point():
            assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "none"])
@pytest.mark.parametrize("operation", FUNCTIONS)
def test_first_and_second_derivatives_of_the_torch_path(operation, activation):
    torch.manual_seed(0)
    function = FUNCTIONS[operation][1]
    shape = (3 + 1, 2, 3, 3) if operation == "conv_transpose" else (2, 3 + 1, 3, 3)
    draw = {"dtype": torch.float64, "requires_grad": True}
    x, weight, labels = torch.randn(2, 3, 4, 3, **draw), torch.randn(shape, **draw), torch.randn(2, 1, **draw)
    gain, shift = torch.randn(2, **draw), torch.randn(2, **draw)

    def whole(x, weight, labels, gain, shift):
        norm = Norm(gain=gain, shift=shift)
        return function(x, weight, labels_BK=labels, norm=norm, activation=activation, backend="torch")

    assert torch.autograd.gradcheck(whole, (x, weight, labels, gain, shift))
    assert torch.autograd.gradgradcheck(whole, (x, weight, labels, gain, shift))


@pytest.mark.parametrize(("operation", "shape"), [("conv", (6, 4, 3, 3)), ("conv_transpose", (4, 6, 3, 3))])
def test_a_weight_that_does_not_fit_is_refused(operation, shape):
    with pytest.raises(ValueError, match="grouped convolutions are not served"):
        FUNCTIONS[operation][1](torch.randn(2, 8, 5, 5), torch.randn(shape))


@pytest.mark.parametrize("operation", FUNCTIONS)
def test_an_empty_batch_and_float64_take_the_reference_and_are_refused_by_name(operation):
    pytest.importorskip("triton", reason="the kernels need Triton")
    function = FUNCTIONS[operation][1]
    weight = torch.randn(4, 4, 4, 4)
    assert function(torch.randn(0, 4, 6, 6), weight).shape[:2] == (0, 4)
    assert function(torch.randn(1, 4, 6, 6).double(), weight.double()).dtype == torch.float64
    with pytest.raises(UnsupportedError, match="empty"):
        function(torch.randn(0, 4, 6, 6), weight, backend="triton")
    with pytest.raises(UnsupportedError, match="float64"):
        function(torch.randn(1, 4, 6, 6).double(), weight.double(), backend="triton")
