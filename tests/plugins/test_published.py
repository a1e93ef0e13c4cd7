"""The published systems: their networks against independent transcriptions of the published code, and their settings.

The transcriptions take each code's own tensors, by its names and in its layout, and are written in plain PyTorch.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.config import RunConfig
from genframe.errors import ConfigError
from genframe.options import configure
from genframe.registry import load_registry
from genframe.shapes import Field, Problem
from genframe_dcgan.layouts import from_layout

DIGIT = Field(kind="class", classes=tuple("0123456789"))
REGISTRY = load_registry()
SIZES = {
    "cdcgan-radford2015": (6_820_538, 6_688_202),
    "cdcgan-zhang2018": (6_780_379, 3_238_323),
    "cdcgan-zhang2016": (6_970_241, 3_234_313),
    "dcgan-tutorial": (3_576_704, 2_765_568),
    "dcgan-radford2015": (18_885_760, 17_232_768),
    "cgan-mirza2014": (2_413_984, 1_224_351),
}


def configured(recipe: str, **options) -> RunConfig:
    return configure(REGISTRY, recipe=recipe, options=options)


def networks(recipe: str) -> Mapping[str, nn.Module]:
    """As `genframe run` builds them, for MNIST or for 64x64 colour pictures."""
    config = configured(recipe)
    shape = (1, 28, 28) if config.parts["data"].name == "mnist" else (3, 64, 64)
    condition = {} if config.parts["conditioning"].name == "none" else {"label": DIGIT}
    problem = Problem(output=Field(kind="image", shape=shape), condition=condition, noise_shape=(100,))

    def part(kind: str, *arguments: object):
        choice = config.parts[kind]
        spec = REGISTRY.find(kind, choice.name).spec
        return pkgutil.resolve_name(spec.factory)(spec.settings(**choice.settings), *arguments)

    torch.manual_seed(0)
    return part("architecture").build(problem, part("conditioning", problem))


@pytest.mark.parametrize("recipe", SIZES)
def test_the_networks_have_the_published_number_of_parameters(recipe):
    sizes = [sum(p.numel() for p in network.parameters()) for network in networks(recipe).values()]
    assert tuple(sizes) == SIZES[recipe]


def test_the_sizes_that_are_published_nowhere_follow_from_the_layers():
    convolutions = 25 * (1024 * 512 + 512 * 256 + 256 * 128)
    generator = 100 * 16_384 + 2 * 16_384 + convolutions + 2 * (512 + 256 + 128) + 25 * 128 * 3
    critic = 25 * 3 * 128 + convolutions + 2 * (256 + 512 + 1024) + 16_384
    assert (generator, critic) == SIZES["dcgan-radford2015"]
    generator = (100 * 200 + 200) + (10 * 1000 + 1000) + (1200 * 1200 + 1200) + (1200 * 784 + 784)
    critic = (784 * 1200 + 1200) + (10 * 250 + 250) + (290 * 960 + 960) + 241
    assert (generator, critic) == SIZES["cgan-mirza2014"]


# Newmu/dcgan_code, mnist/train_cond_dcgan.py: Theano's layouts, whose convolutions flip the kernel; no gain, no shift.

NEWMU = {
    "gw": (110, 1024),
    "gw2": (1034, 6272),
    "gw3": (138, 64, 5, 5),
    "gwx": (74, 1, 5, 5),
    "dw": (64, 11, 5, 5),
    "dw2": (128, 74, 5, 5),
    "dw3": (6282, 1024),
    "dwy": (1034, 1),
}


def mapped(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat((x, y[:, :, None, None].expand(-1, -1, *x.shape[2:])), dim=1)


def joined(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat((x, y), dim=1)


def normed(x: Tensor, eps: float, gain: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    return F.batch_norm(x, None, None, gain, shift, training=True, eps=eps)


def newmu_generator(a: Mapping[str, Tensor], z: Tensor, y: Tensor) -> list[Tensor]:
    first = normed(joined(z, y) @ a["gw"], 1e-8).relu()
    second = normed(joined(first, y) @ a["gw2"], 1e-8).relu()
    small = mapped(second.view(-1, 128, 7, 7), y)
    third = normed(F.conv_transpose2d(small, a["gw3"].flip(2, 3), None, 2, 2, 1), 1e-8).relu()
    return [first, second, third, F.conv_transpose2d(mapped(third, y), a["gwx"].flip(2, 3), None, 2, 2, 1).sigmoid()]


def newmu_critic(a: Mapping[str, Tensor], x: Tensor, y: Tensor) -> list[Tensor]:
    first = F.leaky_relu(F.conv2d(mapped(x, y), a["dw"].flip(2, 3), None, 2, 2), 0.2)
    second = F.leaky_relu(normed(F.conv2d(mapped(first, y), a["dw2"].flip(2, 3), None, 2, 2), 1e-8), 0.2)
    third = F.leaky_relu(normed(joined(second.flatten(1), y) @ a["dw3"], 1e-8), 0.2)
    return [first, second, third, joined(third, y) @ a["dwy"]]


# zhangqianhui/Conditional-Gans: TensorFlow's layouts, pictures as (B, H, W, C), "same" padding. The 2018 code has
# kernels of 3 and labels in every layer, the 2016 code kernels of 5 and labels in the first layer of each network.


def zhang_shapes(year: int) -> dict[str, tuple[int, ...]]:
    k, y = (5, 0) if year == 2016 else (3, 10)
    shapes = {
        "genw1": (110, 1024),
        "genw2": (1024 + y, 6272),
        "genw3": (k, k, 128, 128 + y),
        "genw4": (k, k, 1, 128 + y),
        "dis_w1": (k, k, 11, 10),
        "dis_w2": (k, k, 10 + y, 64),
        "dis_w3": (3136 + y, 1024),
        "dis_w4": (1024 + y, 1),
    }
    outputs = {"genw1": 1024, "genw2": 6272, "genw3": 128, "genw4": 1, "dis_w1": 10, "dis_w2": 64, "dis_w3": 1024}
    shapes |= {name.replace("w", "b"): (count,) for name, count in outputs.items()} | {"dis_b4": (1,)}
    norms = {"genbn1": 1024, "genbn2": 6272, "genbn3": 128, "dis_bn1": 64, "dis_bn2": 1024}
    return shapes | {f"{n}/{part}": (count,) for n, count in norms.items() for part in ("gamma", "beta")}


ZHANG2018_SCOPES = {
    "genw1": "gen_fully", "genw2": "gen_fully2", "genw3": "gen_deconv1", "genw4": "gen_deconv2",
    "dis_w1": "dis_conv1", "dis_w2": "dis_conv2", "dis_w3": "dis_fully1", "dis_w4": "dis_fully2",
}  # fmt: skip


def zhang2018_names(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {name.replace("genbn", "gen_bn"): array for name, array in arrays.items() if "/" in name}
    for name, scope in ZHANG2018_SCOPES.items():
        renamed |= {f"{scope}/weights": arrays[name], f"{scope}/biases": arrays[name.replace("w", "b")]}
    return renamed


def nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def same_conv(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """TensorFlow's ``conv2d`` with stride 2 and "same" padding, on (B, H, W, C)."""
    total = 2 * (math.ceil(x.shape[1] / 2) - 1) + kernel.shape[0] - x.shape[1]
    pads = (total // 2, total - total // 2) * 2
    return nhwc(F.conv2d(F.pad(nchw(x), pads), kernel.permute(3, 2, 0, 1), bias, 2))


def same_deconv(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """TensorFlow's ``conv2d_transpose``: the gradient of "same" convolution with respect to its input."""
    size = 2 * x.shape[1]
    picture = torch.zeros(len(x), size, size, kernel.shape[2], dtype=x.dtype, requires_grad=True)
    down = same_conv(picture, kernel, torch.zeros(kernel.shape[3], dtype=x.dtype))
    (gradient,) = torch.autograd.grad(down, picture, x, create_graph=True)
    return gradient + bias


def channels_normed(x: Tensor, a: Mapping[str, Tensor], scope: str) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])
    return normed(flat, 1e-5, a[f"{scope}/gamma"], a[f"{scope}/beta"]).view(x.shape)


