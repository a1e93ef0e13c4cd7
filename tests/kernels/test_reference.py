"""The operators with labels, against the plain layer over the concatenated input."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels import conv, conv_transpose, flatten, linear

#: kernel, stride, padding, output_padding, input size
TRANSPOSED = [
    ((4, 4), (2, 2), (1, 1), (0, 0), (4, 4)),
    ((4, 4), (2, 2), (1, 1), (1, 0), (3, 7)),
    ((3, 3), (2, 2), (1, 1), (1, 1), (5, 2)),
    ((5, 5), (2, 2), (2, 2), (1, 1), (7, 7)),
    ((5, 3), (3, 2), (1, 0), (2, 1), (3, 4)),
    ((2, 4), (1, 1), (0, 0), (0, 0), (2, 3)),
    ((3, 5), (1, 1), (0, 0), (0, 0), (1, 1)),
]
STRIDED = [
    ((4, 4), (2, 2), (1, 1), (8, 8)),
    ((4, 4), (2, 2), (1, 1), (9, 7)),
    ((3, 3), (2, 2), (1, 1), (5, 12)),
    ((5, 5), (2, 2), (2, 2), (28, 13)),
    ((3, 5), (1, 3), (0, 2), (6, 7)),
    ((2, 2), (2, 2), (0, 0), (5, 4)),
]
LABELS = [1, 3, 10, 40]  # 40 is more than any kernel has taps: the other order of summation
FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def concatenated(x_BCHW: Tensor, labels_BK: Tensor) -> Tensor:
    return torch.cat((x_BCHW, labels_BK[:, :, None, None].expand(-1, -1, *x_BCHW.shape[2:])), dim=1)


def tensors(*shapes: tuple[int, ...], memory_format=torch.contiguous_format) -> list[Tensor]:
    made = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    return [(t.contiguous(memory_format=memory_format) if t.ndim == 4 else t).requires_grad_() for t in made]


def assert_same_values_and_gradients(ours: Tensor, oracle: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(ours, oracle, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(ours)
    pairs = zip(
        torch.autograd.grad((ours * weights).sum(), leaves),
        torch.autograd.grad((oracle * weights).sum(), leaves),
        strict=True,
    )
    for got, expected in pairs:
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("kernel", "stride", "padding", "extra", "size"), TRANSPOSED)
def test_a_transposed_convolution_with_labels_is_that_of_the_concatenation(
    kernel, stride, padding, extra, size, labels, memory_format
):
    leaves = tensors((3, 5, *size), (5 + labels, 6, *kernel), (6,), (3, labels), memory_format=memory_format)
    x, weight, bias, y = leaves
    ours = conv_transpose(x, weight, bias, y, stride=stride, padding=padding, output_padding=extra)
    oracle = F.conv_transpose2d(concatenated(x, y), weight, bias, stride, padding, extra)
    assert_same_values_and_gradients(ours, oracle, leaves)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), STRIDED)
def test_a_convolution_with_labels_is_that_of_the_concatenation(kernel, stride, padding, size, labels, memory_format):
    leaves = tensors((3, 5, *size), (6, 5 + labels, *kernel), (6,), (3, labels), memory_format=memory_format)
    x, weight, bias, y = leaves
    ours = conv(x, weight, bias, y, stride=stride, padding=padding)
    oracle = F.conv2d(concatenated(x, y), weight, bias, stride, padding)
    assert_same_values_and_gradients(ours, oracle, leaves)


@pytest.mark.parametrize("labels", LABELS)
def test_a_linear_layer_with_labels_is_that_of_the_concatenation(labels):
    leaves = tensors((3, 5), (6, 5 + labels), (6,), (3, labels))
    x, weight, bias, y = leaves
    oracle = F.linear(torch.cat((x, y), dim=1), weight, bias)
    assert_same_values_and_gradients(linear(x, weight, bias, y), oracle, leaves)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("kernel", "stride", "padding", "extra", "size"), TRANSPOSED)
def test_without_labels_the_transposed_convolution_is_the_plain_one(
    kernel, stride, padding, extra, size, memory_format
):
    leaves = tensors((3, 5, *size), (5, 6, *kernel), (6,), memory_format=memory_format)
    ours = conv_transpose(*leaves, stride=stride, padding=padding, output_padding=extra)
    assert_same_values_and_gradients(ours, F.conv_transpose2d(*leaves, stride, padding, extra), leaves)


def test_without_labels_the_other_operators_are_the_plain_ones():
    x, weight, bias = tensors((2, 3, 9, 8), (4, 3, 4, 4), (4,))
    assert torch.equal(conv(x, weight, bias, stride=(2, 2), padding=(1, 1)), F.conv2d(x, weight, bias, 2, 1))
    x, weight, bias = tensors((2, 3), (4, 3), (4,))
    assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))


@pytest.mark.parametrize("labels", [2, 10])  # of 3x3 = 9 taps: both orders of summation
@pytest.mark.parametrize("memory_format", FORMATS)
def test_every_operator_can_be_differentiated_twice(labels, memory_format):
    geometry = {"stride": (2, 2), "padding": (1, 1)}
    shapes = {
        conv: ((1, 2, 4, 3), (2, 2 + labels, 3, 3)),
        conv_transpose: ((1, 2, 2, 3), (2 + labels, 2, 3, 3)),
    }
    for operator, (of_x, of_weight) in shapes.items():
        leaves = tensors(of_x, of_weight, (2,), (1, labels), memory_format=memory_format)
        assert torch.autograd.gradgradcheck(lambda *given, run=operator: run(*given, **geometry), leaves)
    assert torch.autograd.gradgradcheck(linear, tensors((2, 3), (2, 3 + labels), (2,), (2, labels)))


@pytest.mark.parametrize("labels", [0, 3, 40])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_memory_format_of_the_input_is_kept(labels, memory_format):
    x, down, up, y = tensors(
        (2, 5, 8, 6), (7, 5 + labels, 4, 4), (5 + labels, 7, 4, 4), (2, labels), memory_format=memory_format
    )
    given = y if labels else None
    outputs = [
        conv(x, down, None, given, stride=(2, 2), padding=(1, 1)),
        conv_transpose(x, up, None, given, stride=(2, 2), padding=(1, 1)),
    ]
    assert all(output.is_contiguous(memory_format=memory_format) for output in outputs)


def test_a_projection_of_noise_takes_the_memory_format_of_its_weight():
    noise, weight, y = tensors((2, 5, 1, 1), (8, 6, 4, 4), (2, 3), memory_format=torch.channels_last)
    output = conv_transpose(noise, weight, None, y, stride=(1, 1), padding=(0, 0))
    assert output.is_contiguous(memory_format=torch.channels_last)


def test_under_autocast_the_result_is_bfloat16_and_close():
    x, down, up, y = (t.detach().float() for t in tensors((4, 6, 8, 8), (5, 9, 4, 4), (9, 5, 4, 4), (4, 3)))
    for operator, weight in ((conv, down), (conv_transpose, up)):
        exact = operator(x, weight, None, y, stride=(2, 2), padding=(1, 1))
        with torch.autocast("cpu", torch.bfloat16):
            rough = operator(x, weight, None, y, stride=(2, 2), padding=(1, 1))
        assert rough.dtype == torch.bfloat16
        assert (rough.float() - exact).norm() < 1e-2 * exact.norm()


def test_a_thousand_labels_need_no_table_of_a_thousand_maps():
    labels, size, channels = 1000, 32, 8
    x, weight, y = tensors((2, 4, size // 2, size // 2), (4 + labels, channels, 4, 4), (2, labels))
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        conv_transpose(x, weight, None, y, stride=(2, 2), padding=(1, 1))
    assert max(kept) <= weight.numel() < labels * channels * size**2 / 10


def test_the_package_imports_nothing_of_genframe():
    code = "import sys, genframe_kernels; print([m for m in sys.modules if m.partition('.')[0] == 'genframe'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("labels", [0, 3])
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("kernel", "padding", "end"), [((5, 5), (1, 1), (2, 2)), ((3, 4), (0, 1), (1, 1))])
def test_more_padding_at_the_end_is_zeros_added_before_a_convolution(kernel, padding, end, memory_format, labels):
    x, weight = tensors((2, 3, 8, 7), (4, 3 + labels, *kernel), memory_format=memory_format)
    y = torch.randn(2, labels, dtype=torch.float64) if labels else None
    whole = x if y is None else concatenated(x, y)
    pads = (padding[1], end[1], padding[0], end[0])
    ours = conv(x, weight, None, y, stride=(2, 2), padding=padding, end_padding=end)
    assert_same_values_and_gradients(ours, F.conv2d(F.pad(whole, pads), weight, None, 2), [x, weight])


@pytest.mark.parametrize("labels", [0, 3])
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("kernel", "padding", "end"), [((5, 5), (1, 1), (2, 2)), ((3, 4), (0, 1), (1, 1))])
def test_more_padding_at_the_end_is_rows_cut_behind_a_transposed_one(kernel, padding, end, memory_format, labels):
    x, weight = tensors((2, 3, 4, 5), (3 + labels, 2, *kernel), memory_format=memory_format)
    y = torch.randn(2, labels, dtype=torch.float64) if labels else None
    whole = F.conv_transpose2d(x if y is None else concatenated(x, y), weight, None, 2)
    cut = whole[:, :, padding[0] : whole.shape[2] - end[0], padding[1] : whole.shape[3] - end[1]]
    ours = conv_transpose(x, weight, None, y, stride=(2, 2), padding=padding, end_padding=end)
    assert_same_values_and_gradients(ours, cut, [x, weight])


@pytest.mark.parametrize("memory_format", FORMATS)
def test_a_flattened_picture_has_plain_order_and_its_gradient_the_pictures_layout(memory_format):
    (x,) = tensors((2, 3, 4, 5), memory_format=memory_format)
    inner = x * 1.0
    gradients: list[Tensor] = []
    inner.register_hook(gradients.append)
    flat, weights = flatten(inner), torch.randn(2, 60, dtype=torch.float64)
    assert torch.equal(flat, torch.flatten(x, 1))
    (flat * weights).sum().backward()
    assert torch.equal(x.grad, weights.view(2, 3, 4, 5))
    assert gradients[0].is_contiguous(memory_format=memory_format)
    assert torch.autograd.gradcheck(flatten, (x,))
    assert torch.autograd.gradgradcheck(flatten, (x,))
