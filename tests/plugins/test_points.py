"""The plane: dense networks, charts whose points can be counted, and modes that are covered or not."""

import math

import pytest
import torch
from matplotlib.collections import PathCollection
from PIL import Image
from torch import nn

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Critique, Trained
from genframe.registry import load_registry
from genframe.shapes import Field, Problem
from genframe.specs import NoSettings
from genframe.testing.runs import finished
from genframe_conditioning import ConcatSettings
from genframe_conditioning.concat import Concatenation
from genframe_conditioning.none import Unconditional
from genframe_datasets import GaussianSettings
from genframe_datasets.augment import Augment
from genframe_datasets.gaussians import modes, open_gaussians
from genframe_datasets.parted import Memory, PartedDataset
from genframe_mlp import MLPSettings
from genframe_mlp.dense import MLP
from genframe_points import ModeSettings, ScatterSettings
from genframe_points.modes import HighQuality, Modes
from genframe_points.scatter import Scatter

POINTS = Problem(output=Field(kind="points", shape=(2,)), noise_shape=(4,))
GREY = Problem(output=Field(kind="image", shape=(1, 8, 8)), noise_shape=(4,))
LABEL = {"label": Field(kind="class", classes=("a", "b", "c"))}


@pytest.fixture(scope="module")
def ring():
    return open_gaussians(GaussianSettings())


@pytest.fixture
def view_of(pool_view, ring):
    """A view of a generator that gives these points."""

    def made(points, data=ring, problem=POINTS, **more):
        return pool_view(problem=problem, pool=torch.as_tensor(points), data=data, **more)

    return made


@pytest.fixture(scope="module")
def trained():
    """A few steps of the recipe."""
    registry = load_registry()
    return finished(registry.find_spec("recipe", "gan-2d"), registry)


# the networks


def built(problem, conditioning=None, **settings):
    torch.manual_seed(0)
    return MLP(MLPSettings(**settings)).build(problem, conditioning or Unconditional(NoSettings(), problem))


@pytest.mark.parametrize("shape", [(2,), (1,), (7,)])
def test_points_are_free_numbers(shape):
    problem = Problem(output=Field(kind="points", shape=shape), noise_shape=(4,))
    networks = built(problem, hidden=16)
    points = networks["generator"](100.0 * torch.randn(64, 4), {})
    assert points.shape == (64, *shape)
    assert points.abs().max() > 5.0
    assert networks["critic"](points, {}).logits[0].shape == (64,)


def test_pictures_are_within_their_range():
    problem = Problem(output=Field(kind="image", shape=(3, 5, 9)), noise_shape=(2, 2))
    networks = built(problem, hidden=16)
    images = networks["generator"](100.0 * torch.randn(64, 2, 2), {})
    assert images.shape == (64, 3, 5, 9)
    assert images.abs().max() <= 1.0
    assert networks["critic"](images, {}).logits[0].shape == (64,)


@pytest.mark.parametrize(("depth", "hidden"), [(1, 3), (3, 16)])
def test_depth_is_the_number_of_hidden_layers_of_each_network(depth, hidden):
    for network in built(POINTS, depth=depth, hidden=hidden).values():
        sizes = [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)]
        assert sizes[:-1] == [hidden] * depth


def test_there_is_batch_norm_where_it_is_asked_for_and_never_in_the_critic():
    for wanted in (False, True):
        networks = built(POINTS, generator_norm=wanted)
        norms = {r: sum(isinstance(m, nn.BatchNorm1d) for m in n.modules()) for r, n in networks.items()}
        assert norms == {"generator": 2 * wanted, "critic": 0}


def test_hidden_layers_keep_the_scale_of_what_they_get():
    networks = built(POINTS, hidden=512, depth=4)
    deviation = networks["generator"](torch.randn(2000, 4), {}).std().item()
    assert 0.7 < deviation < 2.2


