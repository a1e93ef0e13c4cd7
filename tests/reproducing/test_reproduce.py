"""``genframe reproduce``: trains, keeps, goes on, and writes what it found."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from PIL import Image

from genframe.build import build_part
from genframe.errors import ConfigError
from genframe.experiments import Report, Training
from genframe.registry import load_registry
from genframe.reproducing.laboratory import Laboratory, Means
from genframe.specs import Choice

EXPERIMENT = '''
import genframe
from genframe.experiments import Finding, Report, Table, Training
from genframe.pictures import Row, sheet
from genframe.specs import ExperimentSpec

SMALL = {"architecture.width": 4, "architecture.hidden": 16}


class Tiny:
    """Two branches of one run."""

    def __init__(self, settings):
        self.trainings = {
            "origin": Training(recipe="cdcgan", data="digits", steps=4, settings=SMALL),
            "a": Training(recipe="cdcgan", data="digits", steps=8, settings=SMALL, origin="origin"),
            "b | c": Training(
                recipe="cdcgan", data="digits", steps=8, origin="origin",
                settings={**SMALL, "algorithm.updates": ["generator", "critic"]},
            ),
        }

    def conclude(self, evidence):
        errors = {
            name: [evidence.measure(name, seed, "nn1", count=30) for seed in evidence.seeds]
            for name in self.trainings
        }
        law = evidence.measure("a", 0, "nn1", noise="gaussian", count=30)
        asked = evidence.remember("a", 0, "title", lambda view: view.title)
        finding = Finding(
            claim="It runs.", source="nobody", published="1%", measured=f"{law.value:.3f} of {asked}",
            verdict="undecided", reason="It is small.",
        )
        rows = [(name, f"{each[0].value:.3f}") for name, each in errors.items()]
        images = evidence.view("a", 0).samples(4).output
        return Report(
            question="Does it?", protocol="By eye.", findings=[finding],
            tables=[Table(title="Errors", columns=("", "error"), rows=rows)],
            pictures={"Four digits": sheet([Row(images=images)])},
            notes=["All of it."],
        )


@genframe.hookimpl
def genframe_experiments():
    yield ExperimentSpec(name="tiny", summary="Whether it runs", factory=Tiny)
'''


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "tiny.py").write_text(EXPERIMENT)
    return folder


@pytest.fixture
def reproduce(cli, plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(*words: object):
        return cli("reproduce", *words, "--plugins-dir", plugins, "--device", "cpu")

    return run


def test_the_list_has_our_experiments_and_those_of_strangers(reproduce):
    done = reproduce("--list")
    assert done.code == 0
    assert "tiny" in done.out
    assert "mnist-nn" in done.out


def test_an_experiment_is_trained_measured_and_written_once(reproduce, tmp_path):
    done = reproduce("tiny", "--seeds", 2)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "reproductions/tiny.md"
    page = (tmp_path / "reproductions" / "tiny.md").read_text()
    for expected in (
        "# Whether it runs",
        "| It runs. (nobody) | 1% |",
        "**undecided**",
        "| b \\| c |",
        "branched from origin",
        "8 of 8 (100%)",
        "![Four digits](tiny-1.png)",
        "- All of it.",
    ):
        assert expected in page
    assert "Scaled down" not in page
    Image.open(tmp_path / "reproductions" / "tiny-1.png").verify()
    content = json.loads((tmp_path / "reproductions" / "tiny.json").read_text())
    assert content["share"] == 1.0
    assert content["seeds"] == [0, 1]
    assert content["findings"][0]["verdict"] == "undecided"
    figure = content["answers"]["a, seed 1"]["nn1, count=30"]
    assert figure["protocol"]["samples"] == 30

    again = reproduce("tiny", "--seeds", 2)
    assert again.code == 0
    assert again.err == ""  # nothing was trained, nothing asked
    assert (tmp_path / "reproductions" / "tiny.md").read_text() == page

    more = reproduce("tiny", "--seeds", 3)
    told = [line for line in more.err.splitlines() if "steps in" in line]
    assert len(told) == 3
    assert all("seed 2" in line for line in told)


def test_branches_begin_where_their_origin_ends(reproduce, tmp_path):
    reproduce("tiny", "--seeds", 1)
    runs = {folder.name.split("-seed")[0]: folder for folder in (tmp_path / "runs/reproduce/tiny").glob("*-seed0-*")}
    assert set(runs) == {"origin", "a", "b-|-c"}
    origin = json.loads((runs["a"] / "run.json").read_text())["branched_from"]["checkpoint"]
    assert runs["origin"].name in origin
    assert origin.endswith("step-00000004")


def test_a_run_that_is_lost_is_trained_again_and_the_others_are_kept(reproduce, tmp_path):
    reproduce("tiny", "--seeds", 1)
    page = (tmp_path / "reproductions" / "tiny.md").read_text()
    (lost,) = (tmp_path / "runs/reproduce/tiny").glob("a-seed0-*")
    shutil.rmtree(lost)
    again = reproduce("tiny", "--seeds", 1)
    assert [line.split(":")[1].strip() for line in again.err.splitlines() if "steps in" in line] == ["a, seed 0"]
    assert (tmp_path / "reproductions" / "tiny.md").read_text() == page


def test_a_budget_is_told_on_the_page_and_decided_once(reproduce, tmp_path):
    done = reproduce("tiny", "--seeds", 1, "--budget", 0.0001)
    assert done.code == 0, done.err
    assert "Scaled down" in (tmp_path / "reproductions" / "tiny.md").read_text()
    content = json.loads((tmp_path / "reproductions" / "tiny.json").read_text())
    assert content["share"] < 1
    assert reproduce("tiny", "--seeds", 1, "--budget", 0.0001).err == ""


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("none",), 4, "no experiment is called 'none'"),
        (("tiny", "--budget", 0), 2, "--budget is minutes, above 0; got 0"),
        (("tiny", "--seeds", 0), 2, "--seeds and --processes are at least 1; got 0 and 1"),
        (("noise-dimension", "--set", "steps=0"), 2, "at least 1 step"),
        (("noise-dimension", "--set", "dimensions=[3]"), 2, "at least two sizes of z"),
        (("model-size", "--set", "widths=[1,2]"), 2, "at least three sizes"),
        (("mnist-nn", "--set", "samples=[]"), 2, "numbers of generated digits"),
    ],
)
def test_bad_words_are_answered_in_a_sentence(reproduce, words, code, sentence):
    done = reproduce(*words)
    assert (done.code, sentence in done.err) == (code, True), done.err
    assert len(done.err.splitlines()) == 1


class _Lonely:
    trainings = {"a": Training(recipe="cdcgan", steps=1, origin="nobody")}

    def conclude(self, evidence) -> Report:
        raise AssertionError("never asked")


def test_a_branch_of_an_unknown_training_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="branches from 'nobody', which is not listed before it"):
        Laboratory(_Lonely(), Means(folder=tmp_path), load_registry([]), print)


@pytest.mark.parametrize("spec", load_registry([]).all("experiment"), ids=lambda each: each.spec.name)
def test_our_experiments_name_trainings_that_can_be_planned(spec, tmp_path):
    registry = load_registry([])
    experiment = build_part(registry, "experiment", Choice(name=spec.spec.name), "experiment")
    laboratory = Laboratory(experiment, Means(folder=tmp_path, device="cpu"), registry, print)
    assert laboratory.trainings
    assert math.isclose(laboratory.share, 1.0)
    for name in laboratory.trainings:
        assert laboratory.planned(name, 0).config.training.steps == laboratory.steps(name)


class _Chain:
    trainings = {
        "a": Training(recipe="cdcgan", steps=2),
        "b": Training(recipe="cdcgan", steps=4, origin="a"),
        "c": Training(recipe="cdcgan", steps=6, origin="b"),
    }

    def conclude(self, evidence) -> Report:
        raise AssertionError("never asked")


def test_a_branch_of_a_branch_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'c' branches from 'b', which is a branch itself"):
        Laboratory(_Chain(), Means(folder=tmp_path), load_registry([]), print)


class _Hot:
    trainings = {
        "hot": Training(
            recipe="cdcgan",
            data="digits",
            steps=60,
            settings={
                "architecture.width": 4,
                "architecture.hidden": 16,
                "algorithm.optimizer": "sgd",
                "algorithm.learning_rate": 0.99,
                "architecture.critic_norm": False,
                "architecture.generator_norm": False,
                "objective.name": "wasserstein",
            },
        )
    }

    def conclude(self, evidence) -> Report:
        raise AssertionError("not asked here")


def test_a_run_that_diverges_has_no_figure_and_is_not_trained_again(tmp_path):
    laboratory = Laboratory(_Hot(), Means(folder=tmp_path, seeds=(0,), device="cpu"), load_registry([]), print)
    laboratory.train()
    assert laboratory.outcome("hot", 0) == "diverged"
    assert math.isnan(laboratory.measure("hot", 0, "nn1").value)
    with pytest.raises(ConfigError, match="'hot' diverged with seed 0"):
        laboratory.view("hot", 0)
    told: list[str] = []
    again = Laboratory(_Hot(), Means(folder=tmp_path, seeds=(0,), device="cpu"), load_registry([]), told.append)
    again.train()
    assert told == []
