"""Every kernel through what launches it, against PyTorch in float64: interpreted where no GPU is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from genframe_kernels import reference
from genframe_kernels.calls import Tensors
from genframe_kernels.testing import TOLERANCES, random_call, relative_error

pytest.importorskip("triton", reason="TRITON IS NOT INSTALLED, no kernel is tested: pip install 'genframe[gpu]'")

from genframe_kernels.triton import interpreted, launch
from genframe_kernels.triton.launch import Epilogue, Norm, Parts
from genframe_kernels.triton.packing import packed, packed_thin

Pair = tuple[int, int]

DEVICE = "cpu" if interpreted() else "cuda"
TYPES = [torch.float32, torch.float16, torch.bfloat16]
ACTIVATIONS = ["none", "relu", "leaky_relu", "tanh", "sigmoid"]
SLOPE = 0.3
FENCE = 256  # numbers on each side of a tensor
EXACT = TOLERANCES[torch.float32]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every new tensor is NaN, so that an output nobody wrote is seen, and lies between NaN that nobody may write."""
    strict, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    empty, new_empty, empty_like = torch.empty, Tensor.new_empty, torch.empty_like
    fences: list[Tensor] = []

    def between(made: Tensor) -> Tensor:
        if not made.is_floating_point() or not made.numel() or not made.is_contiguous():
            return made
        buffer = empty(made.numel() + 2 * FENCE, dtype=made.dtype, device=made.device)
        fences.extend((buffer[:FENCE], buffer[-FENCE:]))
        return buffer[FENCE:-FENCE].view(made.shape)

    monkeypatch.setattr(torch, "empty", lambda *shape, **options: between(empty(*shape, **options)))
    monkeypatch.setattr(torch, "empty_like", lambda tensor, **options: between(empty_like(tensor, **options)))
    monkeypatch.setattr(
        Tensor, "new_empty", lambda tensor, *shape, **options: between(new_empty(tensor, *shape, **options))
    )
    assert torch.empty(3, dtype=torch.bfloat16).isnan().all()
    yield
    monkeypatch.undo()
    torch.use_deterministic_algorithms(strict, warn_only=warned)
    torch.utils.deterministic.fill_uninitialized_memory = filled
    assert all(fence.isnan().all() for fence in fences), "a kernel wrote outside its output"


def fenced(tensor: Tensor) -> Tensor:
    """The same values, channels_last if a picture, in memory with NaN before and behind: no copy need be made of it."""
    picture = tensor.dim() == 4
    rows = tensor.permute(0, 2, 3, 1) if picture else tensor
    buffer = torch.full((rows.numel() + 2 * FENCE,), math.nan, dtype=tensor.dtype, device=tensor.device)
    dense = buffer[FENCE:-FENCE].view(rows.shape)
    dense.copy_(rows)
    return dense.permute(0, 3, 1, 2) if picture else dense


def spaced(tensor: Tensor) -> Tensor:
    """The same values, dense in no layout."""
    wide = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), math.nan, dtype=tensor.dtype, device=tensor.device)
    wide[..., ::2] = tensor
    return wide[..., ::2]


def plain(tensor: Tensor) -> Tensor:
    return tensor.contiguous()


LAYOUTS: list[Callable[[Tensor], Tensor]] = [fenced, plain, spaced]


