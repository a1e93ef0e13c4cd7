"""Curves, maps and neighbours show the numbers that they were given."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Batch
from genframe.pictures import to_uint8
from genframe.shapes import Field, Problem
from genframe_visualizers import embedding, nearest
from genframe_visualizers.embedding import Embedding
from genframe_visualizers.losses import Losses
from genframe_visualizers.nearest import Nearest, verdict
from genframe_visualizers.settings import EmbeddingSettings, LossesSettings, NearestSettings

IMAGE = Field(kind="image", shape=(1, 8, 8))
DIGIT = Field(kind="class", classes=("nil", "one"))
LOOK = Field(kind="multilabel", shape=(2,), classes=("hat", "smile"))
POINTS = Problem(output=Field(kind="points", shape=(2,)))


class Data:
    """Two parts of pictures, with a label or without."""

    def __init__(self, train: Tensor, heldout: Tensor, label: Field | None = None) -> None:
        self.fields = {"image": IMAGE} | ({"label": label} if label else {})
        self._parts = {"train": train, "heldout": heldout}
        self._images = torch.cat([train, heldout])

    def split(self, part: str) -> Data:
        rest = Data(*self._parts.values())
        rest.fields, rest._images = self.fields, self._parts[part]
        return rest

    def __len__(self) -> int:
        return len(self._images)

    def read(self, indices: Any, *, epoch: int, seed: int) -> Batch:
        batch = {"image": self._images[list(indices)]}
        if "label" in self.fields:
            classes = torch.tensor(list(indices)) % 2
            batch["label"] = (
                classes if self.fields["label"] == DIGIT else torch.stack([classes, 1 - classes], 1).float()
            )
        return batch


class Classifier:
    """Its features are the first pixels."""

    accuracy = 0.75

    def __init__(self, field: Field) -> None:
        self.field = field

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :6].float()

    def predict(self, images: Tensor) -> Tensor:
        light = images.flatten(1)[:, 0] > 127
        return light.long() if self.field == DIGIT else torch.stack([light, ~light], 1)


def random(count: int, seed: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed)).byte()


def signed(pixels: Tensor) -> Tensor:
    return pixels.float() / 127.5 - 1.0


def history(steps: int) -> list[dict[str, Any]]:
    return [
        {"step": s, "critic_loss": 1.0 + math.sin(s), "real_logit": 0.1 * s, "digest": "ab", "broken_loss": math.nan}
        for s in range(25, 25 * steps + 1, 25)
    ]


# Losses


def drawn(pool_view, rows, **settings):
    view = pool_view(problem=Problem(output=IMAGE), pool=torch.zeros(1, 1, 8, 8), history=rows)
    return Losses(LossesSettings(**settings)).draw(view)


def test_losses_and_logits_have_panels_of_their_own_with_labelled_axes(pool_view):
    losses, logits = drawn(pool_view, history(10)).figure.axes
    assert losses.get_ylabel().replace("\n", " ").startswith("loss (nats")
    assert logits.get_ylabel().startswith("logit")
    assert logits.get_xlabel() == "step"
    assert [each.get_text() for each in losses.get_legend().get_texts()] == ["critic loss"]
    assert [each.get_text() for each in logits.get_legend().get_texts()] == ["real logit"]


def test_a_curve_has_the_logged_values_and_only_numbers_are_curves(pool_view):
    losses, _ = drawn(pool_view, history(10)).figure.axes
    (line,) = losses.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), range(25, 251, 25))
    np.testing.assert_allclose(line.get_ydata(), [row["critic_loss"] for row in history(10)])


def test_of_many_points_the_running_mean_is_drawn_over_the_values(pool_view):
    raw, mean = drawn(pool_view, history(300)).figure.axes[0].get_lines()
    values = np.array([row["critic_loss"] for row in history(300)])
    np.testing.assert_allclose(raw.get_ydata(), values)
    assert mean.get_label() == "critic loss, mean of 10"
    np.testing.assert_allclose(mean.get_ydata()[100], values[95:105].mean())
    np.testing.assert_allclose(mean.get_ydata()[0], values[:5].mean())


def test_other_figures_have_panels_by_name(pool_view):
    rows = [*history(3), {"step": 75, "nn1": 0.5}]
    labels = [axes.get_ylabel() for axes in drawn(pool_view, rows).figure.axes]
    assert labels[2] == "nn1"


def test_losses_that_differ_by_orders_are_on_a_logarithmic_scale(pool_view):
    wide = [{"step": s, "loss": 10.0 ** (-s)} for s in range(4)]
    (axes,) = drawn(pool_view, wide).figure.axes
    assert axes.get_yscale() == "log"
    assert drawn(pool_view, history(4)).figure.axes[0].get_yscale() == "linear"


def test_chance_is_marked_where_it_is_asked_for(pool_view):
    marks = [line.get_ydata()[0] for line in drawn(pool_view, history(4), chance=True).figure.axes[0].get_lines()[1:]]
    assert marks == pytest.approx([2 * math.log(2), math.log(2)])


@pytest.mark.parametrize("rows", [(), [{"step": 1, "digest": "ab"}]])
def test_where_nothing_was_logged_there_is_no_chart(pool_view, rows):
    with pytest.raises(ConfigError, match="'losses' draws what a run has logged, and there is nothing"):
        drawn(pool_view, rows)


# Neighbours


def test_each_sample_stands_beside_its_nearest_training_picture(pool_view, monkeypatch):
    train, heldout = random(40, 1), random(10, 2)
    moved = train[[7, 30, 2]].clone()
    moved[1] = (moved[1].int() + torch.where(moved[1] < 128, 10, -10)).byte()
    pool = signed(moved).repeat(4, 1, 1, 1)[:10]
    words: list[str] = []
    written = nearest.written
    monkeypatch.setattr(nearest, "written", lambda text, **more: words.append(text) or written(text, **more))
    pairs: list[Tensor] = []
    shown = nearest._shown
    monkeypatch.setattr(nearest, "_shown", lambda pixels, smooth: pairs.append(pixels) or shown(pixels, smooth))
    view = pool_view(problem=Problem(output=IMAGE), pool=pool, data=Data(train, heldout))
    Nearest(NearestSettings(count=50, shown=3)).draw(view)
    assert torch.equal(pairs[0], to_uint8(pool[:3]))
    assert torch.equal(pairs[1], train[[7, 30, 2]])
    assert words[:3] == ["0.0", "10.0", "0.0"]


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        (torch.zeros(100), "nearer to training pictures .* 100 of 100 samples .* 100 the same to the last pixel"),
        (torch.full((100,), 30.0), "farther from training pictures than held-out ones are; no sign of copies"),
        (torch.linspace(10, 20, 100), r"about as far .* samples 14\.9, held-out 14\.9 .* 5 of 100 samples"),
    ],
)
def test_the_verdict_weighs_samples_against_held_out_pictures(distances, said):
    assert re.search(said, verdict(distances, torch.linspace(10, 20, 100)))


def test_copies_are_called_so_on_the_page(pool_view, monkeypatch):
    titles: list[str] = []
    page = nearest.page
    monkeypatch.setattr(nearest, "page", lambda title, body: titles.append(title) or page(title, body))
    train = random(60, 1)
    view = pool_view(problem=Problem(output=IMAGE), pool=signed(train), data=Data(train, random(50, 2)))
    Nearest(NearestSettings()).draw(view)
    assert "nearer to training pictures than held-out ones are" in titles[0]
    assert titles[0].startswith("a pool, step 0: ")


@pytest.mark.parametrize(("train", "heldout"), [(0, 5), (5, 0)])
def test_neighbours_need_both_parts(pool_view, train, heldout):
    view = pool_view(
        problem=Problem(output=IMAGE), pool=torch.zeros(1, 1, 8, 8), data=Data(random(train, 1), random(heldout, 2))
    )
    with pytest.raises(DataError, match="empty"):
        Nearest(NearestSettings()).draw(view)


def test_data_of_another_size_is_refused(pool_view):
    large = Field(kind="image", shape=(1, 16, 16))
    view = pool_view(
        problem=Problem(output=large), pool=torch.zeros(1, 1, 16, 16), data=Data(random(4, 1), random(4, 2))
    )
    with pytest.raises(DataError, match="take the data that the run was trained on"):
        Nearest(NearestSettings()).draw(view)


# Maps


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "classifier_for", lambda data, image, label: Classifier(data.fields[label]))


def mapped(pool_view, label: Field | None = None, *, condition: Any = None, **settings: Any):
    pool = signed(random(20, 3))
    problem = Problem(output=IMAGE, condition={"label": label} if condition is not None else {})
    view = pool_view(
        problem=problem,
        pool=pool,
        conditions={} if condition is None else {"label": condition},
        data=Data(random(30, 1), random(20, 2), label),
    )
    return Embedding(EmbeddingSettings(**{"method": "pca", "count": 20, **settings})).draw(view)


def legend(chart) -> list[str]:
    return [each.get_text() for each in chart.figure.axes[0].get_legend().get_texts()]


@pytest.mark.usefixtures("classifier")
def test_a_map_has_every_picture_once_and_colours_by_class(pool_view):
    chart = mapped(pool_view, DIGIT, condition=torch.arange(20) % 2)
    real, generated = chart.figure.axes[0].collections
    assert (len(real.get_offsets()), len(generated.get_offsets())) == (20, 20)
    for colours in (real.get_edgecolors(), generated.get_facecolors()):
        assert len({tuple(row) for row in colours[0::2]}) == len({tuple(row) for row in colours[1::2]}) == 1
        assert tuple(colours[0]) != tuple(colours[1])
    assert legend(chart) == ["real, held-out", "generated, class asked for", "nil", "one"]
    assert "75.0% right" in chart.figure.get_suptitle().replace("\n", " ")


@pytest.mark.usefixtures("classifier")
def test_the_projection_is_that_of_the_principal_components(pool_view):
    chart = mapped(pool_view, DIGIT)
    features = torch.cat([random(20, 2), random(20, 3)]).flatten(1)[:, :6].double()
    centred = features - features.mean(0)
    expected = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    places = np.concatenate([np.asarray(each.get_offsets()) for each in chart.figure.axes[0].collections])
    np.testing.assert_allclose(np.abs(places), expected.abs().numpy(), rtol=1e-6, atol=1e-6)
    assert "% of the variance" in chart.figure.axes[0].get_xlabel()


@pytest.mark.usefixtures("classifier")
def test_without_a_condition_the_classifier_says_the_class(pool_view):
    chart = mapped(pool_view, DIGIT)
    light = (random(20, 3).flatten(1)[:, 0] > 127).numpy()
    colours = chart.figure.axes[0].collections[1].get_facecolors()
    assert len({tuple(row) for row in colours[light]}) == len({tuple(row) for row in colours[~light]}) == 1
    assert legend(chart)[1] == "generated, class read by the classifier"


@pytest.mark.usefixtures("classifier")
def test_of_several_labels_one_gives_the_colours(pool_view):
    assert legend(mapped(pool_view, LOOK))[2:] == ["without hat", "with hat"]
    assert legend(mapped(pool_view, LOOK, attribute="smile"))[2:] == ["without smile", "with smile"]
    with pytest.raises(ConfigError, match=r"there is no attribute 'smle'.*Did you mean 'smile'"):
        mapped(pool_view, LOOK, attribute="smle")


def test_without_labels_pixels_are_mapped(pool_view):
    chart = mapped(pool_view)
    assert legend(chart) == ["real, held-out", "generated"]
    assert "raw pixels" in chart.figure.get_suptitle()


@pytest.mark.usefixtures("classifier")
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_run_gives_the_same_map(pool_view, tmp_path, method):
    for name in ("one.svg", "two.svg"):
        mapped(pool_view, DIGIT, method=method).save(tmp_path / name, {})
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.usefixtures("classifier")
def test_neighbours_in_the_features_are_neighbours_on_the_map(pool_view):
    images = random(20, 3)
    images[10:] = 255 - images[:1] // 8  # ten pictures alike
    view = pool_view(problem=Problem(output=IMAGE), pool=signed(images), data=Data(random(9, 1), random(20, 2), DIGIT))
    chart = Embedding(EmbeddingSettings(count=20)).draw(view)
    places = np.asarray(chart.figure.axes[0].collections[1].get_offsets())
    alike, others = places[10:], places[:10]
    assert np.ptp(alike, axis=0).max() < np.ptp(others, axis=0).max()


def test_a_map_of_too_few_is_refused(pool_view):
    with pytest.raises(ConfigError, match="'embedding' got count = 3; at least 4"):
        Embedding(EmbeddingSettings(count=3))
    view = pool_view(problem=Problem(output=IMAGE), pool=torch.zeros(1, 1, 8, 8), data=Data(random(9, 1), random(2, 2)))
    with pytest.raises(DataError, match="held-out pictures, and there are 2"):
        Embedding(EmbeddingSettings()).draw(view)


@pytest.mark.parametrize("drawing", [Nearest(NearestSettings()), Embedding(EmbeddingSettings())])
def test_what_is_no_picture_is_refused(pool_view, drawing):
    with pytest.raises(ConfigError, match="this run generates points"):
        drawing.draw(pool_view(problem=POINTS, pool=torch.zeros(2, 2)))


@pytest.mark.parametrize(("name", "value"), [("count", 0), ("shown", 0)])
def test_counts_below_one_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"'nearest' got {name} = 0"):
        Nearest(NearestSettings(**{name: value}))
