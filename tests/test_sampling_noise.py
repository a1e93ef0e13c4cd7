"""Sampling by another law of z than that of the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genframe
from genframe.cli.sample import sample as sample_command
from genframe.loading import load_generator
from genframe.randomness import normal
from genframe.registry import load_registry
from genframe.sampling_noise import with_noise
from genframe.specs import NoiseSpec
from genframe_noise.laws import Gaussian

TINY = Path(__file__).parent / "external" / "tiny"

#: Words for every law there is, quick ones.
LAWS = {
    "gaussian": (),
    "uniform": (),
    "truncated": ("--set", "noise.bound=0.7"),
    "spherical": (),
    "mixture": ("--set", "noise.components=3"),
    "fitted": ("--set", "noise.samples=200", "--set", "noise.components=2"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run by each of the two laws; nothing is left but the runs themselves."""
    folder = tmp_path_factory.mktemp("noise")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=np.arange(60) % 3)
    for noise in ("gaussian", "uniform"):
        genframe.train(
            "cdcgan",
            data=str(folder / "data.npz"),
            noise=noise,
            noise_dim=6,
            steps=6,
            batch_size=16,
            lr=0.01,
            output_dir=folder / noise,
            settings={"architecture.width": 8, "architecture.hidden": 64},
        )
    (folder / "data.npz").unlink()
    return {noise: folder / noise for noise in ("gaussian", "uniform")}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sampled(cli: Any, run: Path, *words: str) -> tuple[np.ndarray, dict[str, str], str]:
    """The pictures, their metadata, and what was said on stderr."""
    result = cli("sample", run, *words, "--output", "out.npz")
    assert result.code == 0, result.err
    with np.load("out.npz", allow_pickle=False) as file:
        return file["images"], json.loads(str(file["metadata"])), result.err


@pytest.mark.parametrize("noise", LAWS)
def test_a_sample_depends_on_seed_index_and_law_alone(cli: Any, runs: dict[str, Path], noise: str) -> None:
    words = ("--noise", noise, *LAWS[noise])
    whole, metadata, _ = sampled(cli, runs["gaussian"], "-n", "64", *words)
    for first, count in ((5, 1), (60, 4)):
        part = sampled(cli, runs["gaussian"], "-n", str(count), "--first", str(first), *words)[0]
        assert np.array_equal(part, whole[first : first + count])
    assert not np.array_equal(sampled(cli, runs["gaussian"], "-n", "64", "--seed", "1", *words)[0], whole)
    assert (metadata["noise"], metadata.get("noise.dim", "6")) == (noise, "6")
    own = sampled(cli, runs["gaussian"], "-n", "64")[0]
    assert np.array_equal(whole, own) == (noise == "gaussian")


def test_without_these_options_nothing_is_said_and_metadata_are_as_ever(cli: Any, runs: dict[str, Path]) -> None:
    _, metadata, said = sampled(cli, runs["uniform"])
    assert set(metadata) == {"genframe", "recipe", "step", "checkpoint", "seed", "first"}
    assert said == ""
    result = cli("sample", runs["uniform"], "-n", "4")
    assert result.out.strip() == "uniform-seed0-0-3.png"


def test_a_truncation_is_the_truncated_law(cli: Any, runs: dict[str, Path]) -> None:
    by_truncation, metadata, said = sampled(cli, runs["gaussian"], "--truncation", "0.7")
    by_name = sampled(cli, runs["gaussian"], "--noise", "truncated", "--set", "noise.bound=0.7")[0]
    assert np.array_equal(by_truncation, by_name)
    assert (metadata["noise"], metadata["truncation"]) == ("gaussian", "0.7")
    assert said.startswith("genframe: noise 'gaussian' truncated at 0.7 lies nearer to the origin than the training's")
    assert len(said.strip().splitlines()) == 1
    both = sampled(cli, runs["uniform"], "--noise", "gaussian", "--truncation", "0.7")[0]
    other = sampled(cli, runs["uniform"], "--noise", "truncated", "--set", "noise.bound=0.7")[0]
    assert np.array_equal(both, other)


def test_a_law_that_is_near_is_taken_in_silence(cli: Any, runs: dict[str, Path]) -> None:
    assert sampled(cli, runs["gaussian"], "--noise", "spherical")[2] == ""
    assert sampled(cli, runs["gaussian"], "--truncation", "3")[2] == ""