def random(*shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> Tensor:
    return (torch.randn(shape) * scale).to(dtype).to(DEVICE)


def exact(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().double().cpu()


def inputs(
    transposed: bool, batch: int, channels: int, outputs: int, size: Pair, kernel: Pair, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """x, and a weight that leaves sums of about 1."""
    order = (channels, outputs) if transposed else (outputs, channels)
    weight = random(*order, *kernel, dtype=dtype, scale=(channels * math.prod(kernel)) ** -0.5)
    return random(batch, channels, *size, dtype=dtype), weight


def convolution(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair, transposed: bool) -> Tensor:
    """In float64, of whatever output size."""
    x, weight = x.double().cpu(), weight.double().cpu()
    (top, left), (height, width) = padding, size
    if transposed:
        whole = F.pad(F.conv_transpose2d(x, weight, None, stride), (0, left + width, 0, top + height))
        return whole[:, :, top : top + height, left : left + width]
    rows = (height - 1) * stride[0] + weight.shape[2] - x.shape[2] - top
    columns = (width - 1) * stride[1] + weight.shape[3] - x.shape[3] - left
    return F.conv2d(F.pad(x, (left, columns, top, rows)), weight, None, stride)


def finished(sums: Tensor, epilogue: Epilogue) -> tuple[Tensor, Tensor]:
    """What the epilogue makes of them, before the activation and behind it."""
    table, scale, shift = map(exact, (epilogue.table, epilogue.scale, epilogue.shift))
    if table is not None:
        sums = sums + (table if epilogue.rows is None else table[epilogue.rows.cpu()])
    if scale is not None:
        sums = sums * scale[:, None, None]
    if shift is not None:
        sums = sums + shift[:, None, None]
    return sums, reference.activated(sums, epilogue.activation, epilogue.slope)


def moments(y: Tensor) -> tuple[Tensor, Tensor]:
    axes = (0, 2, 3) if y.dim() == 4 else (0,)
    return y.mean(axes), y.var(axes, unbiased=False)


def assert_parts(parts: Parts | None, y: Tensor) -> None:
    """They merge to the mean and the biased variance of y."""
    assert parts is not None
    mean, variance = moments(y)
    assert int(parts.counts.sum()) * parts.repeat == y.numel() // y.shape[1]
    merged_mean, merged_variance = launch.merge(parts)
    assert merged_mean.dtype == merged_variance.dtype == torch.float32
    assert ((exact(merged_mean) - mean).abs() <= EXACT * variance.sqrt() + 1e-6 * mean.abs()).all()
    assert relative_error(merged_variance, variance) < 1e-4


# Convolutions


@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
@pytest.mark.parametrize("seed", range(15))
def test_any_convolution_is_that_of_pytorch(seed, operation):
    dtype, layout = TYPES[seed % 3], LAYOUTS[seed // 3 % 3]
    call = random_call(seed, operation, dtype=dtype)
    transposed = operation == "conv_transpose"
    x, weight = inputs(transposed, call.batch, call.channels, call.outputs, call.size, call.kernel, dtype)
    expected = reference.operation(call, exact(x), Tensors(exact(weight)), None)
    place = (call.stride, call.padding, call.out_size, transposed)
    # The library agrees with the oracle of the other tests.
    assert relative_error(convolution(x, weight, *place), expected) < 1e-12
    precision = "tf32" if seed % 2 else "ieee"
    y, parts = launch.convolve(
        layout(x), layout(weight), *place, Epilogue(), precision, statistics=expected.numel() > call.outputs
    )
    rounded = dtype == torch.float32 and precision == "tf32" and not interpreted()
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert relative_error(y, expected) < TOLERANCES["tf32" if rounded else dtype]
    if parts is not None and not rounded and call.batch * math.prod(call.out_size) > 16:
        assert_parts(parts, expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "natural"),
    [((4, 4), (2, 2), (1, 1), (8, 6)), ((5, 3), (3, 2), (1, 0), (8, 7)), ((1, 2), (3, 3), (0, 1), (10, 6))],
)
@pytest.mark.parametrize("more", [(-3, -1), (-1, 2), (3, -2), (4, 5)])
def test_the_end_padding_of_a_transposed_convolution_follows_from_the_size(kernel, stride, padding, natural, more):
    x, weight = inputs(True, 2, 3, 5, (4, 3), kernel, torch.float32)
    size = (natural[0] + more[0], natural[1] + more[1])
    y, parts = launch.convolve(fenced(x), weight, stride, padding, size, True, Epilogue(), "ieee", statistics=True)
    expected = convolution(x, weight, stride, padding, size, True)
    assert relative_error(y, expected) < EXACT
    assert_parts(parts, expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [((4, 4), (2, 2), (1, 1)), ((5, 3), (1, 3), (0, 2)), ((2, 1), (3, 2), (1, 0))]
)
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 3), (9, 8)])
def test_the_end_padding_of_a_convolution_follows_from_the_size(kernel, stride, padding, size):
    x, weight = inputs(False, 2, 3, 5, (7, 9), kernel, torch.float32)
    y, _ = launch.convolve(fenced(x), fenced(weight), stride, padding, size, False, Epilogue(), "ieee")
    assert relative_error(y, convolution(x, weight, stride, padding, size, False)) < EXACT


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("transposed", "channels", "outputs"), [(False, 70, 67), (True, 70, 67), (False, 1, 1), (True, 2, 3)]
)
def test_more_channels_than_a_tile_and_fewer(transposed, channels, outputs, dtype):
    x, weight = inputs(transposed, 1, channels, outputs, (5, 3), (4, 3), dtype)
    place = ((2, 1), (1, 1), (10, 3) if transposed else (2, 3), transposed)
    y, parts = launch.convolve(fenced(x), fenced(weight), *place, Epilogue(), "ieee", statistics=True)
    expected = convolution(x, weight, *place)
    assert relative_error(y, expected) < TOLERANCES[dtype]
    assert_parts(parts, expected)


