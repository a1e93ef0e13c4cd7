"""DCGAN's networks, against independent transcriptions in plain PyTorch, at every size."""

import pkgutil

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genframe.errors import ConfigError
from genframe.shapes import Field, Problem
from genframe.specs import NoSettings
from genframe_cdcgan import genframe_recipes as cdcgan_recipes
from genframe_conditioning import ConcatSettings
from genframe_conditioning.concat import Concatenation
from genframe_conditioning.none import Unconditional
from genframe_dcgan import genframe_architectures
from genframe_dcgan import genframe_recipes as dcgan_recipes

DIGIT = Field(kind="class", classes=tuple("0123456789"))
(SPEC,) = genframe_architectures()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def problem(*shape: int, condition=None, noise_shape=(100,)) -> Problem:
    return Problem(output=Field(kind="image", shape=shape), condition=condition or {}, noise_shape=noise_shape)


def build(of: Problem, **settings):
    scheme = Concatenation(ConcatSettings(), of) if of.labels else Unconditional(NoSettings(), of)
    architecture = pkgutil.resolve_name(SPEC.factory)(SPEC.settings(**settings))
    return architecture.build(of, scheme)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# The well-known 64x64 network, transcribed: PyTorch's DCGAN tutorial, nz = 100, ngf = ndf = 64. It has no bias at the
# generator's output and the critic's two ends; ours has one wherever no BatchNorm follows.


def tutorial_generator(bias: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, 512, 4, 1, 0, bias=False), nn.BatchNorm2d(512), nn.ReLU()]
    for wide, narrow in ((512, 256), (256, 128), (128, 64)):
        layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=bias), nn.Tanh())


def tutorial_critic(bias: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1, bias=bias), nn.LeakyReLU(0.2)]
    for wide, narrow in ((64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 0, bias=bias), nn.Flatten(0))


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    values, places = source.state_dict().values(), target.state_dict()
    target.load_state_dict({key: v.view_as(places[key]) for key, v in zip(places, values, strict=True)})


def test_at_64x64_the_networks_have_the_tutorials_size_and_three_sets_of_biases():
    networks = build(problem(3, 64, 64))
    assert size(tutorial_generator()) == 3_576_704
    assert size(tutorial_critic()) == 2_765_568
    assert size(networks["generator"]) == 3_576_704 + 3
    assert size(networks["critic"]) == 2_765_568 + 64 + 1


