"""`genframe run`: from names to pictures, the same bytes for the same command, one sentence for what cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genframe
from genframe.interfaces import Measurement
from genframe.registry import lookup
from genframe.specs import MetricSpec, NoiseSpec, ObserverSpec, TermSpec

#: Small enough for a second, large enough to be the real thing.
SMALL = ("--set", "architecture.width=8", "--batch-size", "32", "--steps", "6", "--log-every", "2")
CDCGAN = ("run", "--plugin", "cdcgan", *SMALL)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bytes_of(run: Path) -> dict[str, bytes]:
    """Everything that equal runs share to the last bit."""
    names = ["metrics.jsonl", *sorted(str(path.relative_to(run)) for path in run.glob("samples/*.png"))]
    names += sorted(str(path.relative_to(run)) for path in run.glob("checkpoints/*/*.safetensors"))
    return {name: (run / name).read_bytes() for name in names}


def test_a_run_leaves_pictures_figures_and_checkpoints(cli: Any) -> None:
    result = cli(*CDCGAN, "--sample-every", "4", "--checkpoint-every", "2")
    assert result.code == 0, result.err
    run = Path("runs/cdcgan-digits-0001")
    assert result.out.splitlines()[-1] == str(run)
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["final.png", "step-00000004.png"]
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-00000004", "step-00000006"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert set(rows[0]) == {"step", "critic_loss", "generator_loss", "real_logit", "fake_logit", "digest"}
    summary = json.loads((run / "run.json").read_text())
    assert (summary["status"], summary["samples"]) == ("finished", {"train": 1500, "heldout": 297})
    assert set(summary["metrics"]) == {"nn1", "label-accuracy"}
    assert summary["plugins"]["genframe"] == genframe.__version__
    assert "nn1" in result.out
    assert "genframe sample" in result.out


def test_the_picture_has_a_row_a_class_and_says_where_it_comes_from(cli: Any) -> None:
    cli(*CDCGAN, "--output-dir", "run")
    with Image.open("run/samples/final.png") as picture:
        info = picture.info
        assert picture.width > 10 * 64
        assert picture.height > 10 * 64
    digest = json.loads(Path("run/checkpoints/step-00000006/manifest.json").read_text())["files"]
    assert info["checkpoint"] == digest["networks.safetensors"]["sha256"]
    assert (info["seed"], info["step"]) == ("0", "6")


def test_the_same_command_gives_the_same_bytes_and_another_seed_does_not(cli: Any) -> None:
    for folder, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert cli(*CDCGAN, "--seed", seed, "--sample-every", "3", "--output-dir", folder).code == 0
    assert bytes_of(Path("a")) == bytes_of(Path("b"))
    assert all(body != bytes_of(Path("a"))[name] for name, body in bytes_of(Path("c")).items())


def test_reading_with_workers_changes_nothing(cli: Any) -> None:
    cli(*CDCGAN, "--output-dir", "a")
    assert cli(*CDCGAN, "--workers", "1", "--output-dir", "b").code == 0
    assert bytes_of(Path("a")) == bytes_of(Path("b"))


def test_the_written_configuration_replays_the_run(cli: Any) -> None:
    cli(*CDCGAN, "--seed", "3", "--noise", "gaussian", "--lr", "1e-3", "--mirror", "--output-dir", "a")
    result = cli("run", "--config", "a/config.toml", "--output-dir", "b")
    assert result.code == 0, result.err
    assert bytes_of(Path("a")) == bytes_of(Path("b"))
    assert Path("a/config.toml").read_bytes() == Path("b/config.toml").read_bytes()
    tree = tomllib.loads(Path("a/config.toml").read_text())
    assert (tree["noise"]["name"], tree["algorithm"]["learning_rate"]) == ("gaussian", 1e-3)
    assert tree["data"]["mirror"] is True


def test_epochs_become_steps(cli: Any) -> None:
    cli("run", "--plugin", "dcgan", "--epochs", "0.05", "--batch-size", "100", "--output-dir", "a")
    assert json.loads(Path("a/run.json").read_text())["steps"] == 1
    assert tomllib.loads(Path("a/config.toml").read_text())["training"]["steps"] == 1


def test_an_unconditional_run_draws_a_plain_sheet(cli: Any) -> None:
    result = cli("run", "--plugin", "dcgan", *SMALL, "--output-dir", "a")
    assert result.code == 0, result.err
    assert Path("a/samples/final.png").is_file()


def test_a_metric_that_a_run_cannot_have_is_said_and_costs_nothing(cli: Any) -> None:
    result = cli(*CDCGAN, "--conditioning", "none", "--output-dir", "a")
    assert result.code == 0, result.err
    assert "not measured" in result.out
    assert json.loads(Path("a/run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("order", ['["generator", "critic"]', '["critic", "critic", "generator"]'])
def test_order_and_ratio_of_the_updates_are_settings(cli: Any, order: str) -> None:
    cli(*CDCGAN, "--output-dir", "a")
    assert cli(*CDCGAN, "--set", f"algorithm.updates={order}", "--output-dir", "b").code == 0
    assert bytes_of(Path("a"))["metrics.jsonl"] != bytes_of(Path("b"))["metrics.jsonl"]


def test_one_network_a_minibatch(cli: Any) -> None:
    cli(*CDCGAN, "--set", "algorithm.one_update_per_batch=true", "--log-every", "1", "--output-dir", "a")
    rows = [json.loads(line) for line in Path("a/metrics.jsonl").read_text().splitlines()]
    assert [("critic_loss" in row, "generator_loss" in row) for row in rows] == [(True, False), (False, True)] * 3


def test_a_dry_run_prints_everything_and_writes_nothing(cli: Any) -> None:
    result = cli(*CDCGAN, "--dry-run")
    assert result.code == 0, result.err
    tree = tomllib.loads(result.out)
    assert (tree["recipe"], tree["training"]["steps"]) == ("cdcgan", 6)
    assert "generator:" in result.out
    assert "ConvTranspose2d" in result.out
    assert list(Path().iterdir()) == []


def test_a_users_pictures_train(cli: Any) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (80, 12, 20, 3), dtype=np.uint8)
    np.savez("my pictures.npz", images=images, labels=np.arange(80) % 3)
    result = cli(*CDCGAN, "--data", "my pictures.npz", "--batch-size", "16")
    assert result.code == 0, result.err
    assert Path("runs/cdcgan-my-pictures-0001/samples/final.png").is_file()


def _npz(name: str, labels: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    np.savez(name, images=images, labels=labels)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--plugin", "cdcgn"], 4, ["cdcgn", "Did you mean 'cdcgan'"]),
        (["--plugin", "cdcgan", "--noise", "unifrom"], 4, ["noise", "'uniform'"]),
        (["--plugin", "cdcgan", "--architecture", "vgg"], 4, ["architecture", "'dcgan'"]),
        (["--plugin", "cdcgan", "--data", "digts"], 4, ["digts", "'digits'"]),
        (["--plugin", "cdcgan", "--data", "missing.npz"], 3, ["missing.npz"]),
        (["--plugin", "cdcgan", "--data", "some/folder"], 3, ["some/folder"]),
        ([], 2, ["--plugin", "'cdcgan'"]),
        (["--plugin", "cdcgan", "--set", "noise.dmi=3"], 2, ["noise.dmi", "Did you mean 'dim'?"]),
        (["--plugin", "cdcgan", "--set", "nosie.dim=3"], 2, ["nosie", "Did you mean 'noise'?"]),
        (["--plugin", "cdcgan", "--set", "training.steps=many"], 2, ["training.steps", "'many'"]),
        (["--plugin", "cdcgan", "--set", "noise"], 2, ["--set takes key.path=value"]),
        (["--plugin", "cdcgan", "--steps", "3", "--epochs", "1"], 2, ["--steps", "--epochs", "contradict"]),
        (["--plugin", "cdcgan", "--steps", "0"], 2, ["training.steps", "at least 1"]),
        (["--plugin", "cdcgan", "--batch-size", "5000"], 2, ["--batch-size 5000", "1500"]),
        (["--plugin", "cdcgan", "--image-size", "4"], 2, ["4x4", "8x8"]),
        (["--plugin", "cdcgan", "--image-size", "huge"], 2, ["huge"]),
        (["--plugin", "cdcgan", "--keep-last", "1"], 2, ["keep_last", "at least 2"]),
        (["--plugin", "cdcgan", "--lr", "0"], 2, ["learning_rate", "above 0"]),
        (["--plugin", "cdcgan", "--noise-dim", "0"], 2, ["dim", "0"]),
        (["--plugin", "cdcgan", "--device", "cuda:77"], 2, ["cuda:77"]),
        (["--plugin", "cdcgan", "--precision", "float8"], 2, ["precision", "float8"]),
        (["--plugin", "cdcgan", "--backend", "cutlass"], 2, ["--backend cutlass", "auto", "triton"]),
        (["--plugin", "cdcgan", "--checkpoint-every", "5m"], 2, ["checkpoint_every", "5m"]),
        (["--plugin", "dcgan", "--conditioning", "concat", "--data", "plain.npz"], 2, ["concat", "labels"]),
        (["--plugin", "cdcgan", "--data", "single.npz"], 2, ["two classes"]),
        (["--plugin", "cdcgan", "--config", "missing.toml"], 2, ["missing.toml"]),
        (["--plugin", "dcgan", "--config", "cdcgan.toml"], 2, ["contradict"]),
        (["--plugin", "cdcgan", "--output-dir", "taken"], 7, ["taken", "not empty"]),
        (["--plugin", "cdcgan", "--output-dir", "/dev/null/below"], 7, ["/dev/null/below"]),
        (["--plugin", "cdcgan", "--plugins-dir", "nowhere"], 2, ["nowhere"]),
        (["--plugin", "cdcgan", "--set", 'algorithm.updates=["both"]'], 2, ["updates", "both"]),
        (["--plugin", "cdcgan", "--set", "metrics.7.count=5"], 2, ["'7'", "2 parts"]),
        (["--plugin", "cdcgan", "--set", "metrics.nn1=5"], 2, ["'nn1'"]),
        (["--plugin", "cdcgan", "--set", "recipe=dcgan"], 2, ["--plugin"]),
        (["--plugin", "cdcgan", "--metric", "nn1", "--metric", "nn1"], 2, ["once"]),
        (["--plugin", "cdcgan", "--epochs", "inf"], 2, ["epochs", "finite"]),
        (["--plugin", "cdcgan", "--set", "training.threads=100000"], 2, ["threads", "1024"]),
        (["--plugin", "cdcgan", "--config", "nested.toml"], 2, ["nested.toml"]),
        (["--plugin", "cdcgan", "--set", "algorithm.output=picture"], 2, ["picture", "'image'"]),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(cli: Any, words: list[str], code: int, said: list[str]) -> None:
    _npz("plain.npz", np.full(90, -1))
    _npz("single.npz", np.zeros(90, dtype=np.int64))
    Path("cdcgan.toml").write_text('recipe = "cdcgan"\n')
    Path("nested.toml").write_text("x = " + "[" * 3000)
    Path("taken").mkdir()
    Path("taken/file").write_text("something")
    result = cli("run", *SMALL[:2], *words)
    assert result.code == code, result.err
    assert all(word in result.err for word in said), result.err
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize("ranks", ["2", "many"])
def test_more_than_one_process_is_refused(
    cli: Any, monkeypatch: pytest.MonkeyPatch, ranks: str, more: list[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", ranks)
    result = cli(*CDCGAN, *more)
    assert (result.code, f"{ranks} processes" in result.err) == (2, True)


def test_a_run_that_diverges_stops_and_keeps_its_last_checkpoint(cli: Any) -> None:
    seen = []

    def poisoned(batch: Any, output: Any, real: Any, fake: Any) -> Any:
        seen.append(None)
        return output.sum() * (float("nan") if len(seen) > 4 else 0.0)

    genframe.register(TermSpec(name="poison", summary="NaN from the fifth step on", factory=lambda settings: poisoned))
    result = cli(*CDCGAN, "--set", 'terms=["poison"]', "--checkpoint-every", "2", "--output-dir", "a")
    assert result.code == 6
    assert "diverged at step 5" in result.err
    assert json.loads(Path("a/run.json").read_text())["status"] == "diverged"
    assert sorted(path.name for path in Path("a/checkpoints").iterdir()) == ["step-00000002", "step-00000004"]
    genframe.load("a").sample(1)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_leaves(number: int, code: int) -> None:
    words = [*CDCGAN, "--steps", "100000", "--log-every", "1", "--output-dir", "run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "genframe", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not Path("run/metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert f"stopped by {signal.Signals(number).name}" in err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    (saved,) = Path("run/checkpoints").iterdir()
    rows = Path("run/metrics.jsonl").read_text().splitlines()
    assert saved.name == f"step-{json.loads(rows[-1])['step']:08d}"


def test_the_python_interface_uses_the_same_words() -> None:
    run = genframe.train(
        "cdcgan", data="digits", steps=4, seed=1, batch_size=32, output_dir="a", settings={"architecture.width": 8}
    )
    assert (run.directory, run.summary["status"]) == (Path("a"), "finished")
    assert set(run.metrics) == {"nn1", "label-accuracy"}
    images = genframe.load(run.directory).sample(64, labels=3, seed=0)
    assert (len(images), images.shape[-1], str(images.dtype)) == (64, 1, "torch.uint8")
    with pytest.raises(genframe.errors.ConfigError, match="stepz"):
        genframe.train("cdcgan", stepz=3)


def test_observers_are_told_at_log_cadence() -> None:
    calls: list[tuple[str, Any]] = []

    class Diary:
        def started(self, run: Any) -> None:
            calls.append(("started", run["status"]))

        def logged(self, step: int, values: Any) -> None:
            calls.append(("logged", step))

        def sampled(self, step: int, view: Any, picture: Path) -> None:
            assert picture.is_file()
            calls.append(("sampled", step))
            assert picture in view.pictures

        def finished(self, outcome: Any) -> None:
            calls.append(("finished", outcome["status"]))

    genframe.train(
        "dcgan",
        steps=4,
        log_every=2,
        sample_every=2,
        batch_size=32,
        output_dir="a",
        settings={"architecture.width": 8},
        observers=[Diary()],
    )
    cadence = [("logged", 2), ("sampled", 2), ("logged", 4), ("sampled", 4)]
    assert calls == [("started", "running"), *cadence, ("finished", "finished")]


def test_signals_to_the_whole_group_save_with_readers_too() -> None:
    words = [*CDCGAN, "--steps", "100000", "--log-every", "1", "--workers", "2", "--output-dir", "run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "genframe", *words], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not Path("run/metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"


def _register_metric(measure: Any) -> None:
    class Strange:
        def measure(self, view: Any) -> Any:
            return measure()

    spec = MetricSpec(name="strange", summary="s", factory=lambda settings: Strange(), better="lower")
    genframe.register(spec)


def _crash() -> Any:
    raise RuntimeError("no such luck")


@pytest.mark.parametrize(
    ("measure", "entry", "code"),
    [
        (lambda: Measurement(value=float("nan")), {"value": None, "protocol": {}}, 0),
        (lambda: Measurement(value=torch.tensor(0.5)), {"value": 0.5, "protocol": {}}, 0),
        (_crash, {"failed": "RuntimeError: no such luck"}, 1),
    ],
)
def test_a_strange_metric_does_not_cost_the_run(cli: Any, measure: Any, entry: dict[str, Any], code: int) -> None:
    _register_metric(measure)
    result = cli(*CDCGAN, "--metric", "strange", "--output-dir", "a")
    assert result.code == code, result.err
    summary = json.loads(Path("a/run.json").read_text())
    assert (summary["status"], summary["metrics"]["strange"]) == ("finished", entry)
    assert Path("a/samples/final.png").is_file()


def test_an_observer_that_fails_at_the_end_does_not_hide_how_the_run_ended(cli: Any) -> None:
    class Sulky:
        def started(self, run: Any) -> None: ...
        def logged(self, step: int, values: Any) -> None: ...
        def sampled(self, step: int, view: Any, picture: Any) -> None: ...
        def finished(self, outcome: Any) -> None:
            raise RuntimeError("sulking")

    genframe.register(ObserverSpec(name="sulky", summary="s", factory=lambda settings: Sulky()))
    genframe.register(
        TermSpec(name="poison", summary="s", factory=lambda settings: lambda *_: torch.tensor(float("nan")))
    )
    assert cli(*CDCGAN, "--set", 'observers=["sulky"]', "--output-dir", "a").code == 1
    assert json.loads(Path("a/run.json").read_text())["status"] == "finished"
    assert cli(*CDCGAN, "--set", 'observers=["sulky"]', "--set", 'terms=["poison"]', "--output-dir", "b").code == 6


@pytest.mark.parametrize("error", [SystemExit(0), ValueError("odd")])
def test_a_part_that_cannot_be_built_is_named_with_its_plugin(cli: Any, error: BaseException) -> None:
    def factory(settings: Any) -> Any:
        raise error

    genframe.register(NoiseSpec(name="grumpy", summary="s", factory=factory))
    result = cli(*CDCGAN, "--noise", "grumpy")
    assert (result.code, "noise 'grumpy'" in result.err, type(error).__name__ in result.err) == (1, True, True)


@pytest.mark.parametrize("words", [["--set", "preview.columns=0"], ["--set", "metrics.0.count=0"]])
def test_a_dry_run_refuses_what_a_run_refuses_and_neither_leaves_a_trace(cli: Any, words: list[str]) -> None:
    codes = [cli(*CDCGAN, *words, *more).code for more in ([], ["--dry-run"])]
    assert codes == [2, 2]
    assert list(Path().iterdir()) == []


def test_single_settings_may_be_given_in_any_order(cli: Any) -> None:
    words = ["--set", "noise.dim=64", "--set", "noise.name=gaussian"]
    tree = tomllib.loads(cli(*CDCGAN, *words, "--dry-run").out)
    assert tree["noise"] == {"name": "gaussian", "dim": 64}


def test_brackets_in_a_path_are_shown_as_they_are(cli: Any) -> None:
    result = cli(*CDCGAN, "--output-dir", "[/foo] [bold]x")
    assert result.code == 0, result.err
    assert "run directory: [/foo] [bold]x" in result.err


def test_a_run_with_a_term_can_be_sampled_without_it(cli: Any) -> None:
    genframe.register(TermSpec(name="nothing", summary="s", factory=lambda settings: lambda *_: torch.zeros(())))
    assert cli(*CDCGAN, "--set", 'terms=["nothing"]', "--output-dir", "a").code == 0
    lookup._registered.clear()
    assert genframe.load("a").sample(2).shape[0] == 2


def test_numbers_of_a_part_are_kept_in_the_checkpoint(cli: Any) -> None:
    class Counting:
        """A law of z that depends on how often it was asked."""

        shape = (4,)

        def __init__(self, settings: Any) -> None:
            self.calls = torch.zeros(1)

        def draw(self, indices: torch.Tensor, key: int) -> torch.Tensor:
            self.calls += 1
            return torch.zeros(len(indices), 4)

        def project(self, noise: torch.Tensor) -> torch.Tensor:
            return noise

        def state(self) -> dict[str, torch.Tensor]:
            return {"calls": self.calls}

        def load_state(self, state: Any) -> None:
            self.calls = state["calls"].clone()

    genframe.register(NoiseSpec(name="counting", summary="s", factory=Counting))
    assert cli(*CDCGAN, "--noise", "counting", "--metric", "nn1", "--output-dir", "a").code == 0
    noise = genframe.load("a").trained.noise
    assert noise is not None
    assert noise.calls.item() == 6  # one draw a step; what pictures and figures drew came after the last checkpoint


def test_few_pictures_make_smaller_batches_unless_a_size_is_asked_for(cli: Any) -> None:
    np.savez("few.npz", images=np.zeros((20, 8, 8), dtype=np.uint8))
    words = ("run", "--plugin", "dcgan", "--data", "few.npz", "--set", "architecture.width=8", "--steps", "2")
    assert cli(*words, "--output-dir", "a").code == 0
    assert json.loads(Path("a/run.json").read_text())["batch_size"] == 18
    assert cli(*words, "--batch-size", "19").code == 2


def test_a_closed_pipe_is_no_defect(genframe_process: Any) -> None:
    code = (
        "import os, subprocess, sys; read, write = os.pipe(); os.close(read);"
        f"words = [sys.executable, '-m', 'genframe', *{list(CDCGAN)!r}];"
        "done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE);"
        "print(done.returncode, b'defect' in done.stderr)"
    )
    assert genframe_process("-c", code).stdout.split() == ["141", "False"]
    assert json.loads(Path("runs/cdcgan-digits-0001/run.json").read_text())["status"] == "finished"


def test_suggestions_can_be_typed_where_a_plugins_folder_was_given(cli: Any) -> None:
    Path("plugins").mkdir()
    result = cli(*CDCGAN, "--plugins-dir", "plugins")
    suggestions = [line for line in result.out.splitlines() if line.startswith("  ") and "runs/" in line]
    assert len(suggestions) == 3
    assert all(line.endswith("--plugins-dir plugins") for line in suggestions)


def test_a_run_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    genframe.train("cdcgan", steps=2, batch_size=32, output_dir="a", settings={"architecture.width": 8})
    assert torch.equal(torch.rand(2), expected)