@pytest.mark.parametrize("statistics", [False, True])
def test_more_tiles_than_a_group_of_programs(statistics):
    # Ten tiles of 64 rows and two of columns when interpreted; the last group has fewer tiles than the first.
    x, weight = inputs(False, 3, 3, 71, (15, 14), (1, 1), torch.float32)
    place = ((1, 1), (0, 0), (15, 14), False)
    y, parts = launch.convolve(x, weight, *place, Epilogue(), "ieee", statistics=statistics)
    expected = convolution(x, weight, *place)
    assert relative_error(y, expected) < EXACT
    if statistics:
        assert_parts(parts, expected)


EPILOGUES = [
    *((scale, shift, "none", "none") for scale, shift in itertools.product((False, True), repeat=2)),
    *((True, True, table, activation) for table in ("samples", "rows") for activation in ACTIVATIONS),
    (False, True, "rows", "leaky_relu"),
    (False, False, "samples", "tanh"),
]
#: transposed, input size, kernel, stride, padding, output size; the third is the matrix product
LAYERS = [
    (False, (7, 5), (4, 3), (2, 1), (1, 1), (3, 5)),
    (True, (3, 4), (4, 5), (2, 3), (1, 1), (6, 12)),
    (True, (1, 1), (4, 3), (1, 1), (0, 0), (4, 3)),
]


def epilogue_of(
    scale: bool, shift: bool, table: str, activation: str, batch: int, outputs: int, size: Pair, dtype: torch.dtype
) -> Epilogue:
    classes = 7
    return Epilogue(
        None if table == "none" else fenced(random(batch if table == "samples" else classes, outputs, *size).to(dtype)),
        torch.tensor([classes - 1, 0, classes - 1, 3][:batch], device=DEVICE) if table == "rows" else None,
        fenced(random(outputs)) if scale else None,
        fenced(random(outputs)) if shift else None,
        activation,
        SLOPE,
    )


@pytest.mark.parametrize(("scale", "shift", "table", "activation"), EPILOGUES)
@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_the_epilogue_of_a_convolution(layer, scale, shift, table, activation):
    transposed, in_size, kernel, *place = LAYERS[layer]
    dtype = TYPES[(layer + ACTIVATIONS.index(activation)) % 3]
    batch, outputs = 4, 5
    x, weight = inputs(transposed, batch, 11, outputs, in_size, kernel, dtype)
    epilogue = epilogue_of(scale, shift, table, activation, batch, outputs, place[-1], dtype)
    y, parts = launch.convolve(fenced(x), weight, *place, transposed, epilogue, "ieee", statistics=True)
    before, expected = finished(convolution(x, weight, *place, transposed), epilogue)
    assert relative_error(y, expected) < TOLERANCES[dtype]
    assert_parts(parts, before)