def with_maps(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat((x, y[:, None, None, :].expand(-1, x.shape[1], x.shape[2], -1)), dim=3)


def zhang_generator(a: Mapping[str, Tensor], z: Tensor, y: Tensor, everywhere: bool) -> list[Tensor]:
    vector, maps = (joined, with_maps) if everywhere else (lambda x, y: x, lambda x, y: x)
    first = channels_normed(joined(z, y) @ a["genw1"] + a["genb1"], a, "genbn1").relu()
    second = channels_normed(vector(first, y) @ a["genw2"] + a["genb2"], a, "genbn2").relu()
    small = second.view(-1, 7, 7, 128)
    third = channels_normed(same_deconv(maps(small, y), a["genw3"], a["genb3"]), a, "genbn3").relu()
    last = same_deconv(maps(third, y), a["genw4"], a["genb4"]).sigmoid()
    return [first, nchw(small).flatten(1), nchw(third), nchw(last)]


def zhang_critic(a: Mapping[str, Tensor], x: Tensor, y: Tensor, everywhere: bool) -> list[Tensor]:
    vector, maps = (joined, with_maps) if everywhere else (lambda x, y: x, lambda x, y: x)
    first = F.leaky_relu(same_conv(with_maps(nhwc(x), y), a["dis_w1"], a["dis_b1"]), 0.2)
    convolved = same_conv(maps(first, y), a["dis_w2"], a["dis_b2"])
    second = F.leaky_relu(channels_normed(convolved, a, "dis_bn1"), 0.2)
    dense = vector(second.reshape(len(x), -1), y) @ a["dis_w3"] + a["dis_b3"]
    third = F.leaky_relu(channels_normed(dense, a, "dis_bn2"), 0.2)
    return [nchw(first), nchw(second), third, vector(third, y) @ a["dis_w4"] + a["dis_b4"]]


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {n: torch.randn(shape, generator=rng, dtype=torch.float64) * 0.1 for n, shape in shapes.items()}


def recorded(blocks) -> list[Tensor]:
    outputs: list[Tensor] = []
    for block in blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    return outputs


@pytest.mark.parametrize("recipe", ["cdcgan-radford2015", "cdcgan-zhang2018", "cdcgan-zhang2016"])
def test_the_conditional_networks_on_mnist_are_the_published_ones_layer_by_layer(recipe):
    built = networks(recipe)
    generator, critic = built["generator"].double(), built["critic"].double()
    if recipe == "cdcgan-radford2015":
        arrays = named = drawn(NEWMU)
        layout, make, judge = "newmu", newmu_generator, newmu_critic
    else:
        layout, everywhere = recipe.removeprefix("cdcgan-"), recipe == "cdcgan-zhang2018"
        arrays = drawn(zhang_shapes(int(layout.removeprefix("zhang"))))
        named = zhang2018_names(arrays) if everywhere else arrays
        make = lambda a, z, y: zhang_generator(a, z, y, everywhere)  # noqa: E731
        judge = lambda a, x, y: zhang_critic(a, x, y, everywhere)  # noqa: E731
    for role, network in (("generator", generator), ("critic", critic)):
        missing, unexpected = network.load_state_dict(from_layout(layout, role, named), strict=False)
        assert not unexpected
        assert {key.rpartition(".")[2] for key in missing} <= {"running_mean", "running_var", "num_batches_tracked"}
    rng = torch.Generator().manual_seed(1)
    z = torch.rand(5, 100, generator=rng, dtype=torch.float64) * 2 - 1
    labels = torch.tensor([3, 0, 9, 9, 4])
    y = F.one_hot(labels, 10).double()
    layers = recorded([*generator.dense, generator.project, *generator.doublings])
    images = generator(z, {"label": labels})
    for ours, theirs in zip(layers, make(arrays, z, y), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close((images + 1) / 2, layers[-1], rtol=1e-12, atol=1e-12)
    layers = recorded([*critic.halvings, *critic.dense])
    (logits,) = critic(images, {"label": labels}).logits
    *theirs, logit = judge(arrays, (images + 1) / 2, y)
    for mine, other in zip(layers, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(logits, logit[:, 0], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("recipe", ["cdcgan-radford2015", "cdcgan-zhang2016", "dcgan-radford2015", "dcgan-tutorial"])
def test_every_weight_begins_with_the_papers_deviation(recipe):
    for network in networks(recipe).values():
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        large = [m.weight for m in layers if m.weight.numel() > 1000]
        assert large
        for weight in large:
            assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_the_2018_code_begins_as_he_and_glorot_say():
    built = networks("cdcgan-zhang2018")
    generator, critic = built["generator"], built["critic"]
    fans = {
        generator.dense[0][0]: 110,
        generator.project[0]: 1034,
        generator.doublings[0][0]: 9 * 128,  # TensorFlow counts the output channels of a transposed convolution
        critic.halvings[1][0]: 9 * 20,
        critic.dense[0][0]: 3146,
    }
    for layer, fan in fans.items():
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2.0 / fan), rel=0.05)
        assert layer.weight.abs().max().item() <= 2 * math.sqrt(2.6 / fan)
    bound = math.sqrt(6 / (9 * 138 + 9))
    last = generator.doublings[1][0].weight
    assert 0.95 * bound < last.abs().max().item() <= bound
    for network in built.values():
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)):
            assert torch.equal(norm.weight, torch.ones_like(norm.weight))


