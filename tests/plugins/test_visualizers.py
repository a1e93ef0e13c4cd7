"""Visualizers put each sample where its index and its class say."""

import pytest
import torch

from genframe.errors import ConfigError
from genframe.pictures import Row, sheet
from genframe.shapes import Field, Problem
from genframe_visualizers import ClassGridSettings, SamplesSettings
from genframe_visualizers.class_grid import ClassGrid
from genframe_visualizers.samples import SamplesGrid

IMAGE = Field(kind="image", shape=(3, 16, 16))


def classes(count: int) -> Field:
    return Field(kind="class", classes=tuple(f"kind {i}" for i in range(count)))


def random_pool(count: int, *shape: int) -> torch.Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(1)) * 2 - 1


def turns(count: int, kinds: int) -> dict[str, torch.Tensor]:
    return {"label": torch.arange(count) % kinds}


def same_picture(picture, rows, **words) -> bool:
    return picture.image.tobytes() == sheet(rows, smooth=True, **words).image.tobytes()


@pytest.mark.parametrize(
    ("grid", "labels"),
    [
        (SamplesGrid(SamplesSettings(columns=5)), []),
        (ClassGrid(ClassGridSettings(columns=5)), ["#0–2", "#3–5", "#6–8", "#9–11", "#12–14"]),
    ],
)
def test_row_r_and_column_c_show_sample_c_times_k_plus_r(pool_view, grid, labels):
    pool = random_pool(15, 3, 16, 16)
    view = pool_view(problem=Problem(output=IMAGE, condition={"label": classes(3)}), pool=pool, conditions=turns(15, 3))
    rows = [Row(label=f"kind {r}", images=pool[r::3]) for r in range(3)]
    assert same_picture(grid.draw(view), rows, title=view.title, column_labels=labels)


def test_beyond_20_classes_the_first_20_are_shown_and_the_title_says_so(pool_view):
    pool = random_pool(60, 1, 8, 8)
    problem = Problem(output=Field(kind="image", shape=(1, 8, 8)), condition={"label": classes(30)})
    view = pool_view(problem=problem, pool=pool, conditions=turns(60, 30))
    rows = [Row(label=f"kind {r}", images=pool[[r, 30 + r]]) for r in range(20)]
    picture = ClassGrid(ClassGridSettings(columns=2)).draw(view)
    title = "a pool, step 0, first 20 of 30 classes"
    assert same_picture(picture, rows, title=title, column_labels=["#0–29", "#30–59"])


def test_of_two_classes_the_one_that_turns_fastest_makes_the_rows(pool_view):
    pool = random_pool(12, 3, 16, 16)
    problem = Problem(output=IMAGE, condition={"label": classes(3), "style": classes(2)})
    view = pool_view(problem=problem, pool=pool)
    rows = [Row(label=f"kind {r}", images=pool[r::3]) for r in range(3)]
    picture = ClassGrid(ClassGridSettings(columns=4)).draw(view)
    assert same_picture(picture, rows, title=view.title, column_labels=["#0–2", "#3–5", "#6–8", "#9–11"])


def test_without_a_condition_samples_fill_a_square_row_by_row(pool_view):
    pool = random_pool(10, 3, 16, 16)
    view = pool_view(problem=Problem(output=IMAGE), pool=pool)
    rows = [Row(images=part) for part in (pool[:4], pool[4:8], pool[8:])]
    assert same_picture(SamplesGrid(SamplesSettings(count=10)).draw(view), rows, title=view.title)


@pytest.mark.parametrize("kind", ["multilabel", "vector"])
def test_conditions_that_are_no_pictures_and_no_classes_leave_a_plain_grid(pool_view, kind):
    field = Field(kind=kind, shape=(2,), classes=("hat", "coat") if kind == "multilabel" else ())
    pool = random_pool(4, 3, 16, 16)
    view = pool_view(problem=Problem(output=IMAGE, condition={"look": field}), pool=pool)
    rows = [Row(images=pool[:2]), Row(images=pool[2:])]
    assert same_picture(SamplesGrid(SamplesSettings(count=4)).draw(view), rows, title=view.title)


