"""Objectives: known values, gradients, and games that they win."""

import math
import pkgutil

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from genframe.errors import ConfigError
from genframe.interfaces import Critique
from genframe_objectives import genframe_objectives

SPECS = {spec.name: spec for spec in genframe_objectives()}


def make(name: str, **settings: float):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(**settings))


@pytest.fixture
def objective():
    return make("non-saturating")


def critique(*logits) -> Critique:
    return Critique(tuple(torch.as_tensor(tensor, dtype=torch.float64) for tensor in logits))


def test_undecided_logits_cost_the_critic_two_log_2_and_the_generator_log_2(objective):
    undecided = critique([0.0, 0.0])
    assert objective.critic(undecided, undecided).item() == pytest.approx(2 * math.log(2))
    assert objective.generator(None, undecided).item() == pytest.approx(math.log(2))


def test_the_losses_are_binary_cross_entropy(objective):
    torch.manual_seed(0)
    real, fake = torch.randn(5).double(), torch.randn(5).double()
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    expected = F.binary_cross_entropy(real.sigmoid(), ones) + F.binary_cross_entropy(fake.sigmoid(), zeros)
    torch.testing.assert_close(objective.critic(critique(real), critique(fake)), expected)
    expected = F.binary_cross_entropy(fake.sigmoid(), ones)
    torch.testing.assert_close(objective.generator(None, critique(fake)), expected)


def test_patches_are_averaged_and_then_scales_whatever_their_size(objective):
    patches, scalar = torch.full((2, 1, 3, 3), 3.0), torch.full((2,), -1.0)
    expected = (math.log1p(math.exp(-3)) + math.log1p(math.exp(1))) / 2
    assert objective.generator(None, critique(patches, scalar)).item() == pytest.approx(expected)
    expected += (math.log1p(math.exp(3)) + math.log1p(math.exp(-1))) / 2
    assert objective.critic(critique(patches, scalar), critique(patches, scalar)).item() == pytest.approx(expected)


def test_the_generator_still_learns_where_the_critic_is_certain(objective):
    logits = torch.tensor([-50.0], requires_grad=True)
    objective.generator(None, Critique((logits,))).backward()
    assert logits.grad.item() == pytest.approx(-1.0)


def test_huge_logits_give_finite_losses(objective):
    huge = critique([1e4, -1e4])
    assert objective.critic(huge, huge).item() == pytest.approx(1e4)


def test_low_precision_logits_give_a_float32_loss(objective):
    logits = Critique((torch.tensor([0.5], dtype=torch.bfloat16),))
    assert objective.critic(logits, logits).dtype == objective.generator(None, logits).dtype == torch.float32


def test_the_gradients_are_those_of_the_values(objective):
    torch.manual_seed(1)
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in [(3,), (3, 1, 2, 2)] * 2]
    assert torch.autograd.gradcheck(lambda a, b, c, d: objective.critic(Critique((a, b)), Critique((c, d))), leaves)
    assert torch.autograd.gradcheck(lambda a, b: objective.generator(None, Critique((a, b))), leaves[:2])


def test_the_generators_side_needs_no_real_samples(objective):
    assert objective.pairs is False


REAL, FAKE = [0.5, -2.0, 3.0], [1.5, 0.0, -4.0]


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


#: Of each objective, what the critic and the generator pay for one real and one generated logit, as the papers have it.
COSTS = {
    "non-saturating": (
        lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)),
        lambda r, f: -math.log(sigmoid(f)),
    ),
    "minimax": (lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)), lambda r, f: math.log(1 - sigmoid(f))),
    "least-squares": (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: max(0.0, 1 - r) + max(0.0, 1 + f), lambda r, f: -f),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (lambda r, f: softplus(f - r), lambda r, f: softplus(r - f)),
}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_each_side_pays_what_the_paper_says(name):
    objective, (critic, generator) = make(name), COSTS[name]
    real, fake = critique(REAL), critique(FAKE)
    pairs = list(zip(REAL, FAKE, strict=True))
    assert objective.critic(real, fake).item() == pytest.approx(sum(critic(r, f) for r, f in pairs) / 3)
    given = real if objective.pairs else None
    assert objective.generator(given, fake).item() == pytest.approx(sum(generator(r, f) for r, f in pairs) / 3)


LOG_2 = math.log(2)