def test_labels_change_what_comes_out():
    problem = Problem(output=POINTS.output, condition=LABEL, noise_shape=(4,))
    networks = built(problem, Concatenation(ConcatSettings(), problem))
    noise = torch.randn(1, 4).expand(3, 4)
    points = networks["generator"](noise, {"label": torch.arange(3)})
    assert len(points.unique(dim=0)) == 3
    logits = networks["critic"](torch.zeros(3, 2), {"label": torch.arange(3)}).logits[0]
    assert len(logits.unique()) == 3


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (Problem(output=POINTS.output), "'mlp' got no noise"),
        (
            Problem(output=Field(kind="frames", shape=(2, 1, 8, 8)), noise_shape=(4,)),
            "'frames' and makes points and image",
        ),
        (
            Problem(output=GREY.output, condition={"source": GREY.output}, noise_shape=(4,)),
            "got the condition 'source' and takes labels only",
        ),
    ],
)
def test_what_it_cannot_serve_is_refused_in_a_sentence(problem, sentence):
    with pytest.raises(ConfigError, match=sentence):
        built(problem)


@pytest.mark.parametrize("name", ["hidden", "depth"])
def test_nothing_is_no_size(name):
    with pytest.raises(ConfigError, match=f"'mlp' got {name} = 0 and needs at least 1"):
        MLPSettings(**{name: 0})


# modes


def shares(view, **settings):
    return Modes(ModeSettings(**settings)).measure(view), HighQuality(ModeSettings(**settings)).measure(view)


@pytest.mark.parametrize("covered", range(1, 9))
def test_modes_that_are_hit_are_counted(view_of, covered):
    found, quality = shares(view_of(modes("ring")[:covered]))
    assert (found.value, found.protocol["covered"], found.protocol["modes"]) == (covered / 8, covered, 8)
    assert (found.protocol["high_quality"], quality.value) == (1.0, 1.0)


def test_a_point_counts_within_three_deviations_of_a_mode(view_of):
    away = torch.tensor([0.0, 0.05, -0.05, 0.07, -0.07, 1.0])  # of modes with a deviation of 0.02 in each coordinate
    found, quality = shares(view_of(modes("ring")[0] + torch.stack([away, torch.zeros(6)], dim=1)), count=6)
    assert found.protocol["covered"] == 1
    assert quality.value == 0.5
    assert found.protocol["high_quality"] == 0.5


def test_how_near_is_near_is_a_setting(view_of):
    points = modes("ring") + torch.tensor([0.05, 0.0])
    assert [shares(view_of(points), deviations=d)[0].value for d in (2.0, 3.0)] == [0.0, 1.0]


def test_nothing_near_any_mode_covers_none(view_of):
    found, quality = shares(view_of([[0.0, 0.0], [9.0, 9.0]]))
    assert (found.value, quality.value, quality.interval[0]) == (0.0, 0.0, 0.0)


def test_real_points_cover_all_modes_and_99_in_100_are_of_high_quality(view_of, ring):
    batch = ring.split("train").read(range(5000), epoch=0, seed=0)
    found, quality = shares(view_of(batch["point"]), count=5000)
    expected = 1.0 - math.exp(-4.5)  # Rayleigh's law
    assert found.value == 1.0
    assert quality.value == pytest.approx(expected, abs=0.006)
    assert quality.protocol["heldout_high_quality"] == pytest.approx(expected, abs=0.012)
    low, high = quality.interval
    assert low < quality.value < high
    assert high - low == pytest.approx(2 * 1.96 * (expected * (1 - expected) / 5000) ** 0.5, rel=0.2)


def labelled(points, classes, count, output="point"):
    """A dataset of which all is held out."""
    fields = {
        output: Field(kind="points", shape=tuple(points.shape[1:])),
        "kind": Field(kind="class", classes=tuple(map(str, range(count)))),
    }
    store = Memory(fields=fields, tensors={output: points, "kind": classes})
    return PartedDataset.of(store, torch.ones(len(points), dtype=torch.bool), Augment())