def test_the_first_conditional_gan_draws_its_units_away_in_training_only():
    generator = networks("cgan-mirza2014")["generator"]
    z, label = torch.rand(4, 100), {"label": torch.arange(4)}
    torch.manual_seed(0)
    first, second = generator(z, label), generator(z, label)
    assert not torch.equal(first, second)
    generator.eval()
    assert torch.equal(generator(z, label), generator(z, label))


def test_the_maxout_critic_is_the_papers_transcribed():
    critic = networks("cgan-mirza2014")["critic"].eval()
    x, label = torch.rand(4, 1, 28, 28) * 2 - 1, torch.tensor([1, 0, 7, 7])
    state = critic.state_dict()

    def maxout(values: Tensor, key: str, pieces: int) -> Tensor:
        return F.linear(values, state[f"{key}.weight"], state[f"{key}.bias"]).view(4, -1, pieces).amax(2)

    h_x = maxout((x.flatten(1) + 1) / 2, "picture.layer.0", 5)
    h_y = maxout(F.one_hot(label, 10).float(), "encoder.hidden.0", 5)
    assert (h_x.shape, h_y.shape) == ((4, 240), (4, 50))
    joint = maxout(torch.cat((h_x, h_y), 1), "joint.0", 4)
    expected = F.linear(joint, state["head.linear.weight"], state["head.linear.bias"])[:, 0]
    torch.testing.assert_close(critic(x, {"label": label}).logits[0], expected)