@pytest.mark.parametrize(
    ("name", "logits", "critic", "generator"),
    [
        ("non-saturating", (0.0, 0.0), 2 * LOG_2, LOG_2),
        ("minimax", (0.0, 0.0), 2 * LOG_2, -LOG_2),
        ("least-squares", (0.5, 0.5), 0.25, 0.125),
        ("least-squares", (1.0, 0.0), 0.0, 0.5),
        ("hinge", (0.0, 0.0), 2.0, 0.0),
        ("hinge", (1.5, -1.5), 0.0, 1.5),
        ("wasserstein", (3.0, 3.0), 0.0, -3.0),
        ("relativistic", (3.0, 3.0), LOG_2, LOG_2),
    ],
)
def test_an_undecided_critic_and_a_sure_one_pay_what_is_known(name, logits, critic, generator):
    objective, (real, fake) = make(name), (critique([logit] * 4) for logit in logits)
    assert objective.critic(real, fake).item() == pytest.approx(critic)
    assert objective.generator(real if objective.pairs else None, fake).item() == pytest.approx(generator)


def test_the_targets_of_least_squares_are_settings():
    objective = make("least-squares", real=2.0, fake=-1.0, wanted=0.5)
    assert objective.critic(critique([3.0]), critique([1.0])).item() == pytest.approx((1 + 4) / 2)
    assert objective.generator(None, critique([1.0])).item() == pytest.approx(0.125)


def test_minimax_saturates_where_the_critic_is_certain():
    logits = torch.tensor([-50.0], requires_grad=True)
    make("minimax").generator(None, Critique((logits,))).backward()
    assert logits.grad.item() == pytest.approx(0.0, abs=1e-12)


def test_only_the_relativistic_objective_pairs():
    assert {name for name in SPECS if make(name).pairs} == {"relativistic"}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_each_side_pushes_the_logits_its_way(name):
    logits = {side: torch.zeros(4, 1, 2, 2, requires_grad=True) for side in ("real", "fake")}
    real, fake = (Critique((logits[side],)) for side in ("real", "fake"))
    objective = make(name)
    objective.critic(real, fake).backward()
    assert (logits["real"].grad < 0).all()
    assert (logits["fake"].grad > 0).all() or name == "least-squares"
    logits["fake"].grad = None
    objective.generator(real if objective.pairs else None, fake).backward()
    assert (logits["fake"].grad < 0).all()


@pytest.mark.parametrize("name", sorted(SPECS))
def test_low_precision_and_huge_logits_give_finite_float32_losses(name):
    objective = make(name)
    for size in (0.5, 1e4):
        huge = Critique((torch.tensor([size, -size], dtype=torch.bfloat16),))
        for loss in (objective.critic(huge, huge), objective.generator(huge if objective.pairs else None, huge)):
            assert loss.dtype == torch.float32
            assert loss.isfinite()


@pytest.mark.parametrize("name", ["non-saturating", "minimax"])
def test_smoothing_is_cross_entropy_with_a_softer_target_for_real_samples(name):
    real, fake = critique(REAL), critique(FAKE)
    logits = torch.tensor(REAL).double()
    expected = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.9))
    expected += F.binary_cross_entropy_with_logits(fake.logits[0], torch.zeros(3).double())
    torch.testing.assert_close(make(name, smoothing=0.1).critic(real, fake), expected)
    torch.testing.assert_close(make(name, smoothing=0.1).generator(None, fake), make(name).generator(None, fake))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("non-saturating", {"smoothing": 0.5}),
        ("minimax", {"smoothing": -0.1}),
        ("least-squares", {"real": 1.0, "fake": 1.0}),
        ("least-squares", {"wanted": math.inf}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(ConfigError, match=r"^objective.*got"):
        make(name, **settings)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_point_moves_to_the_data(name):
    """Data at 2, a generator that is one number, a linear critic, and R1: Mescheder et al.'s (2018) Dirac-GAN."""
    objective = make(name)
    place = torch.tensor([-1.0], requires_grad=True)
    slope = torch.zeros(2, requires_grad=True)

    def judged(points):
        return Critique((slope[0] * points + slope[1],))

    optimizers = torch.optim.SGD([slope], 0.05), torch.optim.SGD([place], 0.05)
    real = torch.full((8,), 2.0)
    for _ in range(600):
        loss = objective.critic(judged(real), judged(place.detach().expand(8)))
        (loss + 0.5 * slope[0].square()).backward()
        optimizers[0].step()
        slope.grad = None
        fake = judged(place.expand(8))
        objective.generator(judged(real) if objective.pairs else None, fake).backward()
        optimizers[1].step()
        place.grad = slope.grad = None
    assert place.item() == pytest.approx(2.0, abs=0.3)
