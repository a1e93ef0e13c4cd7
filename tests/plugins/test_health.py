"""The health monitor: known answers of its statistic, when it speaks, resumed runs, stopping, what it cannot watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import genframe
from genframe.errors import DivergenceError
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_health import HealthSettings
from genframe_health.diversity import Yardstick, relative
from genframe_health.monitor import Diagnosis, Episode, Health

BENCH = Path(__file__).parents[2] / "bench"

SMALL = ["--plugin", "cdcgan", "--set", "architecture.width=8", "--set", "architecture.hidden=32", "--device", "cpu"]
SMALL += ["--set", "metrics=[]", "--log-every", "10", "--sample-every", "1000", "--checkpoint-every", "40"]
SMALL += ["--set", "observers.0.every=10"]
FROZEN = [*SMALL, "--set", "algorithm.critic_learning_rate=1e-7"]

DIGITS = open_digits(ImageSettings())
LABELLED = Problem(output=DIGITS.fields["image"], condition={"label": DIGITS.fields["label"]}, noise_shape=(4,))
BARE = Problem(output=DIGITS.fields["image"], noise_shape=(4,))


def held_out() -> tuple[Tensor, Tensor]:
    """Digits that are no training samples, in the order in which classes take turns: 25 rounds of 0 to 9."""
    part = DIGITS.split("heldout")
    batch = part.read(range(len(part)), epoch=0, seed=0)
    order = torch.stack([(batch["label"] == label).nonzero()[:25, 0] for label in range(10)], dim=1).flatten()
    return batch["image"][order].float() / 127.5 - 1.0, batch["label"][order]


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "health.jsonl").read_text().splitlines()]


def remarks_of(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "run.json").read_text())["remarks"]


# What the statistic says


def test_equal_samples_have_no_diversity_and_real_ones_have_the_datas(pool_view: Any) -> None:
    images, labels = held_out()
    real = pool_view(problem=LABELLED, pool=images, conditions={"label": labels}, data=DIGITS)
    same = pool_view(problem=LABELLED, pool=images[:10].repeat(25, 1, 1, 1), conditions={"label": labels}, data=DIGITS)
    yardstick = Yardstick(real, 200)
    assert yardstick.measure(real).mean == pytest.approx(1.0, abs=0.12)
    assert yardstick.measure(same).mean == pytest.approx(0.0, abs=1e-5)


def test_one_class_of_ten_that_collapsed_is_named(pool_view: Any) -> None:
    images, labels = held_out()
    images[labels == 3] = images[3].clone()
    view = pool_view(problem=LABELLED, pool=images, conditions={"label": labels}, data=DIGITS)
    found = Yardstick(view, 200).measure(view)
    assert (found.lowest, found.lowest_class) == (pytest.approx(0.0, abs=1e-5), "3")
    assert found.mean is not None
    assert found.mean > 0.75


@pytest.mark.parametrize("modes", [2, 3])
def test_few_modes_far_apart_are_little_diversity_though_their_mean_distance_is_large(
    pool_view: Any, modes: int
) -> None:
    images, _ = held_out()
    view = pool_view(problem=BARE, pool=images[:modes], data=DIGITS)
    found, real = (
        Yardstick(each, 192).measure(each) for each in (view, pool_view(problem=BARE, pool=images, data=DIGITS))
    )
    assert found.mean is not None
    assert found.mean < 0.06
    assert found.distance > 0.4 * real.distance
    assert real.mean == pytest.approx(1.0, abs=0.1)


def test_the_formula_of_two_modes() -> None:
    points = torch.tensor([[0.0], [0.0], [7.0], [7.0]])
    same, other = 1.0, 1.0 / (1.0 + 49.0)
    here = (2 * same + 4 * other) / 6
    assert relative(points, 1.0, other) == pytest.approx((1 / here - 1) / (1 / other - 1))


def test_distances_half_as_large_are_about_a_quarter_of_the_diversity(pool_view: Any) -> None:
    images, labels = held_out()
    view = pool_view(problem=LABELLED, pool=images / 2, conditions={"label": labels}, data=DIGITS)
    assert Yardstick(view, 200).measure(view).mean == pytest.approx(0.25, abs=0.06)


# When it speaks


def looks(settings: HealthSettings, values: Any, name: str = "diversity") -> list[int]:
    """At which looks a collapse is told, where `name` takes these values."""
    diagnosis = Diagnosis(settings)
    told = []
    for place, value in enumerate(values):
        row = {"step": place + 1, "diversity": 0.5, "of_data": True, "lowest": 0.4, "lowest_class": "3"} | {name: value}
        if diagnosis.add(row)[0]:
            told.append(place)
    return told


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.5, 0.01, 0.01, 0.01, 0.01, 0.01], [3]),  # once, at the third bad look in a row
        ([0.5, 0.01, 0.01, 0.5, 0.01, 0.01, 0.5], []),
        ([0.01] * 8, [5]),  # a young run is given twice as long
        ([0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.05, 0.09, 0.2], []),  # and longer while it mends
        ([0.5, *[0.01] * 4, 0.5, *[0.01] * 4], [3]),  # one good look does not end an episode,
        ([0.5, *[0.01] * 4, *[0.5] * 3, *[0.01] * 4], [3, 10]),  # three do
        ([None] * 9, []),
    ],
)
def test_it_speaks_once_an_episode_after_so_many_looks(values: list[float | None], told: list[int]) -> None:
    assert looks(HealthSettings(), values) == told


def test_one_class_has_its_own_threshold() -> None:
    assert looks(HealthSettings(), [0.4, 0.001, 0.001, 0.001, 0.001], "lowest") == [3]
    assert looks(HealthSettings(class_diversity=0.0), [0.4, 0.001, 0.001, 0.001, 0.001], "lowest") == []


def test_patience_is_a_setting() -> None:
    assert looks(HealthSettings(patience=1), [0.5, 0.01, 0.01]) == [1]
    assert Episode(1).look(True) is False
    assert looks(HealthSettings(diversity=0.6), [0.5] * 6) == [5]


def game(critic: float, generator: float, real: float, fake: float) -> list[str]:
    diagnosis = Diagnosis(HealthSettings())
    names = ("critic_loss", "generator_loss", "real_logit", "fake_logit")
    usual, odd = (
        dict(zip(names, each, strict=True)) for each in ((1.3, 0.8, 0.1, -0.1), (critic, generator, real, fake))
    )
    said = [diagnosis.add({"step": step, **(odd if step > 2 else usual)})[1] for step in range(1, 9)]
    return [sentence for sentence in said if sentence]


def test_a_saturated_critic_is_told_once_and_other_objectives_do_not_look_like_one() -> None:
    (said,) = game(0.001, 9.0, 9.0, -8.0)
    assert "the critic is saturated at step 5" in said
    assert "9.0 and -8.0" in said
    assert game(-30.0, 20.0, 10.0, -20.0) == []  # a Wasserstein critic: its loss is the gap
    assert game(0.02, 4.0, 5.0, -4.0) == []


def test_a_lost_balance_is_told_whichever_side_it_is() -> None:
    assert "the generator's loss is 5,000 times the critic's" in game(0.001, 5.0, 4.0, -4.0)[0]
    assert "the critic's loss is 5,000 times the generator's" in game(5.0, 0.001, 4.0, -4.0)[0]
    assert game(0.01, 5.0, 4.0, -4.0) == []
    assert game(-3.0, 0.001, 4.0, -4.0) == []  # losses that may be negative have no ratio


# What it cannot watch


def watched(tmp_path: Path, view: Any, values: Mapping[str, float], times: int = 9) -> list[str]:
    observer = Health(HealthSettings(every=1, samples=32))
    observer.started({"directory": tmp_path})
    said = []
    for step in range(1, times + 1):
        observer.logged(step, values)
        said.append(observer.viewed(step, view))
    return [sentence for sentence in said if sentence]


@pytest.mark.parametrize(
    "problem",
    [
        Problem(output=Field(kind="vector", shape=(3,)), noise_shape=(4,)),
        Problem(output=DIGITS.fields["image"]),
    ],
    ids=["no pictures", "no noise"],
)
def test_what_cannot_differ_is_left_alone(pool_view: Any, tmp_path: Path, problem: Problem) -> None:
    view = pool_view(problem=problem, pool=torch.zeros(64, *problem.output.shape), data=DIGITS)
    assert watched(tmp_path, view, {"loss": 0.3}) == []
    assert rows_of(tmp_path)[0] == {"step": 1}


@pytest.mark.parametrize("fields", [{}, {"picture": Field(kind="image", shape=(3, 9, 9))}])
def test_without_its_data_a_run_is_compared_with_its_own_best(pool_view: Any, tmp_path: Path, fields: Any) -> None:
    data = SimpleNamespace(fields=fields) if fields else None
    images, _ = held_out()
    view = pool_view(problem=BARE, pool=images, data=data)
    assert watched(tmp_path, view, {}, times=3) == []
    (tmp_path / "health.jsonl").unlink()
    observer = Health(HealthSettings(every=1, samples=32))
    observer.started({"directory": tmp_path})
    said = [
        observer.viewed(step, view if step < 3 else pool_view(problem=BARE, pool=images / 50, data=data))
        for step in range(1, 7)
    ]
    assert [bool(each) for each in said] == [False, False, False, False, True, False]
    assert "fell from 1.00 to 0.02 of its own best" in str(said[4])


def test_points_and_samples_that_are_no_numbers(pool_view: Any, tmp_path: Path) -> None:
    points = Problem(output=Field(kind="points", shape=(2,)), noise_shape=(4,))
    assert watched(tmp_path, pool_view(problem=points, pool=torch.randn(64, 2)), {}) == []
    (tmp_path / "health.jsonl").unlink()
    broken = pool_view(problem=BARE, pool=torch.full((64, 1, 8, 8), float("nan")), data=DIGITS)
    assert watched(tmp_path, broken, {"critic_loss": float("nan")}) == []
    assert rows_of(tmp_path)[0] == {
        "step": 1,
        "diversity": None,
        "of_data": True,
        "distance": None,
        "critic_loss": None,
    }


def test_too_many_classes_for_the_samples_are_taken_together(pool_view: Any) -> None:
    images, labels = held_out()
    view = pool_view(problem=LABELLED, pool=images, conditions={"label": labels}, data=DIGITS)
    found = Yardstick(view, 100).measure(view)
    assert (found.lowest, found.lowest_class) == (None, None)
    assert found.mean == pytest.approx(1.0, abs=0.1)


# In a run


@pytest.mark.parametrize(
    "setting",
    ["every=0", "samples=31", "samples=10001", "diversity=0.0", "diversity=1.0", "class_diversity=-0.1", "gap=0.0",
     "imbalance=1.0", "patience=0", "stop=3", "often=3"],
)  # fmt: skip
def test_bad_settings_are_refused(cli: Any, tmp_path: Path, setting: str) -> None:
    result = cli("run", *SMALL, "--set", f"observers.0.{setting}", "--steps", 2, "--output-dir", tmp_path / "run")
    assert (result.code, setting.partition("=")[0] in result.err) == (2, True), result.err


def test_a_planted_collapse_is_found_and_a_resumed_run_says_and_writes_the_same(cli: Any, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    result = cli("run", *FROZEN, "--steps", 100, "--output-dir", whole)
    assert result.code == 0, result.err
    (remark,) = remarks_of(whole)
    assert remark["step"] == 60
    assert remark["sentence"].startswith("mode collapse suspected at step 60: ")
    assert "mode collapse suspected" in result.err
    assert [row["step"] for row in rows_of(whole)] == list(range(10, 101, 10))
    assert cli("run", *FROZEN, "--steps", 40, "--output-dir", part).code == 0
    with open(part / "health.jsonl", "a") as file:  # as if it had been killed later than its last checkpoint
        file.write((whole / "health.jsonl").read_text().splitlines(keepends=True)[4] + '{"step": 60, "dive')
    assert cli("run", "--resume", "--steps", 100, "--output-dir", part).code == 0
    assert (part / "health.jsonl").read_bytes() == (whole / "health.jsonl").read_bytes()
    assert remarks_of(part) == remarks_of(whole)


def test_a_run_that_is_to_stop_ends_with_6_and_keeps_its_checkpoint(cli: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = cli("run", *FROZEN, "--stop-on-collapse", "--steps", 200, "--output-dir", run)
    assert result.code == 6, result.err
    assert "mode collapse suspected at step 60" in result.err
    assert "step-00000040, is kept" in result.err
    assert json.loads((run / "run.json").read_text())["status"] == "diverged"
    assert len(genframe.load(run).sample(4)) == 4
    with pytest.raises(DivergenceError, match="it had saved no checkpoint yet"):
        genframe.train(
            "cdcgan", steps=200, stop_on_collapse=True, device="cpu", log_every=5, output_dir=tmp_path / "early",
            settings={"architecture.width": 8, "architecture.hidden": 32, "algorithm.critic_learning_rate": 1e-7,
                      "metrics": [], "observers.0.every": 5, "observers.0.patience": 1},
        )  # fmt: skip


def test_a_healthy_run_is_left_in_peace_and_trains_to_the_same_bytes_without_the_monitor(
    cli: Any, tmp_path: Path
) -> None:
    words = [*SMALL, "--steps", 200, "--stop-on-collapse", "--set", "algorithm.learning_rate=0.002"]
    result = cli("run", *words, "--set", "observers.0.every=20", "--output-dir", tmp_path / "a")
    assert result.code == 0, result.err
    assert remarks_of(tmp_path / "a") == []
    assert rows_of(tmp_path / "a")[-1]["diversity"] > 0.15
    result = cli("run", *words[:-3], "--set", "algorithm.learning_rate=0.002", "--set", "observers=[]",
                 "--output-dir", tmp_path / "b")  # fmt: skip
    assert result.code == 0, result.err
    assert not (tmp_path / "b" / "health.jsonl").exists()
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == (tmp_path / "b" / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("words", [["--plugin", "dcgan"], ["--plugin", "dcgan", "--data", "emoticons"]])
def test_runs_without_a_class_are_watched(cli: Any, tmp_path: Path, words: list[str]) -> None:
    words += ["--set", "architecture.width=4", "--log-every", "2", "--set", "observers.0.every=2", "--batch-size", "8"]
    result = cli("run", *words, "--steps", 4, "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err
    assert [(row["step"], "lowest" in row) for row in rows_of(tmp_path / "run")] == [(2, False), (4, False)]


# The flag


@pytest.mark.parametrize(
    ("observers", "configured"),
    [
        ([], [("health", True)]),
        (["other"], [("other", None), ("health", True)]),
        ([{"name": "other"}, {"name": "health", "every": 7}], [("other", None), ("health", True)]),
    ],
)
def test_the_flag_adds_the_monitor_and_leaves_other_observers(observers: Any, configured: Any) -> None:
    from genframe.options import configure
    from genframe.registry import load_registry
    from genframe.specs import ObserverSpec

    @dataclass(frozen=True, kw_only=True)
    class Nothing:
        pass

    genframe.register(ObserverSpec(name="other", summary="s", factory=lambda settings: None, settings=Nothing))
    settings = [{"observers": observers}]
    config = configure(load_registry(), recipe="cdcgan", options={"stop_on_collapse": True}, settings=settings)
    assert [(each.name, each.settings.get("stop")) for each in config.observers] == configured
    assert [each.settings["every"] for each in config.observers if each.name == "health"] in ([100], [7])
    config = configure(load_registry(), recipe="cdcgan", options={"stop_on_collapse": False}, settings=settings)
    assert [each.settings.get("stop") for each in config.observers if each.name == "health"] in ([], [False])


def test_the_table_on_the_page_is_the_measured_one() -> None:
    found = json.loads((BENCH / "results" / "health.json").read_text())
    page = (BENCH.parent / "docs" / "training.md").read_text()
    assert "**{found} of {collapsed} planted collapses found".format(**found["verdict"]) in page
    for row in found["planted"] + found["healthy"]:
        assert f"{row['says']} | " in page
        assert f"{row['coverage']:.2f}" in page


def test_the_script_of_the_table_runs(tmp_path: Path) -> None:
    output = tmp_path / "health.json"
    command = [sys.executable, BENCH / "health.py", "--smoke", "--output", output]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert (found["verdict"]["planted"], found["verdict"]["healthy"]) == (1, 1)
    assert "false alarms" in done.stdout