def test_at_64x64_the_networks_compute_what_the_tutorials_do():
    networks = build(problem(3, 64, 64))
    generator, critic = tutorial_generator(bias=True), tutorial_critic(bias=True)
    copy_in_order(networks["generator"], generator)
    copy_in_order(networks["critic"], critic)
    noise = torch.rand(4, 100) * 2 - 1
    images = networks["generator"](noise, {})
    torch.testing.assert_close(images, generator(noise[:, :, None, None]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(networks["critic"](images, {}).logits[0], critic(images), rtol=1e-4, atol=1e-5)


# A conditional DCGAN at 28x28, transcribed layer by layer with the label concatenated to every input.


def joined(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat((x, y.view(*y.shape, 1, 1).expand(-1, -1, *x.shape[2:])), dim=1)


def normed(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, gain, shift, training=True)


def transcribed_generator(noise: Tensor, y: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    w1, g1, b1, w2, g2, b2, w3, b3 = parameters
    first = normed(F.conv_transpose2d(joined(noise[:, :, None, None], y), w1), g1, b1).relu()
    second = normed(F.conv_transpose2d(joined(first, y), w2, None, 2, 1), g2, b2).relu()
    return [first, second, F.conv_transpose2d(joined(second, y), w3, b3, 2, 1).tanh()]


def transcribed_critic(images: Tensor, y: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    w1, b1, w2, g2, b2, w3, b3 = parameters
    first = F.leaky_relu(F.conv2d(joined(images, y), w1, b1, 2, 1), 0.2)
    second = F.leaky_relu(normed(F.conv2d(joined(first, y), w2, None, 2, 1), g2, b2), 0.2)
    return [first, second, F.linear(torch.cat((second.flatten(1), y), dim=1), w3, b3)[:, 0]]


def recorded(blocks) -> list[Tensor]:
    outputs: list[Tensor] = []
    for block in blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    return outputs


def test_the_conditional_networks_at_28x28_are_the_concatenating_ones_layer_by_layer():
    networks = build(problem(1, 28, 28, condition={"label": DIGIT}), width=8)
    generator, critic = (networks[role].double() for role in ("generator", "critic"))
    noise, labels = torch.rand(6, 100).double(), torch.tensor([3, 0, 9, 9, 1, 5])
    y = F.one_hot(labels, 10).double()

    outputs = recorded([generator.project, *generator.doublings])
    images = generator(noise, {"label": labels})
    expected = transcribed_generator(noise, y, list(generator.parameters()))
    assert [tuple(output.shape[1:]) for output in outputs] == [(16, 7, 7), (8, 14, 14), (1, 28, 28)]
    torch.testing.assert_close(outputs, expected, rtol=1e-10, atol=1e-12)

    outputs = recorded(critic.halvings)
    (logits,) = critic(images, {"label": labels}).logits
    expected = transcribed_critic(images, y, list(critic.parameters()))
    torch.testing.assert_close([*outputs, logits], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("height", range(8, 41))
def test_every_size_comes_out_exactly_and_the_critic_mirrors_the_generator(height):
    width = 48 - height if height % 3 else 8 + height * 7 % 33
    of = problem(2, height, width, condition={"label": DIGIT}, noise_shape=(3,))
    networks = build(of, width=2)
    condition = {"label": torch.tensor([0, 7])}
    grown = recorded([networks["generator"].project, *networks["generator"].doublings])
    shrunk = recorded(networks["critic"].halvings)
    images = networks["generator"](torch.randn(2, 3) * 100, condition)
    assert images.shape == (2, 2, height, width)
    assert images.abs().max() <= 1
    assert networks["critic"](images, condition).logits[0].shape == (2,)
    assert [tuple(x.shape) for x in shrunk] == [tuple(x.shape) for x in reversed(grown[:-1])]


@pytest.mark.parametrize(
    ("shape", "smallest", "doublings"),
    [
        ((64, 64), (4, 4), 4),
        ((28, 28), (7, 7), 2),
        ((16, 16), (4, 4), 2),
        ((8, 8), (2, 2), 2),
        ((15, 9), (3, 2), 2),
        ((32, 64), (4, 8), 3),
        ((8, 100), (2, 25), 2),
    ],
)
def test_pictures_are_halved_at_least_twice_and_until_the_smaller_side_is_below_8(shape, smallest, doublings):
    generator = build(problem(1, *shape), width=1)["generator"]
    assert len(generator.doublings) == doublings
    assert generator.project[0].kernel_size == smallest


def test_depth_and_width_set_the_number_and_the_channels_of_the_layers():
    networks = build(problem(3, 32, 32), width=5, depth=5)
    assert [block[0].out_channels for block in networks["critic"].halvings] == [5, 10, 20, 40, 80]
    assert [block[0].out_channels for block in networks["generator"].doublings] == [40, 20, 10, 5, 3]
    assert networks["generator"].project[0].kernel_size == (1, 1)


def test_batchnorm_is_everywhere_but_at_the_generators_output_and_the_critics_input():
    networks = build(problem(1, 32, 32), width=2)
    generator = [networks["generator"].project, *networks["generator"].doublings]
    normed = {
        "generator": [isinstance(block[1], nn.BatchNorm2d) for block in generator],
        "critic": [isinstance(block[1], nn.BatchNorm2d) for block in networks["critic"].halvings],
    }
    assert normed == {"generator": [True, True, True, False], "critic": [False, True, True]}


def test_weights_start_from_the_papers_law():
    networks = build(problem(1, 28, 28, condition={"label": DIGIT}))
    gains = []
    for name, value in [item for network in networks.values() for item in network.named_parameters()]:
        if value.ndim > 1:
            standard_error = 0.02 / value.numel() ** 0.5
            assert value.mean().item() == pytest.approx(0, abs=5 * standard_error), name
            assert value.std().item() == pytest.approx(0.02, abs=5 * standard_error), name
        elif name.endswith("weight"):
            gains.append(value)
        else:
            assert value.count_nonzero() == 0, name
    assert torch.cat(gains).mean().item() == pytest.approx(1, abs=0.01)
    assert torch.cat(gains).std().item() == pytest.approx(0.02, abs=0.005)


def test_the_networks_are_a_function_of_torchs_seed():
    def weights() -> list[Tensor]:
        return [value for network in build(problem(1, 8, 8), width=2).values() for value in network.parameters()]

    torch.manual_seed(4)
    first = weights()
    torch.manual_seed(4)
    assert all(torch.equal(a, b) for a, b in zip(first, weights(), strict=True))
    assert not torch.equal(first[0], weights()[0])


@pytest.mark.parametrize("condition", [{}, {"label": DIGIT}])
def test_every_parameter_receives_a_gradient(condition):
    networks = build(problem(1, 16, 17, condition=condition), width=4)
    given = {name: torch.arange(10) for name in condition}
    images = networks["generator"](torch.randn(10, 100), given)
    networks["critic"](images, given).logits[0].square().sum().backward()
    for network in networks.values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.count_nonzero() > 0, name


def test_the_label_changes_the_picture_and_its_critique():
    networks = build(problem(1, 16, 16, condition={"label": DIGIT}), width=4)
    noise = torch.randn(1, 100).expand(10, -1)
    images = networks["generator"].eval()(noise, {"label": torch.arange(10)})
    assert (images[1:] - images[0]).abs().amax(dim=(1, 2, 3)).min() > 0
    critic = networks["critic"].eval()
    (logits,) = critic(images[:1].expand(10, -1, -1, -1), {"label": torch.arange(10)}).logits
    assert len(logits.unique()) == 10


def test_noise_of_several_axes_is_taken_as_numbers():
    generator = build(problem(1, 8, 8, noise_shape=(2, 3, 4)), width=2)["generator"]
    assert generator(torch.randn(5, 2, 3, 4), {}).shape == (5, 1, 8, 8)


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
        (problem(1, 8, 8, condition={"source": Field(kind="image", shape=(1, 8, 8))}), {}, "the condition 'source'"),
        (problem(1, 31, 64), {"depth": 5}, "depth = 5 for pictures of 31x64, which can be halved 4 times"),
        (problem(1, 8, 8), {"depth": 0}, "depth = 0 and needs at least 1"),
        (problem(1, 8, 8), {"width": 0}, "width = 0 and needs at least 1"),
    ],
)
def test_what_cannot_be_served_is_refused_in_a_sentence(of, settings, sentence):
    with pytest.raises(ConfigError, match=f"^architecture 'dcgan' got .*{sentence}"):
        build(of, **settings)


def test_a_critic_without_norm_has_none_and_judges_each_picture_by_itself():
    critic = build(problem(1, 16, 16), width=8, hidden=16, critic_norm=False)["critic"]
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in critic.modules())
    images = torch.rand(4, 1, 16, 16)
    (together,), (alone,) = critic(images, {}).logits, critic(images[:1], {}).logits
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.parametrize("pooling", [False, True])
@pytest.mark.parametrize("size", [(28, 28), (33, 20)])
@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_a_pooling_critic_has_strides_of_one_and_the_sizes_of_a_strided_one(size, kernel, pooling):
    critic = build(problem(1, *size), width=4, kernel=kernel, pooling=pooling)["critic"]
    assert critic(torch.rand(2, 1, *size), {}).logits[0].shape == (2,)
    convolutions = [module for module in critic.modules() if isinstance(module, nn.Conv2d)]
    assert {layer.stride for layer in convolutions} == {(1, 1) if pooling else (2, 2)}
    assert len(critic.pools) == (len(convolutions) if pooling else 0)


def test_norms_and_activations_are_as_the_settings_say():
    settings = {"generator_norm": False, "generator_activation": "leaky_relu", "critic_activation": "relu"}
    networks = build(problem(1, 16, 16), width=4, hidden=6, **settings)
    kinds = {role: {type(module) for module in network.modules()} for role, network in networks.items()}
    assert not {nn.BatchNorm1d, nn.BatchNorm2d, nn.ReLU} & kinds["generator"]
    assert nn.LeakyReLU in kinds["generator"]
    assert {nn.ReLU, nn.BatchNorm2d} <= kinds["critic"]
    assert nn.LeakyReLU not in kinds["critic"]


def test_spectral_normalisation_takes_every_weight_of_the_critic_to_a_largest_singular_value_of_one():
    networks = build(problem(1, 16, 16, condition={"label": DIGIT}), width=8, hidden=16, spectral_norm=True)
    critic, images, label = networks["critic"], torch.rand(4, 1, 16, 16), {"label": torch.arange(4)}
    for _ in range(50):
        critic(images, label)
    weights = [m.weight for m in critic.eval().modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weights) == 4
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)
    assert not any("parametrizations" in name for name in networks["generator"].state_dict())


def test_a_normalised_weight_is_iterated_once_a_pass_and_penalties_of_the_gradient_reach_it():
    of = problem(1, 16, 16)
    torch.manual_seed(1)
    critic = build(of, width=8, spectral_norm=True, critic_norm=False)["critic"]
    parametrized = critic.halvings[1][0].parametrizations.weight
    weight, v = parametrized.original.flatten(1), parametrized[0]._v.clone()
    images = torch.rand(4, 1, 16, 16, requires_grad=True)
    (logits,) = critic(images, {}).logits
    torch.testing.assert_close(parametrized[0]._u, F.normalize(weight @ v, dim=0))
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for name, p in critic.named_parameters() if "weight" in name
    )
    restored = build(of, width=8, spectral_norm=True, critic_norm=False)["critic"]
    restored.load_state_dict(critic.state_dict())
    assert torch.equal(restored.eval()(images, {}).logits[0], critic.eval()(images, {}).logits[0])


def test_the_conditional_recipe_has_a_dense_layer_in_each_network_and_labels():
    (plain,), (conditional, _) = dcgan_recipes(), cdcgan_recipes()
    assert (plain.name, conditional.name) == ("dcgan", "cdcgan")
    assert (plain.conditioning.name, conditional.conditioning.name) == ("none", "concat")
    assert plain.metrics == ()
    assert [metric.name for metric in conditional.metrics] == ["nn1", "label-accuracy"]
    assert "hidden" not in plain.architecture.settings
    assert conditional.architecture.settings["hidden"] == 1024
    assert plain.slots == conditional.slots
    assert plain.slots["noise"].settings == {"dim": 100}
