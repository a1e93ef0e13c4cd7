"""Objectives: known values, and gradients."""

import math
import pkgutil

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from genframe.interfaces import Critique
from genframe_objectives import genframe_objectives

SPECS = {spec.name: spec for spec in genframe_objectives()}


@pytest.fixture
def objective():
    spec = SPECS["non-saturating"]
    return pkgutil.resolve_name(spec.factory)(spec.settings())


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