@pytest.mark.parametrize("table_layout", LAYOUTS)
def test_a_table_of_any_layout(table_layout):
    x, weight = inputs(False, 2, 3, 5, (4, 4), (3, 3), torch.float32)
    epilogue = Epilogue(table_layout(random(3, 5, 4, 4)), torch.tensor([2, 0], device=DEVICE))
    place = ((1, 1), (1, 1), (4, 4), False)
    y, _ = launch.convolve(x, weight, *place, epilogue, "ieee")
    assert relative_error(y, finished(convolution(x, weight, *place), epilogue)[1]) < EXACT


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_large_numbers_are_finite(activation):
    x, weight = torch.zeros(1, 1, 2, 2, device=DEVICE), torch.zeros(7, 1, 1, 1, device=DEVICE)
    shift = torch.tensor([-1e30, -1e4, -90.0, 0.0, 90.0, 1e4, 1e30], device=DEVICE)
    epilogue = Epilogue(shift=shift, activation=activation, slope=SLOPE)
    y, _ = launch.convolve(x, weight, (1, 1), (0, 0), (2, 2), False, epilogue, "ieee")
    expected = reference.activated(shift.double().cpu(), activation, SLOPE)[None, :, None, None].expand(1, 7, 2, 2)
    torch.testing.assert_close(y.double().cpu(), expected, rtol=1e-6, atol=1e-30)


# The matrix product


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("batch", "channels", "outputs", "size"), [(1, 1, 1, (1, 1)), (3, 100, 23, (4, 4)), (70, 3, 2, (3, 5))]
)
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_a_transposed_convolution_of_single_pixels(batch, channels, outputs, size, stride, dtype):
    x, weight = inputs(True, batch, channels, outputs, (1, 1), size, dtype)
    y, parts = launch.convolve(
        fenced(x), weight, stride, (0, 0), size, True, Epilogue(), "ieee", statistics=batch * math.prod(size) > 1
    )
    expected = convolution(x, weight, stride, (0, 0), size, True)
    assert relative_error(y, expected) < TOLERANCES[dtype]
    assert parts is None or parts.repeat == math.prod(size)
    if parts is not None:
        assert_parts(parts, expected)


@pytest.mark.parametrize(
    ("padding", "size"), [((1, 0), (4, 4)), ((1, 0), (3, 4)), ((0, 0), (4, 5)), ((0, 0), (3, 4)), ((1, 1), (3, 3))]
)
def test_single_pixels_with_padding_or_another_size(padding, size):
    x, weight = inputs(True, 3, 5, 7, (1, 1), (4, 4), torch.float32)
    y, _ = launch.convolve(x, weight, (2, 2), padding, size, True, Epilogue(), "ieee")
    assert relative_error(y, convolution(x, weight, (2, 2), padding, size, True)) < EXACT


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_product_is_a_convolution_of_single_pixels(transposed):
    x, weight = inputs(transposed, 5, 37, 19, (1, 1), (1, 1), torch.float32)
    y, _ = launch.convolve(x, weight, (1, 1), (0, 0), (1, 1), transposed, Epilogue(), "ieee")
    product = exact(x).flatten(1) @ (exact(weight).flatten(1) if transposed else exact(weight).flatten(1).T)
    assert relative_error(y.flatten(1), product) < EXACT


# Statistics


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_a_mean_of_a_thousand_deviations_loses_no_variance_of_a_convolution(layer):
    transposed, in_size, kernel, *place = LAYERS[layer]
    x, weight = inputs(transposed, 20, 11, 5, in_size, kernel, torch.float32)
    sums = convolution(x, weight, *place, transposed)
    epilogue = Epilogue(shift=(1000 * sums.std((0, 2, 3))).float().to(DEVICE))
    _, parts = launch.convolve(x, weight, *place, transposed, epilogue, "ieee", statistics=True)
    assert_parts(parts, finished(sums, epilogue)[0])