def test_modes_of_any_labelled_points_are_found_each_with_its_own_deviation(view_of):
    rng = torch.Generator().manual_seed(0)
    classes = torch.arange(2000) % 2
    centres, deviations = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]]), torch.tensor([0.1, 2.0])
    points = centres[classes] + deviations[classes][:, None] * torch.randn(2000, 3, generator=rng)
    problem = Problem(output=Field(kind="points", shape=(3,)), noise_shape=(4,))
    generated = [[0.5, 0.0, 0.0], [5.0, 0.0, 0.0], [0.2, 0.0, 0.0], [10.0, 5.0, 0.0]]  # no, narrowly, yes, yes
    found, quality = shares(view_of(generated, labelled(points, classes, 2, "where"), problem), count=4)
    assert found.protocol["covered"] == 2
    assert quality.value == 0.75


@pytest.mark.parametrize(("metric", "name"), [(Modes, "modes"), (HighQuality, "high-quality")])
def test_what_cannot_be_counted_is_refused_in_a_sentence(view_of, metric, name):
    measure = metric(ModeSettings()).measure
    with pytest.raises(ConfigError, match=f"'{name}' is about points, and this run generates image of 1x8x8"):
        measure(view_of(torch.zeros(4, 1, 8, 8), problem=GREY))
    unlabelled = Memory(fields={"point": POINTS.output}, tensors={"point": torch.zeros(4, 2)})
    with pytest.raises(ConfigError, match=f"'{name}' counts modes, and this run's data has no class"):
        measure(view_of(torch.zeros(4, 2), PartedDataset.of(unlabelled, torch.ones(4, dtype=torch.bool), Augment())))
    for points, classes in ((torch.randn(4, 2), torch.tensor([0, 0, 0, 1])), (torch.zeros(4, 2), torch.arange(4) % 2)):
        with pytest.raises(DataError, match=f"'{name}' takes a mode's deviation from its held-out points"):
            measure(view_of(torch.zeros(4, 2), labelled(points, classes, 2)))
    with pytest.raises(DataError, match="a generated point is no number"):
        measure(view_of([[0.0, float("nan")]]))


@pytest.mark.parametrize("settings", [{"count": 0}, {"deviations": 0.0}, {"deviations": math.inf}])
def test_settings_of_modes_that_make_no_sense_are_refused(settings):
    for metric, name in ((Modes, "modes"), (HighQuality, "high-quality")):
        with pytest.raises(ConfigError, match=f"the metric '{name}' got"):
            metric(ModeSettings(**settings))


# the chart


class HalfPlane(nn.Module):
    """D is 1 where the first number is above 0, and 0 elsewhere."""

    def forward(self, points, condition):
        return Critique((100.0 * points[:, 0].sign(),))


def drawn(view, **settings):
    return Scatter(ScatterSettings(**settings)).draw(view).figure


def points_in(panel):
    (scattered,) = (each for each in panel.collections if isinstance(each, PathCollection))
    return torch.tensor(scattered.get_offsets().data, dtype=torch.float32)


def test_real_points_are_on_the_left_and_generated_ones_on_the_right(view_of, ring):
    pool = torch.tensor([[0.5, 0.25], [-1.0, 0.75]])
    figure = drawn(view_of(pool, title="a pool, step 3"), count=6)
    left, right = figure.axes
    torch.testing.assert_close(points_in(left), ring.split("heldout").read(range(6), epoch=0, seed=0)["point"])
    torch.testing.assert_close(points_in(right), pool.repeat(3, 1))
    assert figure.get_suptitle() == "a pool, step 3"
    assert (left.get_title("left"), right.get_title("left")) == ("6 real, held-out", "6 generated")
    assert left.get_aspect() == right.get_aspect() == 1.0