# Settings of the training.


def settings(recipe: str):
    config = configured(recipe)
    return config.training, config.parts["algorithm"].settings


def test_the_papers_code_updates_one_network_a_batch_and_lowers_the_rate_in_its_second_half():
    training, algorithm = settings("cdcgan-radford2015")
    assert (training.steps, training.batch_size) == (200 * 391, 128)
    assert algorithm["one_update_per_batch"]
    assert algorithm["updates"] == ("generator", "critic")
    assert (algorithm["l2"], algorithm["learning_rate"], algorithm["beta1"]) == (2.5e-5, 2e-4, 0.5)
    schedule = training.lr_schedule

    def factor(epoch: int) -> float:
        first = (epoch - 1) * 391
        rates = {
            schedule.factor(step // schedule.every * schedule.every / training.steps) for step in (first, first + 390)
        }
        (rate,) = rates
        return rate

    assert factor(1) == factor(101) == 1.0
    assert factor(102) == pytest.approx(0.99)
    assert factor(150) == pytest.approx(0.51)
    assert factor(200) == pytest.approx(0.01)


def test_the_first_conditional_gan_ends_at_the_papers_rate_and_momentum():
    training, algorithm = settings("cgan-mirza2014")
    assert (algorithm["optimizer"], algorithm["learning_rate"], algorithm["momentum"]) == ("sgd", 0.1, 0.5)
    for step in (1, 1000, 100_000, training.steps):
        rate = 0.1 * training.lr_schedule.factor(step / training.steps)
        assert rate == pytest.approx(max(1e-6, 0.1 / 1.00004**step), rel=1e-3)
    assert 0.5 * training.momentum_schedule.factor(1.0) == pytest.approx(0.7)


def test_the_articles_code_at_its_two_dates():
    training, algorithm = settings("cdcgan-zhang2018")
    assert (training.steps, training.batch_size, algorithm["updates"]) == (10_001, 64, ("critic", "generator"))
    training, algorithm = settings("cdcgan-zhang2016")
    assert (training.epochs, algorithm["updates"]) == (6, ("critic", "generator", "generator"))


@pytest.fixture(scope="module")
def small_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 labelled noisy pictures of 16x16."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    images = np.random.default_rng(0).integers(0, 256, (90, 16, 16), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(90) % 10)
    return path


@pytest.mark.parametrize("recipe", SIZES)
def test_every_published_system_runs_a_few_steps_through_the_front_door(recipe, cli, tmp_path, small_images):
    smaller = ["--set", "architecture.width=8"] if recipe.startswith("dcgan") else []
    result = cli(
        "run", "--plugin", recipe, "--data", str(small_images), "--image-size", "64" if smaller else "28",
        "--steps", "3", "--batch-size", "8", *smaller, "--output-dir", str(tmp_path / "run"), "--set", "metrics=[]",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert (tmp_path / "run" / "samples" / "final.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel": 1}, "kernel = 1 and needs at least 2"),
        ({"hidden": -1}, "hidden = -1"),
        ({"generator_channels": []}, "one number a halving"),
        ({"critic_channels": [8, 0]}, "one number a halving"),
        ({"depth": 3, "critic_channels": [8, 8]}, "leave depth out"),
        ({"eps": 0.0}, "eps = 0.0"),
    ],
)
def test_settings_that_make_no_network_are_refused_in_a_sentence(changes, words):
    with pytest.raises(ConfigError, match=words):
        configure(REGISTRY, recipe="cdcgan", options={}, settings=[{"architecture": changes}])
