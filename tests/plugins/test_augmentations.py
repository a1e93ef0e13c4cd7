"""Augmentations: what each change does, its gradient, and that nothing else is random."""

from __future__ import annotations

import pkgutil

import pytest
import torch

from genframe.errors import ConfigError
from genframe_augmentations import genframe_augmentations
from genframe_augmentations.diffaugment import cut_out, recoloured, translated

(SPEC,) = genframe_augmentations()
SHAPES = [(8, 1, 8, 8), (8, 3, 9, 13), (4, 2, 3, 8, 10)]


def make(**settings):
    return pkgutil.resolve_name(SPEC.factory)(SPEC.settings(**settings))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=rng(9), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_and_dtype_stay_and_one_state_gives_one_change(shape):
    augment, samples = make(), images(*shape).float()
    once, again, other = (augment(samples, rng(seed)) for seed in (0, 0, 1))
    assert once.shape == samples.shape
    assert once.dtype == samples.dtype
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert not torch.equal(once, samples)


@pytest.mark.parametrize("policy", ["color", "translation", "cutout"])
def test_each_change_is_linear_and_its_gradient_is_exact(policy):
    augment, samples = make(policy=(policy,)), images(3, 2, 5, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, rng()), samples)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_translation_moves_each_sample_as_a_whole_and_brings_in_zeros(shape):
    samples = images(*shape)
    moved = translated(samples, 0.25, rng())
    *_, height, width = shape
    down, right = int(height * 0.25 + 0.5), int(width * 0.25 + 0.5)
    seen = set()
    for before, after in zip(samples, moved, strict=True):
        padded = torch.nn.functional.pad(before, (right, right, down, down))
        places = [
            (y, x)
            for y in range(2 * down + 1)
            for x in range(2 * right + 1)
            if torch.equal(padded[..., y : y + height, x : x + width], after)
        ]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) > 1


def test_a_translation_makes_every_move_up_to_its_furthest_equally_often():
    samples = torch.zeros(3500, 1, 8, 14)
    samples[:, :, 4, 7] = 1.0
    places = translated(samples, 0.2, rng()).nonzero()[:, 2:] - torch.tensor([4, 7])  # 1.6 and 2.8, rounded
    moves, counts = places.unique(dim=0, return_counts=True)
    assert moves.tolist() == [[down, right] for down in range(-2, 3) for right in range(-3, 4)]
    assert counts.min() > 60  # of 100 expected
    assert counts.max() < 140


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cutout_covers_a_rectangle_of_all_channels_and_leaves_the_rest(shape):
    samples = images(*shape)
    cut = cut_out(samples, 0.5, rng())
    *_, height, width = shape
    for before, after in zip(samples, cut, strict=True):
        covered = (after == 0).flatten(0, -3)
        assert torch.equal(covered.all(0), covered.any(0))
        assert torch.equal(before * ~covered.any(0), after)
        rows, columns = covered[0].any(1).sum(), covered[0].any(0).sum()
        assert covered[0].sum() == rows * columns
        assert 1 <= rows <= int(height * 0.5 + 0.5)
        assert 1 <= columns <= int(width * 0.5 + 0.5)


def test_the_centre_of_a_cutout_lies_anywhere():
    covered = cut_out(torch.ones(1000, 1, 8, 6), 0.5, rng())[:, 0] == 0
    rows, columns = covered.any(2).unique(dim=0), covered.any(1).unique(dim=0)
    # Four rows around a line between two rows, the edges included; three columns around one of the columns.
    assert {tuple(row.nonzero()[:, 0].tolist()) for row in rows} == {
        tuple(range(max(line - 2, 0), min(line + 2, 8))) for line in range(9)
    }
    assert {tuple(column.nonzero()[:, 0].tolist()) for column in columns} == {
        tuple(range(max(centre - 1, 0), min(centre + 2, 6))) for centre in range(6)
    }


def test_a_policy_is_its_changes_in_their_order_at_their_strength():
    samples, once = images(4, 3, 8, 8), rng()
    changed = make(policy=("cutout", "color", "translation"), translation=0.25, cutout=0.75)(samples, rng())
    assert torch.equal(changed, translated(recoloured(cut_out(samples, 0.75, once), once), 0.25, once))
    assert torch.equal(make(policy=("cutout",))(samples, rng()), cut_out(samples, 0.5, rng()))


def test_colour_changes_brightness_saturation_and_contrast_within_their_ranges():
    grey = torch.full((4000, 3, 2, 2), 0.25, dtype=torch.float64)
    shifts = recoloured(grey, rng())[:, 0, 0, 0] - 0.25
    assert -0.5 <= shifts.min() < -0.45
    assert 0.45 < shifts.max() < 0.5
    pixels = torch.zeros(4000, 3, 1, 2, dtype=torch.float64)
    pixels[:, 0, 0, 0] = 1.0
    changed = recoloured(pixels, rng())
    spread = changed[:, 0, 0, 0] - changed[:, 1, 0, 0]  # of the channels: saturation times contrast
    assert spread.min() < 0.1
    assert 2.5 < spread.max() < 3.0
    contrast = changed[:, :, 0, 0].mean(1) - changed[:, :, 0, 1].mean(1)  # of the pixels' greys, a third at first
    assert 0.5 / 3 <= contrast.min() < 0.6 / 3
    assert 1.4 / 3 < contrast.max() < 1.5 / 3


def test_one_channel_has_no_saturation():
    samples = images(64, 1, 4, 4)
    changed = recoloured(samples, rng())
    factor = changed.flatten(1).std(1) / samples.flatten(1).std(1)
    assert factor.min() >= 0.5
    assert factor.max() < 1.5


def test_frames_of_a_sample_change_alike_and_as_a_picture_would():
    pictures = images(6, 3, 8, 8)
    changed = make()(pictures[:, None].expand(6, 4, 3, 8, 8), rng())
    torch.testing.assert_close(changed, make()(pictures, rng())[:, None].expand_as(changed))


def test_the_contrast_of_a_sample_is_also_that_between_its_frames():
    frames = torch.tensor([0.0, 0.2]).double().view(1, 2, 1, 1, 1).expand(500, 2, 1, 4, 4)
    changed = recoloured(frames, rng())
    factor = (changed[:, 1] - changed[:, 0]) / 0.2
    assert 0.5 <= factor.min() < 0.6
    assert 1.4 < factor.max() < 1.5


def test_points_are_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"^augmentation 'diffaugment' changes pictures and got .* \(2,\)"):
        make()(torch.zeros(5, 2), rng())


@pytest.mark.parametrize(
    "settings", [{"policy": ()}, {"policy": ("color", "color")}, {"translation": 1.0}, {"cutout": 0.0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=r"^augmentation 'diffaugment' got"):
        make(**settings)
