"""Regularizers: known slopes, and their way to the critic's weights."""

from __future__ import annotations

import math
import pkgutil

import pytest
import torch
from torch import nn

from genframe.errors import ConfigError
from genframe.interfaces import Critique
from genframe_regularizers import genframe_regularizers

SPECS = {spec.name: spec for spec in genframe_regularizers()}
SHAPES = [(1, 4, 4), (3, 5, 7), (2, 1, 4, 4), (6,)]


def make(name: str, **settings: float):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(**settings))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear(nn.Module):
    """``w . x + label``, whose slope is w everywhere."""

    def __init__(self, shape, norm: float = 3.0) -> None:
        super().__init__()
        weight = torch.randn(shape, generator=rng(1), dtype=torch.float64)
        self.weight = nn.Parameter(weight * norm / weight.norm())

    def forward(self, output, condition):
        logits = (output * self.weight).flatten(1).sum(1)
        return Critique((logits + condition["label"],))


def data(shape, dtype=torch.float64):
    return tuple(torch.randn(8, *shape, generator=rng(seed), dtype=dtype) for seed in (2, 3))


LABEL = {"label": torch.arange(8)}


@pytest.mark.parametrize("shape", SHAPES)
def test_of_a_linear_critic_every_penalty_is_known(shape):
    critic, (real, fake) = Linear(shape), data(shape)
    assert make("r1", weight=0.5)(critic, real, fake, LABEL, rng()).item() == pytest.approx(0.25 * 9)
    assert make("r2", weight=0.5)(critic, real, fake, LABEL, rng()).item() == pytest.approx(0.25 * 9)
    assert make("gradient-penalty")(critic, real, fake, LABEL, rng()).item() == pytest.approx(10 * (3 - 1) ** 2)
    assert make("gradient-penalty", weight=2.0, target=0.0)(critic, real, fake, LABEL, rng()).item() == pytest.approx(
        18
    )


def test_r1_is_taken_at_real_and_r2_at_generated_samples_and_the_gradient_penalty_between():
    def square(output, condition):
        return Critique(((output**2).flatten(1).sum(1) / 2,))  # its slope is x

    real, fake = torch.full((4, 2), 1.0), torch.full((4, 2), 5.0)
    assert make("r1")(square, real, fake, {}, rng()).item() == pytest.approx(0.5 * 2)
    assert make("r2")(square, real, fake, {}, rng()).item() == pytest.approx(0.5 * 50)
    way = torch.rand(4, 1, generator=rng())
    between = fake + way * (real - fake)
    expected = 10 * (between.norm(dim=1) - 1).square().mean()
    assert make("gradient-penalty")(square, real, fake, {}, rng()).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_patches_are_averaged_and_scales_are_added(name):
    critic, (real, fake) = Linear((1, 4, 4)), data((1, 4, 4))

    def patches(output, condition):
        (logits,) = critic(output, condition).logits
        return Critique((logits[:, None, None, None].expand(-1, 1, 3, 2), logits))

    for_both_scales = make(name, **({"target": 0.0} if name == "gradient-penalty" else {}))
    once = for_both_scales(critic, real, fake, LABEL, rng()).item()
    assert for_both_scales(patches, real, fake, LABEL, rng()).item() == pytest.approx(4 * once)


class Small(nn.Module):
    """A critic with a norm and a curved slope."""

    def __init__(self, features: int, norm: bool) -> None:
        super().__init__()
        layers = [
            nn.Flatten(),
            nn.Linear(features, 5),
            *([nn.BatchNorm1d(5)] if norm else []),
            nn.Softplus(),
            nn.Linear(5, 1),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, output, condition):
        return Critique((self.layers(output)[:, 0],))


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_gradient_reaches_the_critics_weights_and_is_that_of_the_value(name, norm):
    torch.manual_seed(0)
    critic, (real, fake) = Small(4, norm).double(), data((1, 2, 2))
    parameters = [p for name, p in critic.named_parameters() if "bias" not in name]

    def penalty(*_):
        return make(name)(critic, real, fake, {}, rng())

    assert torch.autograd.gradcheck(penalty, parameters)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_samples_get_no_gradient_and_are_left_as_they_are(name):
    critic, (real, fake) = Linear((6,)), data((6,))
    before = fake.clone()
    fake.requires_grad_()
    make(name)(critic, real, fake, LABEL, rng()).backward()
    assert fake.grad is None
    assert real.grad is None
    assert not real.requires_grad
    assert torch.equal(fake, before)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_flat_critic_has_a_finite_gradient(name):
    critic, (real, fake) = Linear((6,), norm=0.0), data((6,))
    penalty = make(name)(critic, real, fake, LABEL, rng())
    penalty.backward()
    assert critic.weight.grad.isfinite().all()
    assert penalty.item() == pytest.approx(10.0 if name == "gradient-penalty" else 0.0, abs=1e-4)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_low_precision_gives_a_finite_float32_penalty(name):
    torch.manual_seed(0)
    critic, (real, fake) = Small(16, norm=True), data((1, 4, 4), torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = make(name)(critic, real, fake, {}, rng())
    assert penalty.dtype == torch.float32
    penalty.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())


@pytest.mark.parametrize("name", sorted(SPECS))
def test_low_precision_samples_have_a_float32_penalty(name):
    critic, (real, fake) = Linear((6,)).bfloat16(), data((6,), torch.bfloat16)
    assert make(name)(critic, real, fake, LABEL, rng()).dtype == torch.float32


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_penalty_can_be_looked_at_where_no_gradients_are_recorded(name):
    critic, (real, fake) = Linear((6,)), data((6,))
    with torch.no_grad():
        looked_at = make(name)(critic, real, fake, LABEL, rng())
    assert torch.equal(looked_at, make(name)(critic, real, fake, LABEL, rng()))


def test_the_same_generator_state_gives_the_same_segment():
    critic, (real, fake) = Small(6, norm=False).double(), data((6,))
    penalty = make("gradient-penalty")
    values = [penalty(critic, real, fake, {}, rng(seed)).item() for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("r1", {"weight": 0.0}),
        ("r2", {"weight": -1.0}),
        ("gradient-penalty", {"weight": math.inf}),
        ("gradient-penalty", {"target": -1.0}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(ConfigError, match=r"^a regularizer's (weight|target) is .* got"):
        make(name, **settings)
