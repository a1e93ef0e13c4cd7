"""Walks through the space of z, on a generator that shows its z as a flat tint: what is drawn can then be read off."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genframe.analysis.latent import linear, spherical
from genframe.errors import ConfigError
from genframe.interfaces import Batch, Trained
from genframe.pictures import Raster, Row, sheet, to_uint8
from genframe.sampling import Conditions, View
from genframe.shapes import Field, Problem
from genframe_noise import NoiseSettings, UniformSettings
from genframe_noise.laws import Gaussian, Uniform
from genframe_visualizers import arithmetic
from genframe_visualizers.arithmetic import Arithmetic
from genframe_visualizers.interpolation import Interpolation
from genframe_visualizers.noise_sweep import NoiseSweep, reach
from genframe_visualizers.settings import ArithmeticSettings, InterpolationSettings, NoiseSweepSettings

IMAGE = Field(kind="image", shape=(1, 8, 8))
DIGIT = Field(kind="class", classes=("nil", "one", "two"))
LOOK = Field(kind="multilabel", shape=(2,), classes=("hat", "smile"))

DRAWINGS = [
    Interpolation(InterpolationSettings(rows=2, steps=3)),
    NoiseSweep(NoiseSweepSettings(rows=2, steps=3)),
    Arithmetic(ArithmeticSettings()),
]


def tinted(noise: Tensor, condition: Any) -> Tensor:
    """The first number of z as a tint; a label adds to it."""
    tint = noise[:, 0] / 4.0
    if "label" in condition:
        tint = tint + condition["label"] / 10.0
    if "look" in condition:
        tint = tint + condition["look"] @ torch.tensor([0.2, 0.4])
    return tint.view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def view(condition: dict[str, Field] | None = None, examples: dict[str, Tensor] | None = None, **more: Any) -> View:
    law = more.pop("law", Gaussian(NoiseSettings(dim=5)))
    problem = Problem(
        output=more.pop("output", IMAGE), condition=condition or {}, noise_shape=law.shape if law else None
    )
    generator = more.pop("generator", tinted)
    settings = {"title": "a view, step 0", "seed": 5, "find_dataset": lambda: Faces(), **more}
    return View(
        trained=Trained(problem=problem, generator=generator, networks={}, noise=law),
        conditions=Conditions(problem, examples or {}),
        **settings,
    )


class Faces:
    """Real pictures with two attributes."""

    fields = {"image": IMAGE, "look": LOOK}

    def split(self, part: str) -> Faces:
        return self

    def __len__(self) -> int:
        return 8

    def read(self, indices: Any, *, epoch: int, seed: int) -> Batch:
        look = torch.tensor([[i % 2, i // 2 % 2] for i in indices]).float()
        return {"image": torch.zeros(len(look), 1, 8, 8).byte(), "look": look}


class Reader:
    """Reads a hat off a light picture and a smile off a very light or a very dark one."""

    field = LOOK
    accuracy = 0.5

    def predict(self, images: Tensor) -> Tensor:
        tint = images.flatten(1)[:, 0].int() - 127
        return torch.stack([tint > 0, tint.abs() > 20], dim=1)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "classifier_for", lambda dataset, image, label: Reader())


def same(picture: Raster, rows: list[Row], title: str, columns: list[str]) -> bool:
    expected = sheet(rows, title=f"a view, step 0: {title}", column_labels=columns, smooth=True)
    return picture.image.tobytes() == expected.image.tobytes()


# Interpolation


@pytest.mark.parametrize(("path", "way"), [("linear", linear), ("spherical", spherical)])
def test_a_row_goes_from_one_sample_to_another(path, way):
    run = view()
    noise = run.samples(8).noise
    settings = InterpolationSettings(path=path, pairs=((7, 2), (0, 1)), steps=3)
    rows = [Row(label=f"z {a} → {b}", images=tinted(way(noise[a], noise[b], 3), {})) for a, b in settings.pairs]
    picture = Interpolation(settings).draw(run)
    assert same(picture, rows, f"{path} ways from one z to another", ["0", "0.5", "1"])


def test_a_row_keeps_the_class_of_its_first_sample():
    run = view({"label": DIGIT})
    samples = run.samples(6)
    rows = [
        Row(
            label=f"z {r} → {r + 2} as {DIGIT.classes[r]}",
            images=tinted(linear(samples.noise[r], samples.noise[r + 2], 3), {"label": torch.full((3,), r)}),
        )
        for r in (0, 1)
    ]
    picture = Interpolation(InterpolationSettings(path="linear", rows=2, steps=3)).draw(run)
    assert same(picture, rows, "linear ways from one z to another", ["0", "0.5", "1"])


def test_between_classes_one_way_is_shown_in_each_class():
    run = view({"label": DIGIT})
    way = spherical(*run.samples(4).noise[[0, 3]], 3)
    rows = [Row(label=name, images=tinted(way, {"label": torch.full((3,), i)})) for i, name in enumerate(DIGIT.classes)]
    picture = Interpolation(InterpolationSettings(between="labels", pairs=((0, 3),), steps=3)).draw(run)
    assert same(picture, rows, "one spherical way from z 0 to z 3, in each class", ["0", "0.5", "1"])


def test_labels_that_are_numbers_have_numbers_between_them():
    looks = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    run = view({"look": LOOK}, {"look": looks})
    between = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    row = Row(label="z 0: +smile -hat", images=tinted(run.samples(1).noise.expand(3, -1), {"look": between}))
    picture = Interpolation(InterpolationSettings(between="labels", pairs=((0, 1),), steps=3)).draw(run)
    assert same(picture, [row], "one z a row, from the labels of a sample to those of another", ["0", "0.5", "1"])


def test_without_labels_there_is_nothing_between_them():
    with pytest.raises(ConfigError, match="between = labels, and this run generates from no labels"):
        Interpolation(InterpolationSettings(between="labels")).draw(view())


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"steps": 1}])
def test_interpolation_refuses_fewer_than_one_row_or_two_steps(wrong):
    with pytest.raises(ConfigError, match=f"'interpolation' got {next(iter(wrong))} = "):
        Interpolation(InterpolationSettings(**wrong))


# Sweeps


def test_a_row_varies_one_number_and_keeps_the_others():
    run = view(law=Uniform(UniformSettings(dim=5)))
    noise = run.samples(4).noise[3]
    swept = torch.stack([torch.tensor([value, *noise[1:]]) for value in (-1.0, 0.0, 1.0)])
    change = 2.0 / 4.0 * 127.5  # of the tint
    rows = [
        Row(label=f"z[0]  {change:.1f}", images=tinted(swept, {})),
        Row(label="z[2]  0.0", images=tinted(noise.expand(3, -1), {})),
    ]
    picture = NoiseSweep(NoiseSweepSettings(coordinates=(0, 2), steps=3, sample=3)).draw(run)
    title = (
        "sample 3, 2 of 5 numbers of z, varied one at a time; beside each how much a pixel changes in the mean from "
        "end to end, of 255"
    )
    assert same(picture, rows, title, ["-1", "0", "1"])


def test_the_numbers_that_change_the_picture_most_come_first():
    def weighing(noise: Tensor, condition: Any) -> Tensor:
        return (noise @ torch.tensor([0.01, 0.05, 0.0, 0.2, 0.1])).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    run = view(generator=weighing)
    named = NoiseSweep(NoiseSweepSettings(coordinates=(3, 4, 1), steps=3)).draw(run).image
    most = NoiseSweep(NoiseSweepSettings(rows=3, steps=3)).draw(run).image
    rows = 3 * 68 + 8  # pixels: below the title and the column labels
    assert named.crop((0, named.height - rows, 300, named.height)).tobytes() == (
        most.crop((0, most.height - rows, 300, most.height)).tobytes()
    )


@pytest.mark.parametrize(
    ("law", "ends"),
    [
        (Uniform(UniformSettings(dim=7)), (-1.0, 1.0)),
        (Uniform(UniformSettings(dim=3, low=0.0, high=1.0)), (0.0, 1.0)),
        (Gaussian(NoiseSettings(dim=64)), (-2.0, 2.0)),
    ],
)
def test_values_reach_as_far_as_those_of_the_law(law, ends):
    assert reach(law, torch.device("cpu")) == pytest.approx(ends, abs=1e-4)


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"sample": -1}, {"rows": 0}])
def test_a_sweep_refuses_what_makes_none(wrong):
    with pytest.raises(ConfigError, match="'noise-sweep' got"):
        NoiseSweep(NoiseSweepSettings(**wrong))


@pytest.mark.parametrize("place", [5, -1])
def test_a_coordinate_that_z_has_not_is_refused(place):
    with pytest.raises(ConfigError, match=f"got coordinate {place}; a z of this run has the coordinates 0 to 4"):
        NoiseSweep(NoiseSweepSettings(coordinates=(0, place))).draw(view())


# Arithmetic


def tiles_of(picture: Raster) -> dict[int, int]:
    """How many whole tiles of 64x64 pixels have each tint."""
    counts: dict[int, int] = {}
    for number, colour in picture.image.getcolors(2**24):
        if number >= 64 * 64 - 40 and len(set(colour)) == 1 and colour[0] != 250:
            counts[colour[0]] = round(number / 64**2)
    return counts


def tint(noise: Tensor, label: int = 0) -> int:
    return int(to_uint8(noise[0] / 4.0 + label / 10.0))


def test_a_minus_b_plus_c_stands_in_the_middle_among_the_samples_and_their_means():
    run = view()
    noise = run.samples(6).noise
    settings = ArithmeticSettings(a=(0, 1), b=(2, 3), c=(4, 5), radius=0.0, smooth=False)
    found = tiles_of(Arithmetic(settings).draw(run))
    a, b, c = noise.view(3, 2, 5).mean(1)
    expected: dict[int, int] = {}
    for shown in [*map(tint, noise), *map(tint, (a, b, c)), *[tint(a - b + c)] * 9]:
        expected[shown] = expected.get(shown, 0) + 1
    assert found == expected


def test_the_result_has_the_class_of_c():
    run = view({"label": DIGIT})
    noise = run.samples(3).noise
    settings = ArithmeticSettings(a=(0,), b=(1,), c=(2,), radius=0.0, smooth=False)
    found = tiles_of(Arithmetic(settings).draw(run))
    assert found[tint(noise[0] - noise[1] + noise[2], label=2)] >= 9


def test_by_default_all_samples_are_of_one_class(monkeypatch):
    asked: list[list[int]] = []
    real = arithmetic.samples_at
    monkeypatch.setattr(arithmetic, "samples_at", lambda run, those: asked.append(list(those)) or real(run, those))
    Arithmetic(ArithmeticSettings()).draw(view({"label": DIGIT}))
    assert asked[:3] == [[0, 3, 6], [9, 12, 15], [18, 21, 24]]


@pytest.mark.usefixtures("reader")
def test_by_attribute_the_first_samples_that_show_it_are_taken(monkeypatch):
    titles: list[str] = []
    asked: list[list[int]] = []
    page, samples_at = arithmetic.page, arithmetic.samples_at
    monkeypatch.setattr(arithmetic, "page", lambda title, body: titles.append(title) or page(title, body))
    monkeypatch.setattr(
        arithmetic, "samples_at", lambda run, those: asked.append(list(those)) or samples_at(run, those)
    )
    run = view()
    seen = Reader().predict(to_uint8(run.samples(200).output)).tolist()
    Arithmetic(ArithmeticSettings(a=("hat", "smile"), b=("smile",), c=(), average=2, samples=200)).draw(run)
    patterns = [[True, True], [False, True], [False, False]]
    assert asked[:3] == [[i for i, each in enumerate(seen) if each == pattern][:2] for pattern in patterns]
    assert "asked for hat, no smile, and a classifier (right about 50.0% of real attributes) reads" in titles[0]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"a": ("halo",)}, "there is no attribute 'halo'; the data has 'hat', 'smile'"),
        ({"a": ("hat",), "b": (), "c": ("hat",)}, "leaves no sense of 'hat'"),
        ({"a": (), "b": ("smile",), "c": ()}, "leaves no sense of 'smile'"),
        ({"a": ("hat",), "average": 60, "samples": 64}, "wants 60 samples of 'hat', and a classifier sees"),
    ],
)
def test_attributes_that_cannot_be_shown_are_refused(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        Arithmetic(ArithmeticSettings(**settings)).draw(view())


def test_attributes_of_data_without_labels_are_refused(monkeypatch):
    monkeypatch.setattr(Faces, "fields", {"image": IMAGE})
    with pytest.raises(ConfigError, match="this run's data has no field of several labels"):
        Arithmetic(ArithmeticSettings(a=("hat",))).draw(view())


@pytest.mark.parametrize(
    "wrong",
    [{"a": (1,), "b": (2,)}, {"a": (1,), "b": ("hat",), "c": (2,)}, {"radius": -0.1}, {"average": 0}, {"samples": 0}],
)
def test_arithmetic_refuses_what_it_cannot_take(wrong):
    with pytest.raises(ConfigError, match="'arithmetic' got"):
        Arithmetic(ArithmeticSettings(**wrong))


# All of them


@pytest.mark.parametrize("drawing", DRAWINGS)
@pytest.mark.parametrize("change", [{"law": None}, {"output": Field(kind="points", shape=(2,))}])
def test_a_run_without_noise_or_without_pictures_is_refused_in_one_sentence(drawing, change):
    with pytest.raises(ConfigError, match=r"the visualizer '[a-z-]+' (looks at|shows)"):
        drawing.draw(view(**change))


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_the_same_run_gives_the_same_bytes_and_another_seed_others(drawing):
    first, second, other = (drawing.draw(view(seed=seed)).image.tobytes() for seed in (5, 5, 6))
    assert first == second
    assert first != other