SHAPES = [(37, 19), (9, 70), (600, 2), (1, 3, 5, 3), (3, 5, 11, 7), (2, 1, 29, 23), (2, 66, 3, 3)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_are_mean_and_biased_variance(shape, dtype):
    y = random(*shape, dtype=dtype) * 2 + 1
    layout = LAYOUTS[(SHAPES.index(shape) + TYPES.index(dtype)) % 3]
    assert_parts(launch.statistics(layout(y)), exact(y))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mean_of_a_thousand_deviations_loses_no_variance(shape):
    y = random(*shape) + 1000
    assert_parts(launch.statistics(y), exact(y))


def test_parts_of_two_processes_merge_to_the_statistics_of_both():
    first, second = random(600, 5), random(31, 5) * 3 + 2
    one, two = launch.statistics(first), launch.statistics(second)
    joined = Parts(*(torch.cat(pair) for pair in zip(one[:3], two[:3], strict=True)))
    assert_parts(joined, exact(torch.cat((first, second))))


@pytest.mark.parametrize(
    ("parts", "channels", "repeat"), [(1, 1, 1), (7, 3, 1), (600, 11, 1), (603, 9, 3), (16, 2, 16)]
)
def test_parts_merge_by_their_counts(parts, channels, repeat):
    counts = torch.randint(1, 65, (parts // repeat,)).float()
    counts[1::3] = 0  # of a phase without pixels
    means, squares = torch.randn(parts, channels) * 3, torch.rand(parts, channels)
    weights = counts.double().repeat_interleave(repeat)[:, None]
    squares *= (weights > 0).float()
    mean = (weights * means).sum(0) / weights.sum()
    variance = (squares + weights * (means - mean) ** 2).sum(0) / weights.sum()
    found = launch.merge(Parts(*(fenced(part.to(DEVICE)) for part in (counts, means, squares)), repeat))
    assert relative_error(found[0], mean) < EXACT
    assert relative_error(found[1], variance) < EXACT


# The last layer

THIN = {
    "k4 p1": ((4, 4), (1, 1)),
    "k5 p2": ((5, 5), (2, 2)),
    "k3 p1": ((3, 3), (1, 1)),
    "k2 p0": ((2, 2), (0, 0)),
    "uneven": ((4, 5), (1, 2)),
    "uneven too": ((1, 6), (0, 2)),
}


@pytest.mark.parametrize("geometry", THIN)
@pytest.mark.parametrize("outputs", [1, 2, 3, 4])
def test_the_last_layer_is_that_of_pytorch(outputs, geometry):
    kernel, padding = THIN[geometry]
    case = 4 * list(THIN).index(geometry) + outputs - 1
    dtype = TYPES[case % 3]
    batch, channels = 1 + case % 3, (1, 3, 23, 70)[case % 4]
    size = ((7, 3), (3, 13), (1, 1), (5, 6), (2, 17))[case % 5]
    x, weight = inputs(True, batch, channels, outputs, size, kernel, dtype)
    doubled = (2 * size[0], 2 * size[1])
    assert launch.thin_reason(weight, tuple(x.shape[2:]), (2, 2), padding, doubled) is None
    y = launch.convolve_thin(LAYOUTS[case % 3](x), weight, padding, Epilogue(), "ieee")
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert relative_error(y, convolution(x, weight, (2, 2), padding, doubled, True)) < TOLERANCES[dtype]


@pytest.mark.parametrize(("scale", "shift", "table", "activation"), EPILOGUES)
@pytest.mark.parametrize("geometry", ["k4 p1", "k5 p2"])
def test_the_epilogue_of_the_last_layer(geometry, scale, shift, table, activation):
    kernel, padding = THIN[geometry]
    batch, outputs, size, doubled = 4, 3, (3, 5), (6, 10)
    dtype = TYPES[(len(geometry) + ACTIVATIONS.index(activation)) % 3]
    x, weight = inputs(True, batch, 11, outputs, size, kernel, dtype)
    epilogue = epilogue_of(scale, shift, table, activation, batch, outputs, doubled, dtype)
    y = launch.convolve_thin(fenced(x), weight, padding, epilogue, "ieee")
    _, expected = finished(convolution(x, weight, (2, 2), padding, doubled, True), epilogue)
    assert relative_error(y, expected) < TOLERANCES[dtype]


@pytest.mark.parametrize(
    ("outputs", "kernel", "stride", "padding", "size", "width", "reason"),
    [
        (5, (4, 4), (2, 2), (1, 1), (6, 16), 8, "it writes at most 4 channels, here 5"),
        (3, (4, 4), (1, 2), (1, 1), (6, 16), 8, "it doubles the picture with stride 2"),
        (3, (5, 5), (2, 2), (2, 2), (5, 15), 8, "it doubles the picture with stride 2"),
        (3, (7, 7), (2, 2), (3, 3), (6, 16), 8, "its taps reach one pixel to each side"),
        (3, (4, 6), (2, 2), (1, 0), (6, 16), 8, "its taps reach one pixel to each side"),
        (3, (6, 4), (2, 2), (4, 1), (6, 16), 8, "its taps reach one pixel to each side"),
        (3, (4, 4), (2, 2), (1, 1), (6, 514), 257, "its tiles hold rows of at most 256 pixels, here 257"),
        (3, (4, 4), (2, 2), (1, 1), (6, 512), 256, None),
    ],
)
def test_what_the_last_layers_kernel_refuses(outputs, kernel, stride, padding, size, width, reason):
    x, weight = torch.zeros(1, 2, 3, width), torch.zeros(2, outputs, *kernel)
    assert launch.thin_reason(weight, tuple(x.shape[2:]), stride, padding, size) == reason


# BatchNorm and its activation


def norm_of(y: Tensor, activation: str, affine: bool, eps: float = 1e-5) -> Norm:
    channels = y.shape[1]
    gain, shift = (fenced(random(channels) + 0.5), fenced(random(channels))) if affine else (None, None)
    return Norm(*launch.merge(launch.statistics(y)), gain, shift, eps, activation, SLOPE)


def normalised(y: Tensor, norm: Norm) -> tuple[Tensor, list[Tensor]]:
    """In float64, with leaves that have gradients: y, gain and shift, the last two ones and zeros if there are none."""
    ones = torch.ones(y.shape[1], dtype=torch.float64)
    gain, shift = (ones, ones * 0) if norm.gain is None else (exact(norm.gain), exact(norm.shift))
    leaves = [tensor.requires_grad_() for tensor in (exact(y), gain.clone(), shift.clone())]
    z = F.batch_norm(leaves[0], None, None, leaves[1], leaves[2], True, 0.0, norm.eps)
    return reference.activated(z, norm.activation, norm.slope), leaves


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_norm_and_activation_forward_and_backward(activation, affine, dtype):
    # Every other shape: each meets each type, and with the next activation the others come.
    first = (ACTIVATIONS.index(activation) + affine + TYPES.index(dtype)) % 2
    for index, shape in list(enumerate(SHAPES))[first::2]:
        layout, other = LAYOUTS[index % 3], LAYOUTS[(index + 1) % 3]
        y = random(*shape, dtype=dtype) * 2 + 1
        dz = random(*shape, dtype=dtype) + y / 2  # so that no sum of it is near 0
        norm = norm_of(y, activation, affine, eps=0.01)
        expected, leaves = normalised(y, norm)
        z = launch.normalise(layout(y), norm)
        assert z.dtype == dtype
        assert z.dim() == 2 or z.is_contiguous(memory_format=torch.channels_last)
        assert relative_error(z, expected) < TOLERANCES[dtype]
        dy, gain, shift = launch.normalise_backward(other(dz), layout(y), norm)
        assert dy.dtype == dtype
        assert gain.dtype == shift.dtype == torch.float32
        gradients = torch.autograd.grad(expected, leaves, exact(dz))
        assert relative_error(dy, gradients[0]) < TOLERANCES[dtype]
        assert relative_error(gain, gradients[1]) < EXACT
        assert relative_error(shift, gradients[2]) < EXACT


def test_a_gradient_of_another_type_is_taken_in_that_of_the_input():
    y, dz = random(37, 5, dtype=torch.bfloat16), random(37, 5)
    norm = norm_of(y, "leaky_relu", True)
    found, same = (launch.normalise_backward(given, y, norm) for given in (dz, dz.bfloat16()))
    assert all(map(torch.equal, found, same))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_the_derivative_at_zero_is_that_of_pytorch(activation):
    # The mean of each channel is 0 exactly, and so are the normalised zeros.
    y = torch.tensor([-1.0, 0.0, 0.0, 1.0, 2.0, -2.0], device=DEVICE)[:, None].repeat(1, 3)
    dz = random(6, 3)
    norm = norm_of(y, activation, False)
    expected, leaves = normalised(y, norm)
    (gradient,) = torch.autograd.grad(expected, leaves[:1], exact(dz))
    assert relative_error(launch.normalise_backward(dz, y, norm)[0], gradient) < EXACT


def test_the_norm_takes_any_mean_and_variance():
    y = random(2, 5, 3, 7)
    mean, variance = random(5), random(5).abs()
    expected = F.batch_norm(exact(y), exact(mean), exact(variance), eps=0.1)
    z = launch.normalise(y, Norm(fenced(mean), fenced(variance), None, None, 0.1, "none", SLOPE))
    assert relative_error(z, expected) < EXACT


@pytest.mark.parametrize("shape", [(1300, 5), (3, 9, 11, 7)])
def test_repeats_have_the_same_bits(shape):
    y, dz = random(*shape), random(*shape)
    norm = norm_of(y, "relu", True)
    x, weight = inputs(True, 1, 5, 7, (9, 8), (2, 3), torch.float32)
    place = ((1, 2), (1, 1), (8, 15), True)

    def once() -> list[Tensor]:
        convolved, parts = launch.convolve(x, weight, *place, Epilogue(), "ieee", statistics=True)
        assert parts is not None
        moments = (*launch.merge(parts), *launch.merge(launch.statistics(y)))
        return [convolved, *moments, launch.normalise(y, norm), *launch.normalise_backward(dz, y, norm)]

    first = once()
    for _ in range(9):
        assert all(map(torch.equal, once(), first))


# Packing


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kernel", "stride"), [((4, 4), (2, 2)), ((5, 3), (2, 2)), ((1, 4), (3, 3)), ((3, 2), (1, 3))])
def test_packed_weights_lie_where_a_loop_puts_them(kernel, stride, layout):
    weight = random(2, 3, *kernel)
    assert torch.equal(packed(layout(weight), stride, False), weight.permute(0, 2, 3, 1))
    found = packed(layout(weight), stride, True)
    taps = [math.ceil(k / s) for k, s in zip(kernel, stride, strict=True)]
    expected = torch.zeros(*stride, 3, *taps, 2, device=DEVICE)
    for row, column in itertools.product(*map(range, kernel)):
        for c, o in itertools.product(range(2), range(3)):
            place = (row % stride[0], column % stride[1], o, row // stride[0], column // stride[1], c)
            expected[place] = weight[c, o, row, column]
    assert torch.equal(found, expected)
    assert found.is_contiguous()


@pytest.mark.parametrize("outputs", [1, 3, 4])
@pytest.mark.parametrize("geometry", THIN)
def test_packed_weights_of_the_last_layer_lie_where_a_loop_puts_them(geometry, outputs):
    kernel, padding = THIN[geometry]
    weight = random(2, outputs, *kernel)
    expected = torch.zeros(3, 4, 16, 2, device=DEVICE)
    for a, b, row, column in itertools.product((0, 1), (0, 1), *map(range, kernel)):
        # Output 2 u + a is the sum over rows with 2 in + row = 2 u + a + padding.
        twice_h, twice_w = a + padding[0] - row, b + padding[1] - column
        if twice_h % 2 == twice_w % 2 == 0:
            for o in range(outputs):
                place = (twice_h // 2 + 1, twice_w // 2 + 1, (2 * a + b) * outputs + o)
                expected[place] = weight[:, o, row, column]
    assert torch.equal(packed_thin(weight, padding), expected.view(3, 64, 2))


# The tools themselves


def test_an_error_is_infinite_for_nan_and_for_another_shape():
    ones = torch.ones(2, 3)
    assert relative_error(ones, ones.double()) == 0.0
    assert relative_error(ones * 1.5, ones) == pytest.approx(0.5)
    assert relative_error(torch.zeros(2), torch.zeros(2)) == 0.0
    for wrong in (ones * math.nan, ones * math.inf, ones[:1], ones.flatten()):
        assert relative_error(wrong, ones) == math.inf
    assert relative_error(ones, ones * math.nan) == relative_error(ones, ones * 0) == math.inf
    assert relative_error(ones, ones * math.inf) == relative_error(ones * math.inf, ones * math.inf) == math.inf


def test_random_calls_are_repeatable_valid_and_varied():
    calls = [random_call(seed, operation) for operation in ("conv", "conv_transpose") for seed in range(300)]
    assert calls[0] == random_call(0, "conv")
    assert len(set(calls)) == len(calls)
    assert all(min(call.out_size) > 0 for call in calls)
    assert {k for call in calls for k in call.kernel} == set(range(1, 7))
    assert {s for call in calls for s in call.stride} == {1, 2, 3}
    assert {op for call in calls for op in call.output_padding} == {0, 1, 2}
    assert {call.batch for call in calls} == {1, 2, 3}
    assert random_call(3, "linear").out_size == (1, 1)