def test_the_limits_are_those_of_the_real_points_whatever_is_generated(view_of):
    near, far = drawn(view_of([[0.0, 0.0]])), drawn(view_of([[0.0, 0.0], [50.0, 0.0]]))
    assert [panel.axis() for panel in near.axes] == [panel.axis() for panel in far.axes]
    low, high = near.axes[0].get_xlim()
    assert low < -2.0 < 2.0 < high
    assert far.axes[1].get_title("left") == "1,000 generated, 500 of them outside"


def with_critic(view, critic):
    class Critical(type(view)):
        @property
        def trained(self):
            return Trained(
                problem=self.problem, generator=lambda n, c: self.pool, networks={"critic": critic}, noise=None
            )

    return Critical(**vars(view))


def test_the_critics_answers_lie_where_they_were_asked_for(view_of):
    figure = drawn(with_critic(view_of([[0.0, 0.0]]), HalfPlane()))
    for panel in figure.axes[:2]:
        (image,) = panel.images
        answers = torch.tensor(image.get_array().data)
        columns = answers.shape[1]
        assert (answers[:, : columns // 2 - 1] < 1e-6).all()
        assert (answers[:, columns // 2 + 1 :] > 1 - 1e-6).all()
        assert image.origin == "lower"
        assert image.get_clim() == (0.0, 1.0)
        assert tuple(image.get_extent()) == (*panel.get_xlim(), *panel.get_ylim())
    assert "D, " in figure.axes[2].get_ylabel()


def test_rows_of_answers_are_counted_from_below(view_of):
    class Upper(nn.Module):
        def forward(self, points, condition):
            return Critique((100.0 * points[:, 1].sign(),))

    (image,) = drawn(with_critic(view_of([[0.0, 0.0]]), Upper())).axes[0].images
    answers = torch.tensor(image.get_array().data)
    assert (answers[0] < 1e-6).all()
    assert (answers[-1] > 1 - 1e-6).all()


def test_answers_are_left_out_where_they_are_not_wanted_or_want_labels(view_of):
    plain = view_of([[0.0, 0.0]])
    conditional = Problem(output=POINTS.output, condition=LABEL, noise_shape=(4,))
    asked = view_of([[0.0, 0.0]], problem=conditional, conditions={"label": torch.zeros(1, dtype=torch.int64)})
    for view, wanted in ((plain, False), (asked, True)):
        figure = drawn(with_critic(view, HalfPlane()), answers=wanted)
        assert [len(panel.images) for panel in figure.axes] == [0, 0]


def test_other_runs_are_refused_in_a_sentence(view_of):
    with pytest.raises(ConfigError, match=r"'scatter' is about points of 2 numbers, and .* generates image"):
        drawn(view_of(torch.zeros(4, 1, 8, 8), problem=GREY))
    solid = Problem(output=Field(kind="points", shape=(3,)), noise_shape=(4,))
    with pytest.raises(ConfigError, match="points of 2 numbers, and this run generates points of 3"):
        drawn(view_of(torch.zeros(4, 3), problem=solid))
    with pytest.raises(ConfigError, match="'scatter' got count = 0"):
        Scatter(ScatterSettings(count=0))


# the recipe


def test_a_run_is_drawn_as_it_goes_in_pictures_of_one_size(trained):
    pictures = trained.view.pictures
    assert len(pictures) >= 2
    sizes = set()
    for path in pictures:
        with Image.open(path) as image:
            sizes.add(image.size)
    assert len(sizes) == 1


def test_a_chart_of_a_run_has_the_same_bytes_twice(trained, tmp_path):
    for name in ("a.png", "b.png", "a.svg", "b.svg"):
        Scatter(ScatterSettings(count=50)).draw(trained.view).save(tmp_path / name, {"seed": "0"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_run_is_measured(trained):
    found, quality = shares(trained.view, count=200)
    assert found.protocol["modes"] == 8
    assert 0.0 <= quality.interval[0] <= quality.value <= quality.interval[1] <= 1.0
