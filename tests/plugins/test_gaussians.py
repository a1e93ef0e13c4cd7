"""Points around known modes: the same bytes everywhere, as many at each mode as at any other."""

import pytest
import torch

from genframe.errors import ConfigError
from genframe.settings import validated
from genframe_datasets import GaussianSettings
from genframe_datasets.gaussians import modes, open_gaussians

LAYOUTS = {"ring": (8, 0.02), "grid": (25, 0.05)}


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture(scope="module")
def data(layout):
    return open_gaussians(GaussianSettings(layout=layout))


def test_a_point_is_two_numbers_and_its_class_is_its_mode(data, layout):
    batch = everything(data)
    assert (batch["point"].dtype, batch["point"].shape) == (torch.float32, (10_000, 2))
    assert (batch["label"].dtype, batch["label"].shape) == (torch.int64, (10_000,))
    assert (data.fields["point"].kind, len(data.fields["label"].classes)) == ("points", LAYOUTS[layout][0])


@pytest.mark.parametrize(
    ("layout", "known"),
    [
        ("ring", [[2.00903, -0.00534], [1.42011, 1.39876], [-0.00804, 2.00954]]),
        ("grid", [[-3.97743, -4.01335], [4.01473, -2.03862], [1.97989, 4.02386]]),
    ],
)
def test_the_points_never_change(layout, known):
    points = open_gaussians(GaussianSettings(layout=layout, count=1000)).read([0, 9, 999], epoch=0, seed=0)["point"]
    torch.testing.assert_close(points, torch.tensor(known), rtol=0.0, atol=1e-5)


def test_a_point_is_the_same_however_many_there_are(data, layout):
    few = everything(open_gaussians(GaussianSettings(layout=layout, count=1234)))
    assert all(torch.equal(few[name], values[:1234]) for name, values in everything(data).items())


def test_every_tenth_point_is_held_out(data):
    assert data.split("heldout").members.tolist() == list(range(9, 10_000, 10))
    assert len(data.split("train")) == 9000


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_modes_are_equally_many_in_each_part(data, part, layout):
    counts = torch.bincount(everything(data.split(part))["label"])
    assert len(counts) == LAYOUTS[layout][0]
    assert counts.max() - counts.min() <= 10


def test_points_are_normal_about_their_mode(data, layout):
    count, deviation = LAYOUTS[layout]
    batch = everything(data)
    centres = modes(layout)
    standard = (batch["point"] - centres[batch["label"]]) / deviation
    assert standard.mean(0).abs().max() < 4.0 / 10_000**0.5
    assert (standard.var(0) - 1.0).abs().max() < 4.0 * (2.0 / 10_000) ** 0.5
    inside = (standard.norm(dim=1) <= 3.0).double().mean()
    assert inside.item() == pytest.approx(1.0 - torch.tensor(-4.5).exp().item(), abs=0.004)  # Rayleigh's law
    for mode in range(count):
        assert (standard[batch["label"] == mode].mean(0).abs() < 4.5 * (count / 10_000) ** 0.5).all()


def test_the_ring_has_radius_2_and_the_grid_steps_of_2():
    ring, grid = modes("ring"), modes("grid")
    torch.testing.assert_close(ring.norm(dim=1), torch.full((8,), 2.0))
    torch.testing.assert_close((ring - ring.roll(1, 0)).norm(dim=1).unique(), torch.tensor([1.5307337]))
    assert sorted(map(tuple, grid.tolist())) == [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]


def test_classes_are_named_by_where_they_are():
    assert open_gaussians(GaussianSettings()).fields["label"].classes[:3] == (
        "(2.00, 0.00)",
        "(1.41, 1.41)",
        "(0.00, 2.00)",
    )


def test_the_deviation_is_a_setting():
    narrow, wide = (everything(open_gaussians(GaussianSettings(count=1000, deviation=d))) for d in (0.1, 0.2))
    centres = modes("ring")[narrow["label"]]
    torch.testing.assert_close(2.0 * (narrow["point"] - centres), wide["point"] - centres, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 999}, r"data\.count is how many points are drawn, 1000 to 1000000; got 999"),
        ({"count": 1_000_001}, "got 1000001"),
        ({"deviation": 0.0}, r"data\.deviation is .* above 0 and at most 1.*; got 0\.0"),
        ({"deviation": 1.5}, r"got 1\.5"),
        ({"deviation": float("nan")}, r"data\.deviation = nan: a number is wanted"),
        ({"layout": "spiral"}, r"data\.layout"),
        ({"image_size": 32}, r"data\.image_size is not a setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_gaussians(validated(GaussianSettings, settings, "data"))
    assert "\n" not in str(caught.value)