@pytest.mark.parametrize("as_stored", [True, False])
def test_an_output_stands_beside_its_source(pool_view, as_stored):
    pool, stored = random_pool(3, 3, 16, 16), torch.arange(3 * 3 * 256).reshape(3, 3, 16, 16).byte()
    source = stored.float() / 127.5 - 1
    view = pool_view(
        problem=Problem(output=IMAGE, condition={"sketch": IMAGE}),
        pool=pool,
        conditions={"sketch": stored if as_stored else source},
    )
    rows = [Row(images=torch.stack([source[i], pool[i]])) for i in range(3)]
    picture = SamplesGrid(SamplesSettings(examples=3)).draw(view)
    assert same_picture(picture, rows, title=view.title, column_labels=["sketch", "output"])


def test_a_small_grey_source_is_shown_at_the_size_and_in_the_colours_of_its_output(pool_view):
    grey, pool = random_pool(2, 1, 8, 8), random_pool(2, 4, 16, 16)
    condition = {"small": Field(kind="image", shape=(1, 8, 8))}
    problem = Problem(output=Field(kind="image", shape=(4, 16, 16)), condition=condition)
    view = pool_view(problem=problem, pool=pool, conditions={"small": grey})
    enlarged = grey.repeat_interleave(2, -1).repeat_interleave(2, -2).expand(-1, 3, -1, -1)
    opaque = torch.cat([enlarged, torch.ones(2, 1, 16, 16)], dim=1)
    rows = [Row(images=torch.stack([opaque[i], pool[i]])) for i in range(2)]
    picture = SamplesGrid(SamplesSettings(examples=2)).draw(view)
    assert same_picture(picture, rows, title=view.title, column_labels=["small", "output"])


def test_frames_are_shown_one_after_the_other_behind_their_context(pool_view):
    context, pool = random_pool(2, 3, 1, 16, 16), random_pool(2, 2, 1, 16, 16)
    frames = [Field(kind="frames", shape=(count, 1, 16, 16)) for count in (3, 2)]
    view = pool_view(
        problem=Problem(output=frames[1], condition={"past": frames[0]}), pool=pool, conditions={"past": context}
    )
    rows = [Row(images=torch.cat([context[i], pool[i]])) for i in range(2)]
    picture = SamplesGrid(SamplesSettings(examples=2)).draw(view)
    assert same_picture(picture, rows, title=view.title, column_labels=["past", "", "", "output", ""])


def test_a_video_from_noise_is_a_row(pool_view):
    pool = random_pool(3, 4, 1, 16, 16)
    view = pool_view(problem=Problem(output=Field(kind="frames", shape=(4, 1, 16, 16))), pool=pool)
    rows = [Row(images=video) for video in pool]
    assert same_picture(SamplesGrid(SamplesSettings(examples=3)).draw(view), rows, title=view.title)


def test_videos_by_class_are_as_many_as_fit_the_columns(pool_view):
    pool = random_pool(4, 5, 1, 16, 16)
    problem = Problem(output=Field(kind="frames", shape=(5, 1, 16, 16)), condition={"label": classes(2)})
    view = pool_view(problem=problem, pool=pool, conditions=turns(4, 2))
    rows = [Row(label=f"kind {r}", images=torch.cat([pool[r], pool[2 + r]])) for r in range(2)]
    assert same_picture(SamplesGrid(SamplesSettings(columns=10)).draw(view), rows, title=view.title)


@pytest.mark.parametrize("grid", [SamplesGrid(SamplesSettings()), ClassGrid(ClassGridSettings())])
def test_what_has_no_pixels_is_refused_with_a_way_out(pool_view, grid):
    problem = Problem(output=Field(kind="points", shape=(2,)), condition={"label": classes(2)})
    with pytest.raises(ConfigError, match=r"this run generates points.*--output FILE\.npz"):
        grid.draw(pool_view(problem=problem, pool=torch.zeros(2, 2)))


@pytest.mark.parametrize(("condition", "given"), [({}, "noise alone"), ({"sketch": IMAGE}, "sketch")])
def test_a_class_grid_of_a_run_without_classes_is_refused(pool_view, condition, given):
    with pytest.raises(ConfigError, match=f"generates from {given}: draw 'samples' instead"):
        ClassGrid(ClassGridSettings()).draw(
            pool_view(problem=Problem(output=IMAGE, condition=condition), pool=torch.zeros(1, 3, 16, 16))
        )


@pytest.mark.parametrize("name", ["columns", "examples", "count"])
def test_counts_below_one_are_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"'samples' got {name} = 0; at least 1"):
        SamplesGrid(SamplesSettings(**{name: 0}))


def test_class_grid_columns_below_one_are_refused():
    with pytest.raises(ConfigError, match="'class-grid' got columns = -3"):
        ClassGrid(ClassGridSettings(columns=-3))
