"""Measuring in the course of a run, keeping the best, beginning where another run ended, running by the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import genframe
from genframe.interfaces import Measurement
from genframe.rundir.checkpoint import load_checkpoint
from genframe.specs import MetricSpec

SMALL = ("--set", "architecture.width=8", "--batch-size", "32", "--log-every", "2")
CDCGAN = ("run", "--plugin", "cdcgan", *SMALL)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def summary(run: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(run, "run.json").read_text())
    return content


def kept(run: str) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in Path(run, "checkpoints").iterdir())


class Scripted:
    """A figure that is known beforehand."""

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)
        self.calls = 0

    def measure(self, view: Any) -> Measurement:
        self.calls += 1
        return Measurement(value=next(self.values))


def scripted(values: list[float], better: Any = "lower") -> Scripted:
    metric = Scripted(values)
    genframe.register(
        MetricSpec(name="scripted", summary="A known figure", factory=lambda settings: metric, better=better)
    )
    return metric


def test_the_runs_metrics_are_rows_of_their_steps_and_the_last_is_measured_once(cli: Any) -> None:
    metric = scripted([0.5, 0.25, 0.75])
    words = ("--metric", "scripted", "--evaluate-every", "4", "--steps", "10", "--output-dir", "a")
    result = cli(*CDCGAN, *words)
    assert result.code == 0, result.err
    measured = [(row["step"], row["scripted"]) for row in rows("a") if "scripted" in row]
    assert measured == [(4, 0.5), (8, 0.25), (10, 0.75)]
    assert metric.calls == 3
    assert summary("a")["metrics"]["scripted"]["value"] == 0.75
    assert "best" not in summary("a")
    assert "step 8  scripted: 0.25 (lower is better)" in result.err


@pytest.mark.parametrize(("better", "best"), [("lower", 2), ("higher", 3)])
def test_the_best_checkpoint_outlives_newer_ones(better: str, best: int, cli: Any) -> None:
    scripted([0.5, 0.25, 0.75, 0.5, 0.5, 0.75, 0.25], better)
    words = ("--metric", "scripted", "--evaluate-every", "1", "--keep-best", "--checkpoint-every", "1", "--steps", "7")
    result = cli(*CDCGAN, *words, "--output-dir", "a")
    assert result.code == 0, result.err
    assert kept("a") == [best, 6, 7]
    expected = {"metric": "scripted", "value": {2: 0.25, 3: 0.75}[best], "step": best}
    assert summary("a")["best"] == expected | {"checkpoint": f"checkpoints/step-0000000{best}"}
    assert f"best at step {best}, kept in a/checkpoints/step-0000000{best}" in result.out
    sampled = cli("sample", f"a/checkpoints/step-0000000{best}", "-n", "2", "--output", "two.npz")
    assert sampled.code == 0


def test_a_best_step_is_saved_though_no_checkpoint_was_due(cli: Any) -> None:
    scripted([0.25, 0.5, 0.75])
    words = ("--metric", "scripted", "--evaluate-every", "2", "--keep-best", "--checkpoint-every", "100")
    assert cli(*CDCGAN, *words, "--steps", "6", "--output-dir", "a").code == 0
    assert kept("a") == [2, 6]


def test_a_figure_that_cannot_be_had_is_never_the_best(cli: Any) -> None:
    scripted([float("nan"), 0.5, float("nan")])
    words = ("--metric", "scripted", "--evaluate-every", "2", "--keep-best", "--steps", "6", "--output-dir", "a")
    assert cli(*CDCGAN, *words).code == 0
    assert (summary("a")["best"]["step"], kept("a")) == (4, [4, 6])
    assert [row["step"] for row in rows("a") if "scripted" in row] == [4]


def test_where_there_is_no_figure_at_all_the_summary_says_so(cli: Any) -> None:
    scripted([float("nan")] * 3)
    words = ("--metric", "scripted", "--evaluate-every", "2", "--keep-best", "--steps", "6", "--output-dir", "a")
    result = cli(*CDCGAN, *words)
    assert result.code == 0, result.err
    assert "no checkpoint was kept as the best" in result.out
    assert summary("a")["best"] is None
    assert summary("a")["timings"]["evaluation_seconds"] <= summary("a")["timings"]["training_seconds"]


def test_measuring_changes_nothing_in_what_is_trained(cli: Any) -> None:
    for folder, words in (("a", ()), ("b", ("--evaluate-every", "2"))):
        assert cli(*CDCGAN, "--steps", "5", *words, "--output-dir", folder).code == 0
    one, other = (load_checkpoint(Path(folder, "checkpoints/step-00000005")).digest for folder in "ab")
    assert one == other


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--keep-best",), "--evaluate-every STEPS"),
        (("--evaluate-every", "0"), "training.evaluate_every is at least 1"),
        (("--evaluate-every", "5", "--set", "metrics=[]"), "name a --metric"),
        (("--steps", "5", "--minutes", "1"), "--steps and --minutes contradict"),
        (("--epochs", "5", "--minutes", "1"), "--epochs and --minutes contradict"),
        (("--minutes", "0"), "training.minutes is a finite number above 0"),
        (("--minutes", "inf"), "training.minutes is a finite number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(words: tuple[str, ...], said: str, cli: Any) -> None:
    result = cli(*CDCGAN, *words, "--output-dir", "a")
    assert result.code == 2
    assert said in result.err
    assert not Path("a").exists()


def test_a_run_by_the_clock_ends_by_it_and_says_how_many_steps_that_were(cli: Any) -> None:
    words = ("--minutes", "0.02", "--set", "training.lr_schedule.shape=linear", "--set", "metrics=[]")
    result = cli(*CDCGAN, *words, "--output-dir", "a")
    assert result.code == 0, result.err
    content = summary("a")
    assert content["minutes"] == 0.02
    assert content["steps"] == rows("a")[-1]["step"] == kept("a")[-1] > 0
    assert content["timings"]["training_seconds"] >= 1.2
    assert "0.02 minutes, in steps of 32" in result.err
    state = load_checkpoint(Path("a/checkpoints", f"step-{content['steps']:08d}")).state
    assert 0 <= state["optimizers"]["generator"][0]["lr"] < 2e-4 * 0.5
    assert cli("sample", "a", "-n", "1", "--output", "one.png").code == 0


def test_a_recipe_with_epochs_can_be_run_by_steps_or_by_the_clock(cli: Any) -> None:
    for words in (("--steps", "3"), ("--minutes", "0.001")):
        result = cli("run", "--plugin", "dcgan-tutorial", "--dry-run", "--set", "data.count=200", *words)
        assert result.code == 0, result.err
        assert "epochs" not in result.out


# --init-from


def test_a_run_begins_with_another_runs_networks_and_not_with_their_averages(cli: Any) -> None:
    assert cli(*CDCGAN, "--steps", "6", "--output-dir", "a").code == 0
    result = cli(*CDCGAN, "--steps", "1", "--lr", "1e-30", "--init-from", "a", "--seed", "5", "--output-dir", "b")
    assert result.code == 0, result.err
    before = load_checkpoint(Path("a/checkpoints/step-00000006"))
    after = load_checkpoint(Path("b/checkpoints/step-00000001"))
    weights = [name for name in before.networks if name.endswith("weight") and not name.startswith("ema.")]
    assert len(weights) > 6
    for name in weights:
        assert before.networks[name].equal(after.networks[name])
    source = {"checkpoint": str(Path("a/checkpoints/step-00000006").resolve()), "digest": before.digest}
    assert summary("b")["init_from"] == source
    replayed = cli("run", "--config", "b/config.toml", "--output-dir", "c")
    assert replayed.code == 0
    assert load_checkpoint(Path("c/checkpoints/step-00000001")).digest == after.digest


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--init-from", "nowhere"), 5, "nowhere cannot be loaded: there is no such folder"),
        (("--init-from", "a", "--set", "architecture.width=16"), 5, "does not fit the network 'generator'"),
        (("--init-from", "a", "--conditioning", "none"), 5, "does not fit the network"),
    ],
)
def test_networks_that_do_not_fit_are_refused_in_a_sentence(
    words: tuple[str, ...], code: int, said: str, cli: Any
) -> None:
    assert cli(*CDCGAN, "--steps", "1", "--output-dir", "a").code == 0
    result = cli(*CDCGAN, "--steps", "1", *words, "--output-dir", "b")
    assert (result.code, said in result.err) == (code, True), result.err
    assert not Path("b").exists()


def test_the_python_interface_knows_the_same_words() -> None:
    scripted([0.5, 0.25])
    run = genframe.train(
        "cdcgan",
        steps=4,
        batch_size=32,
        metric=("scripted",),
        evaluate_every=2,
        keep_best=True,
        output_dir="a",
        settings={"architecture.width": 8, "training.lr_schedule.shape": "cosine"},
    )
    assert run.summary["best"]["step"] == 4