def test_settings_of_the_runs_own_law_go_over_its_own(cli: Any, runs: dict[str, Path]) -> None:
    _, metadata, said = sampled(cli, runs["uniform"], "--set", "noise.high=0.5")
    assert {key: metadata[f"noise.{key}"] for key in ("dim", "low", "high")} == {
        "dim": "6",
        "low": "-1.0",
        "high": "0.5",
    }
    assert "noise 'uniform' lies nearer to the origin" in said


def test_settings_keep_what_the_runs_own_law_has_learnt(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry()
    monkeypatch.setattr(Gaussian, "state", lambda self: {"scale": torch.tensor(self.scale)}, raising=False)
    monkeypatch.setattr(Gaussian, "load_state", lambda self, state: setattr(self, "scale", 5.0), raising=False)
    monkeypatch.setattr(Gaussian, "scale", 5.0, raising=False)
    loaded = load_generator(runs["gaussian"], registry)
    monkeypatch.setattr(Gaussian, "scale", 1.0, raising=False)  # what a new one begins with
    generator, _ = with_noise(loaded, registry, settings=[{"noise": {"dim": 6}}])
    assert generator.trained.noise is not loaded.trained.noise
    assert generator.trained.noise.scale == 5.0


def test_the_runs_own_law_by_name_is_the_one_that_was_loaded(runs: dict[str, Path]) -> None:
    registry = load_registry()
    loaded = load_generator(runs["gaussian"], registry)
    for noise in ("gaussian", "genframe/gaussian"):
        generator, warning = with_noise(loaded, registry, noise=noise)
        assert generator.trained.noise is loaded.trained.noise
        assert (generator.law["noise"], warning) == ("gaussian", "")
    assert with_noise(loaded, registry) == (loaded, "")


def test_sheets_and_single_pictures_name_the_law_and_so_does_the_file(cli: Any, runs: dict[str, Path]) -> None:
    result = cli("sample", runs["gaussian"], "-n", "3", "--noise", "truncated", "--truncation", "0.5")
    assert result.out.strip() == "gaussian-truncated-0.5-seed0-0-2.png"
    with Image.open(result.out.strip()) as sheet:
        assert (sheet.info["noise"], sheet.info["noise.bound"], sheet.info["truncation"]) == ("truncated", "2.0", "0.5")
    assert cli("sample", runs["gaussian"], "-n", "2", "--noise", "spherical", "--output", "folder").code == 0
    with Image.open("folder/00000001.png") as picture:
        assert picture.info["noise"] == "spherical"
        assert "noise.radius" not in picture.info


@pytest.mark.filterwarnings("ignore:noise 'fitted'")
def test_python_has_the_same_words(cli: Any, runs: dict[str, Path]) -> None:
    images = sampled(cli, runs["gaussian"], "-n", "9", "--noise", "fitted", *LAWS["fitted"], "--seed", "4")[0]
    settings = {"noise.samples": 200, "noise.components": 2}
    generator = genframe.load(runs["gaussian"], noise="fitted", settings=settings)
    assert np.array_equal(generator.sample(9, seed=4).numpy(), images)
    assert generator.title.endswith("step 6, noise fitted")
    other = genframe.load(runs["gaussian"], noise="fitted", settings={**settings, "noise.keep": 0.1})
    assert not np.array_equal(other.sample(9, seed=4).numpy(), images)


def test_python_warns_where_the_law_is_not_near(runs: dict[str, Path]) -> None:
    with pytest.warns(UserWarning, match="^noise 'gaussian' truncated at 0.3 lies nearer to the origin") as record:
        generator = genframe.load(runs["gaussian"], truncation=0.3)
    assert record[0].filename == __file__
    assert generator.sample(2).shape == (2, 8, 8, 1)


def test_a_strangers_law_is_taken_by_name(cli: Any, runs: dict[str, Path]) -> None:
    class Wide:
        shape = (6,)

        def __init__(self, settings: Any) -> None:
            pass

        def draw(self, indices: torch.Tensor, key: int) -> torch.Tensor:
            return 5.0 * normal(indices, (6,), key)

        def project(self, noise: torch.Tensor) -> torch.Tensor:
            return noise

    genframe.register(NoiseSpec(name="wide", summary="s", factory=Wide))
    _, metadata, said = sampled(cli, runs["gaussian"], "--noise", "wide")
    assert metadata["noise"] == "wide"
    assert "noise 'wide' lies farther from the origin than the training's" in said
    assert "samples may be broken" in said


@pytest.mark.parametrize(
    ("run", "words", "code", "said"),
    [
        ("uniform", ["--truncation", "0.7"], 2, ["this run's noise 'uniform' has no truncated law", "noise.bound=0.7"]),
        ("gaussian", ["--noise", "mixture", "--truncation", "1"], 2, ["noise 'mixture' has no truncated law"]),
        ("gaussian", ["--truncation", "-1"], 2, ["bound = -1.0"]),
        ("gaussian", ["--truncation", "nan"], 2, ["bound = nan"]),
        ("gaussian", ["--noise", "uniform", "--set", "noise.dim=7"], 2, ["(7,)", "(6,)", "leave noise.dim out"]),
        ("gaussian", ["--set", "noise.dim=7"], 2, ["(7,)", "(6,)"]),
        ("gaussian", ["--noise", "gausian"], 4, ["'gaussian'"]),
        ("gaussian", ["--noise", "truncated", "--set", "noise.bund=1"], 2, ["noise.bund", "'bound'"]),
        ("gaussian", ["--noise", "truncated", "--set", "noise.bound=far"], 2, ["noise.bound = 'far'"]),
        ("gaussian", ["--noise", "fitted", "--set", "noise.samples=9"], 2, ["kept 3 of 9 samples", "too few"]),
        ("gaussian", ["--set", "architecture.width=8"], 2, ["noise.KEY=VALUE", "'architecture'"]),
        ("gaussian", ["--set", "noise=3"], 2, ["noise.KEY=VALUE"]),
        ("gaussian", ["--set", "noise.name=uniform"], 2, ["noise.name is no setting", "--noise"]),
        ("gaussian", ["--set", "noise"], 2, ["key.path=value"]),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    cli: Any, runs: dict[str, Path], run: str, words: list[str], code: int, said: list[str]
) -> None:
    result = cli("sample", runs[run], *words)
    assert result.code == code, result.err
    assert all(word in result.err for word in said), result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not list(Path().iterdir())


def test_no_run_is_trained_by_a_fitted_law(cli: Any) -> None:
    result = cli("run", "--plugin", "cdcgan", "--noise", "fitted", "--output-dir", "run")
    assert result.code == 2
    assert result.err.strip().endswith("noise 'fitted' is fitted to a trained run: genframe sample RUN --noise fitted")
    assert not Path("run").exists()


def test_a_run_without_noise_or_without_a_critic_is_refused(cli: Any) -> None:
    tiny = {"plugins_dir": TINY, "steps": 1, "batch_size": 8}
    genframe.train("tiny-translator", output_dir="translator", **tiny)
    genframe.train("tiny-vae", output_dir="vae", **tiny)
    for words in (("--noise", "gaussian"), ("--truncation", "1"), ("--set", "noise.dim=3"), ("--noise", "fitted")):
        refused = cli("sample", "translator", *words, "--plugins-dir", TINY)
        assert (refused.code, "generates without noise" in refused.err) == (2, True)
    refused = cli("sample", "vae", "--noise", "fitted", "--plugins-dir", TINY)
    assert (refused.code, "take a run with a critic" in refused.err) == (2, True)


def test_a_law_is_fitted_where_pictures_are_the_condition_and_the_critic_judges_patches(cli: Any) -> None:
    genframe.train("tiny-translator", plugins_dir=TINY, steps=1, batch_size=8, noise="gaussian", output_dir="run")
    words = ("--noise", "fitted", "--set", "noise.samples=100", "--plugins-dir", str(TINY))
    assert sampled(cli, Path("run"), "-n", "5", *words)[0].shape == (5, 16, 16, 3)


def test_help_tells_of_it(cli: Any) -> None:
    text = cli("sample", "--help").out
    for option in ("--noise NAME", "--truncation T", "--set noise.KEY=VALUE", "--noise fitted"):
        assert option in text
    assert {"noise", "truncation", "assignments"} <= {parameter.name for parameter in sample_command.params}
