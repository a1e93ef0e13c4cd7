"""The residual networks: against a transcription in plain PyTorch, at every size, normalised, refused."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.errors import ConfigError
from genframe.shapes import Field, Problem
from genframe.specs import NoSettings
from genframe_conditioning import ConcatSettings, ProjectionSettings
from genframe_conditioning.batch_norm import ConditionalBatchNorm
from genframe_conditioning.concat import Concatenation
from genframe_conditioning.none import Unconditional
from genframe_conditioning.projection import Projection
from genframe_residual import genframe_architectures, genframe_recipes

DIGIT = Field(kind="class", classes=tuple("0123456789"))
(SPEC,) = genframe_architectures()
SCHEMES = {
    "none": lambda of: Unconditional(NoSettings(), of),
    "concat": lambda of: Concatenation(ConcatSettings(), of),
    "entry": lambda of: Concatenation(ConcatSettings(layers="entry"), of),
    "conditional-batch-norm": lambda of: ConditionalBatchNorm(NoSettings(), of),
    "projection": lambda of: Projection(ProjectionSettings(), of),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def problem(*shape: int, labels: bool = False, noise_shape: Any = (6,), **condition: Field) -> Problem:
    condition = condition | ({"label": DIGIT} if labels else {})
    return Problem(output=Field(kind="image", shape=shape), condition=condition, noise_shape=noise_shape)


def build(of: Problem, scheme: str = "", **settings: Any) -> Mapping[str, Any]:
    conditioning = SCHEMES[scheme or ("concat" if of.labels else "none")](of)
    architecture = pkgutil.resolve_name(str(SPEC.factory))(SPEC.settings(**settings))
    networks: Mapping[str, Any] = architecture.build(of, conditioning)
    if hasattr(conditioning, "complete"):
        conditioning.complete(networks)
    return networks


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def normalised(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def spectral_norm(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))


# What the networks compute


def normed(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, gain, shift, training=True)


def transcribed_generator(noise: Tensor, channels: int, sizes: list[tuple[int, int]], weights: list[Tensor]) -> Tensor:
    left = iter(weights)
    x = normed(F.linear(noise, next(left)), next(left), next(left)).relu().view(len(noise), channels, *sizes[0])
    for height, width in sizes[1:]:
        enlarged = x.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
        has_shortcut = height != sizes[-1][0]
        shortcut = F.conv2d(enlarged, next(left), next(left)) if has_shortcut else enlarged
        y = normed(F.conv2d(x, next(left), padding=1), next(left), next(left)).relu()
        y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
        x = (shortcut + normed(F.conv2d(y, next(left), padding=1), next(left), next(left))).relu()
    images = F.conv2d(x, next(left), next(left), padding=1).tanh()
    assert not list(left)
    return images


def pooled(x: Tensor) -> Tensor:
    """Means of 2x2 pixels, and of those that are there at the end of an odd side."""
    rows = torch.stack([x[:, :, i : i + 2].mean(2) for i in range(0, x.shape[2], 2)], dim=2)
    return torch.stack([rows[..., i : i + 2].mean(3) for i in range(0, x.shape[3], 2)], dim=3)


def transcribed_critic(images: Tensor, blocks: int, weights: list[Tensor]) -> Tensor:
    left, x = iter(weights), images
    for _ in range(blocks):
        shortcut = F.conv2d(pooled(x), next(left), next(left))
        y = pooled(F.leaky_relu(F.conv2d(x, next(left), next(left), padding=1), 0.2))
        x = F.leaky_relu(shortcut + F.conv2d(y, next(left), next(left), padding=1), 0.2)
    logits = F.linear(x.flatten(1), next(left), next(left))[:, 0]
    assert not list(left)
    return logits


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [((32, 32), [(4, 4), (8, 8), (16, 16), (32, 32)]), ((19, 30), [(5, 8), (10, 15), (19, 30)])],
)
def test_the_networks_are_the_transcribed_ones(shape: tuple[int, int], sizes: list[tuple[int, int]]) -> None:
    networks = build(problem(3, *shape), width=4)
    generator, critic = (networks[role].double() for role in ("generator", "critic"))
    noise = torch.randn(5, 6).double()
    images = generator(noise, {})
    expected = transcribed_generator(noise, 4 * 2 ** (len(sizes) - 2), sizes, list(generator.parameters()))
    torch.testing.assert_close(images, expected, rtol=1e-9, atol=1e-11)
    logits = transcribed_critic(images, len(sizes) - 1, list(critic.parameters()))
    torch.testing.assert_close(critic(images, {}).logits[0], logits, rtol=1e-9, atol=1e-11)


def test_the_known_numbers_of_parameters() -> None:
    networks = build(problem(3, 32, 32, noise_shape=(128,)), width=64)
    channels = [64, 128, 256]
    units = 256 * 4 * 4
    generator = 128 * units + 2 * units
    for inputs, outputs in ((256, 128), (128, 64), (64, 64)):
        generator += 9 * inputs * outputs + 9 * outputs**2 + 4 * outputs
        generator += inputs * outputs + outputs if inputs != outputs else 0
    critic = units + 1
    for inputs, outputs in zip([3, *channels], channels, strict=False):
        critic += 9 * inputs * outputs + 9 * outputs**2 + inputs * outputs + 3 * outputs
    assert (size(networks["generator"]), size(networks["critic"])) == (generator + 9 * 64 * 3 + 3, critic)


@pytest.mark.parametrize("height", range(8, 41))
def test_every_size_comes_out_exactly(height: int) -> None:
    width = 48 - height if height % 3 else 8 + height * 7 % 33
    networks = build(problem(2, height, width, labels=True), width=2)
    condition = {"label": torch.tensor([0, 7])}
    images = networks["generator"](torch.randn(2, 6) * 100, condition)
    assert images.shape == (2, 2, height, width)
    assert images.abs().max() <= 1
    assert networks["critic"](images, condition).logits[0].shape == (2,)


@pytest.mark.parametrize(
    ("shape", "smallest", "blocks"),
    [
        ((128, 128), (4, 4), 5),
        ((64, 64), (4, 4), 4),
        ((32, 64), (4, 8), 3),
        ((28, 28), (7, 7), 2),
        ((15, 9), (8, 5), 1),
        ((8, 8), (4, 4), 1),
        ((8, 100), (4, 50), 1),
    ],
)
def test_pictures_are_halved_until_the_smaller_side_is_below_8(
    shape: tuple[int, int], smallest: tuple[int, int], blocks: int
) -> None:
    networks = build(problem(1, *shape), width=1)
    assert networks["generator"].smallest[1:] == smallest
    assert [len(networks[role].blocks) for role in ("generator", "critic")] == [blocks, blocks]


def test_depth_and_width_set_the_number_of_blocks_and_their_channels() -> None:
    networks = build(problem(3, 64, 64), width=5, depth=6)
    outputs = {role: [block.second[0].out_channels for block in networks[role].blocks] for role in networks}
    assert outputs == {"generator": [40, 40, 20, 10, 5, 5], "critic": [5, 10, 20, 40, 40, 40]}
    assert networks["generator"].smallest == (40, 1, 1)
    assert [len(block.shortcut) for block in networks["critic"].blocks] == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("spectral", [False, True])
def test_every_parameter_receives_a_gradient(scheme: str, spectral: bool) -> None:
    networks = build(problem(1, 16, 17, labels=scheme != "none"), scheme, width=4, spectral_norm=spectral)
    condition = {"label": torch.arange(10)} if scheme != "none" else {}
    images = networks["generator"](torch.randn(10, 6), condition)
    networks["critic"](images, condition).logits[0].square().sum().backward()
    for network in networks.values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.count_nonzero() > 0, name


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "none"])
def test_the_label_changes_the_picture_or_its_critique(scheme: str) -> None:
    networks = build(problem(1, 16, 16, labels=True), scheme, width=4)
    for parameter in networks["generator"].parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    noise, condition = torch.randn(1, 6).expand(10, -1), {"label": torch.arange(10)}
    images = networks["generator"].eval()(noise, condition)
    assert (images[1:] - images[0]).abs().amax(dim=(1, 2, 3)).min() > 0
    (logits,) = networks["critic"](images[:1].expand(10, -1, -1, -1), condition).logits
    assert len(logits.unique()) == 10


def test_norm_is_in_every_hidden_layer_of_the_generator_and_nowhere_in_the_critic() -> None:
    networks = build(problem(1, 16, 16), width=4)
    generator = networks["generator"]
    hidden = [generator.project, *(layer for block in generator.blocks for layer in (block.first, block.second))]
    assert all(isinstance(layer[1], nn.BatchNorm1d | nn.BatchNorm2d) for layer in hidden)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in networks["critic"].modules())
    images = torch.rand(4, 1, 16, 16)
    (together,), (alone,) = (networks["critic"](each, {}).logits for each in (images, images[:1]))
    torch.testing.assert_close(together[:1], alone)


def test_a_block_whose_second_convolution_is_nothing_is_its_shortcut() -> None:
    critic = build(problem(1, 64, 64), width=2, depth=6)["critic"]
    block = critic.blocks[-1]
    for parameter in block.second.parameters():
        parameter.data.zero_()
    x = torch.randn(3, 16, 5, 4)
    torch.testing.assert_close(block(x, None), F.leaky_relu(pooled(x), 0.2))


# How it begins


def test_weights_begin_as_the_papers_say() -> None:
    networks = build(problem(3, 32, 32, noise_shape=(128,)), width=48)
    for role, network in networks.items():
        second = [block.second[0] for block in network.blocks]
        last = network.colours[0] if role == "generator" else network.head.linear
        for layer in normalised(network):
            fan_in = layer.weight[0].numel()
            fan_out = layer.weight.numel() // layer.weight.shape[1]
            variance = 2 / (fan_in + fan_out) if layer is last else 2 / fan_in / (3 if layer in second else 1)
            tolerance = 6 / (2 * layer.weight.numel()) ** 0.5
            assert layer.weight.std().item() == pytest.approx(variance**0.5, rel=tolerance), layer
            assert layer.bias is None or layer.bias.count_nonzero() == 0


def test_depth_does_not_enlarge_the_signal_at_first() -> None:
    critic = build(problem(3, 128, 128), width=16)["critic"]
    x = torch.randn(4, 3, 128, 128)
    features: list[Tensor] = []
    for block in critic.blocks:
        block.register_forward_hook(lambda module, inputs, output: features.append(output))
    critic(x, {})
    assert 0.01 < features[-1].square().mean() / features[0].square().mean() < 3


@pytest.mark.parametrize("spectral", [False, True])
def test_the_networks_are_a_function_of_torchs_seed(spectral: bool) -> None:
    def tensors() -> list[Tensor]:
        networks = build(problem(1, 8, 8), width=2, spectral_norm=spectral)
        return [value for network in networks.values() for value in network.state_dict().values()]

    torch.manual_seed(4)
    first = tensors()
    torch.manual_seed(4)
    assert all(torch.equal(a, b) for a, b in zip(first, tensors(), strict=True))
    assert not torch.equal(first[0], tensors()[0])


# Spectral normalisation


@pytest.mark.parametrize("scheme", ["none", "concat", "projection"])
def test_spectral_normalisation_takes_every_weight_of_the_critic_to_a_largest_singular_value_of_one(
    scheme: str,
) -> None:
    networks = build(problem(3, 16, 16, labels=scheme != "none"), scheme, width=8, spectral_norm=True)
    critic, images = networks["critic"], torch.rand(4, 3, 16, 16)
    condition = {"label": torch.arange(4)} if scheme != "none" else {}
    for _ in range(100):
        critic(images, condition)
    layers = normalised(critic.eval())
    assert len(layers) == 3 * 2 + (2 if scheme == "projection" else 1)
    for layer in layers:
        assert spectral_norm(layer.weight) == pytest.approx(1.0, abs=0.02)
    assert not any("parametrizations" in name for name in networks["generator"].state_dict())


def test_without_it_the_weights_are_plain() -> None:
    critic = build(problem(3, 16, 16), width=8)["critic"]
    assert not any("parametrizations" in name for name in critic.state_dict())
    assert spectral_norm(critic.blocks[0].first[0].weight) > 1.2


def estimates(critic: nn.Module) -> list[Tensor]:
    return [value.clone() for name, value in critic.state_dict().items() if name.endswith(("._u", "._v"))]


def test_a_pass_in_training_is_one_power_iteration_also_without_gradients_and_none_in_evaluation() -> None:
    critic, images = build(problem(3, 16, 16), width=8, spectral_norm=True)["critic"], torch.rand(2, 3, 16, 16)
    parametrized = critic.blocks[0].first[0].parametrizations.weight
    for context in (torch.enable_grad(), torch.no_grad()):
        parametrized[0]._v.copy_(F.normalize(torch.randn(27), dim=0))
        weight, v = parametrized.original.detach().flatten(1), parametrized[0]._v.clone()
        with context:
            critic(images, {})
        expected = F.normalize(weight @ v, dim=0)
        torch.testing.assert_close(parametrized[0]._u, expected)
        torch.testing.assert_close(parametrized[0]._v, F.normalize(weight.T @ expected, dim=0))
    critic.eval()
    before = estimates(critic)
    (first,), (second,) = critic(images, {}).logits, critic(images, {}).logits
    assert torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(before, estimates(critic), strict=True))


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("scheme", ["none", "concat"])
def test_a_penalty_of_the_gradient_can_be_differentiated(scheme: str, spectral: bool) -> None:
    of = problem(2, 8, 11, labels=scheme != "none")
    critic = build(of, scheme, width=3, spectral_norm=spectral)["critic"].double().eval()
    condition = {"label": torch.arange(4)} if scheme != "none" else {}
    images = torch.rand(4, 2, 8, 11, dtype=torch.float64, requires_grad=True)

    def penalty() -> Tensor:
        (logits,) = critic(images, condition).logits
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    penalty().backward()
    weights = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    for weight in weights:
        assert weight.grad is not None
        place = int(weight.grad.abs().argmax())
        slope, step = weight.grad.view(-1)[place], 1e-6
        around = []
        for moved in (step, -2 * step):
            weight.data.view(-1)[place] += moved
            around.append(penalty().detach())
        weight.data.view(-1)[place] += step
        torch.testing.assert_close((around[0] - around[1]) / (2 * step), slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("spectral", [False, True])
def test_the_state_survives_saving_and_judges_alike(spectral: bool) -> None:
    of = problem(3, 16, 16, labels=True)
    networks = build(of, width=4, spectral_norm=spectral)
    condition, noise = {"label": torch.arange(4)}, torch.randn(4, 6)
    networks["critic"](networks["generator"](noise, condition), condition)
    restored = build(of, width=4, spectral_norm=spectral)
    for role, network in networks.items():
        restored[role].load_state_dict(network.state_dict(), strict=True)
    images = [each["generator"].eval()(noise, condition) for each in (networks, restored)]
    logits = [each["critic"](images[0], condition).logits[0] for each in (networks, restored)]
    assert torch.equal(*images)
    assert torch.equal(*logits)


# What does not fit


@pytest.mark.parametrize(
    ("of", "settings", "sentence"),
    [
        (
            Problem(output=Field(kind="points", shape=(2,)), noise_shape=(3,)),
            {},
            "data of kind 'points' and makes images",
        ),
        (problem(1, 7, 32), {}, "pictures of 7x32 and needs at least 8x8"),
        (problem(1, 32, 7), {}, "pictures of 32x7 and needs at least 8x8"),
        (problem(1, 8, 8, noise_shape=None), {}, "no noise and makes its pictures from it"),
        (problem(1, 8, 8, source=Field(kind="image", shape=(1, 8, 8))), {}, "the condition 'source'"),
        (problem(1, 31, 64), {"depth": 6}, "depth = 6 for pictures of 31x64, which can be halved 5 times"),
        (problem(1, 8, 8), {"depth": 0}, "depth = 0 and needs at least 1"),
        (problem(1, 8, 8), {"width": 0}, "width = 0 and needs at least 1"),
    ],
)
def test_what_cannot_be_served_is_refused_in_a_sentence(of: Problem, settings: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^architecture 'residual' got .*{sentence}"):
        build(of, **settings)


def test_noise_of_several_axes_is_taken_as_numbers() -> None:
    generator = build(problem(1, 8, 8, noise_shape=(2, 3, 4)), width=2)["generator"]
    assert generator(torch.randn(5, 2, 3, 4), {}).shape == (5, 1, 8, 8)


def test_the_recipe_makes_faces_from_their_attributes() -> None:
    (recipe,) = genframe_recipes()
    assert (recipe.name, recipe.architecture.name, recipe.data.name) == ("resgan", "residual", "emoticons")
