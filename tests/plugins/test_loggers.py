"""Other tools' logs: what they hold, resumed runs, logs that fail, missing libraries, and runs that do not change."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genframe
from genframe.errors import ConfigError, GenframeError, StoppedError
from genframe_loggers import TensorBoardSettings, TrackerSettings
from genframe_loggers.logger import Logger
from genframe_loggers.tensorboard import tensorboard_logger
from genframe_loggers.tracker import FILE, tracker_logger

needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="the extra 'tensorboard' is not installed"
)
SMALL = ["--plugin", "cdcgan", "--set", "architecture.width=8", "--set", "architecture.hidden=16", "--device", "cpu"]
SMALL += ["--log-every", "5", "--sample-every", "10", "--checkpoint-every", "10"]
QUICK = [*SMALL, "--set", "metrics=[]"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def events(folder: Path) -> Any:
    """Everything that TensorBoard shows of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "images", "tensors"), 0)).Reload()


def steps(entries: Any) -> list[int]:
    return [entry.step for entry in entries]


def texts(found: Any, name: str) -> list[tuple[int, str]]:
    entries = found.Tensors(f"{name}/text_summary")
    return [(entry.step, entry.tensor_proto.string_val[0].decode()) for entry in entries]


def hyperparameters(found: Any) -> Any:
    """By name, as the page of hyperparameters shows them."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return HParamsPluginData.FromString(content).session_start_info.hparams


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# TensorBoard


@needs_tensorboard
def test_tensorboard_shows_figures_pictures_the_configuration_and_the_final_figures(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    words = ["--set", "metrics=['nn1']", "--observer", "tensorboard", "--steps", "20", "--output-dir", "run"]
    result = cli("run", *SMALL, *words)
    assert result.code == 0, result.err
    found = events(tmp_path / "run" / "tensorboard")
    for name in ("critic_loss", "generator_loss"):
        entries = found.Scalars(name)
        assert steps(entries) == [5, 10, 15, 20]
        assert [entry.value for entry in entries] == pytest.approx([row[name] for row in rows(tmp_path / "run")])
    assert (steps(found.Images("samples")), steps(found.Images("final"))) == ([10], [20])
    with Image.open(tmp_path / "run" / "samples" / "final.png") as picture:
        (shown,) = found.Images("final")
        assert (shown.width, shown.height) == picture.size
    ((step, text),) = texts(found, "config")
    assert step == 0
    assert "architecture.width = 8\n" in text
    outcome = json.loads((tmp_path / "run" / "run.json").read_text())
    (final,) = found.Scalars("final/nn1")
    assert (final.step, final.value) == (20, pytest.approx(outcome["metrics"]["nn1"]["value"]))
    assert hyperparameters(found)["architecture.width"].number_value == 8


@needs_tensorboard
def test_a_folder_for_all_runs_has_one_for_each(tmp_path: Path) -> None:
    logger = tensorboard_logger(TensorBoardSettings(folder="logs"))
    logger.started(described(tmp_path / "first"))
    logger.logged(1, {"loss": 2.0})
    logger.finished({"status": "interrupted"})
    assert steps(events(tmp_path / "logs" / "first").Scalars("loss")) == [1]


@needs_tensorboard
def test_a_resumed_run_goes_on_where_its_checkpoint_was_and_no_step_is_there_twice(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    words = [*QUICK, "--observer", "tensorboard", "--output-dir", "run"]
    assert cli("run", *words, "--steps", "15").code == 0
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("step-*15"):
        checkpoint.rename(tmp_path / "gone")
    result = cli("run", *words, "--steps", "30", "--resume")
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["resumed"][0]["step"] == 10
    found = events(tmp_path / "run" / "tensorboard")
    assert steps(found.Scalars("critic_loss")) == [5, 10, 15, 20, 25, 30]
    assert steps(found.Images("samples")) == [10, 20]
    assert steps(found.Images("final")) == [30]
    assert [step for step, _ in texts(found, "config")] == [0, 10]


@needs_tensorboard
def test_a_new_start_in_the_same_folder_hides_what_came_before_it(tmp_path: Path) -> None:
    for values in ({"loss": 1.0}, {"loss": 2.0}):
        logger = tensorboard_logger(TensorBoardSettings())
        logger.started(described(tmp_path / "run"))
        logger.logged(5, values)
        logger.finished({"status": "interrupted"})
    assert [entry.value for entry in events(tmp_path / "run" / "tensorboard").Scalars("loss")] == [2.0]


@needs_tensorboard
def test_remarks_are_texts_and_everything_is_on_disk_at_once(tmp_path: Path) -> None:
    logger = tensorboard_logger(TensorBoardSettings())
    logger.started(described(tmp_path / "run"))
    logger.remarked(7, "the critic is saturated")
    assert texts(events(tmp_path / "run" / "tensorboard"), "remarks") == [(7, "the critic is saturated")]
    logger.finished({"status": "interrupted"})


@needs_tensorboard
def test_a_logged_run_has_the_bytes_of_one_that_is_not(cli: Callable[..., Any], tmp_path: Path) -> None:
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # type: ignore[index]
    assert cli("run", *QUICK, "--steps", "20", "--output-dir", "plain").code == 0
    assert cli("run", *QUICK, "--steps", "20", "--output-dir", "logged", "--observer", "tensorboard").code == 0
    same = ["metrics.jsonl", "digests.jsonl", "samples/final.png"]
    same += [str(path.relative_to("plain")) for path in Path("plain/checkpoints").glob("*/*.safetensors")]
    assert len(same) > 4
    for name in same:
        assert Path("plain", name).read_bytes() == Path("logged", name).read_bytes(), name
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # type: ignore[index]


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("torch.utils.tensorboard", ["--observer", "tensorboard"], "tensorboard"),
        ("trackio", ["--observer", "wandb"], "trackio"),
        ("wandb", ["--observer", "wandb", "--set", "observers.1.backend=wandb"], "wandb"),
    ],
)
def test_without_its_library_a_run_does_not_begin_and_the_extra_is_named(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, module: str, words: list[str], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = cli("run", *QUICK, *words, "--output-dir", "run")
    assert result.code == 2
    assert f"pip install 'genframe[{extra}]'" in result.err
    assert not Path("run").exists()


# Logs that fail


class Broken:
    """A log that fails at what it is told to fail at."""

    def __init__(self, at: str, error: Exception) -> None:
        self.calls: list[str] = []
        self._at, self._error = at, error

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            self.calls.append(name)
            if name == self._at:
                raise self._error

        return call


def described(directory: Path, **further: Any) -> dict[str, Any]:
    """What an observer is told of a run, with its configuration on disk."""
    directory.mkdir(exist_ok=True)
    (directory / "config.toml").write_text('recipe = "r"\n[training]\nsteps = 3\nlist = [1, 2]\n')
    return {"directory": directory, "id": "0123456789abcdef", **further}


@pytest.mark.parametrize("at", ["begin", "figures"])
def test_a_log_that_fails_is_told_of_once_and_left_alone(tmp_path: Path, at: str) -> None:
    log = Broken(at, OSError(28, "no\nspace"))
    logger = Logger("demo", log)
    logger.started(described(tmp_path / "run"))
    logger.logged(5, {"loss": 1.0})
    sentence = logger.viewed(5, SimpleNamespace())  # type: ignore[arg-type]
    assert sentence is not None
    assert "'demo' has failed and logs no more; the run goes on (OSError: [Errno 28] no space)" in sentence
    logger.remarked(5, sentence)
    logger.logged(10, {"loss": 1.0})
    assert logger.viewed(10, SimpleNamespace()) is None  # type: ignore[arg-type]
    logger.finished({"status": "finished", "metrics": {}, "steps": 10})
    assert log.calls[-1] == at


def test_what_fails_at_the_end_is_a_problem_of_the_run(tmp_path: Path) -> None:
    logger = Logger("demo", Broken("end", RuntimeError("no answer")))
    logger.started(described(tmp_path / "run"))
    with pytest.raises(GenframeError, match=r"'demo' has failed .*no answer"):
        logger.finished({"status": "interrupted"})


def test_a_signal_within_a_log_stops_the_run(tmp_path: Path) -> None:
    logger = Logger("demo", Broken("picture", StoppedError("stopped", 143)))
    logger.started(described(tmp_path / "run"))
    with pytest.raises(StoppedError):
        logger.sampled(1, SimpleNamespace(), tmp_path / "final.png")  # type: ignore[arg-type]


@needs_tensorboard
def test_a_run_goes_on_without_its_log_and_says_so(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    words = ["--set", "observers=[{name='tensorboard', folder='taken'}]", "--steps", "10", "--output-dir", "run"]
    result = cli("run", *QUICK, *words)
    assert result.code == 0, result.err
    (remark,) = json.loads((tmp_path / "run" / "run.json").read_text())["remarks"]
    assert remark["step"] == 5
    assert "the observer 'tensorboard' has failed" in remark["sentence"]
    assert "the observer 'tensorboard' has failed" in result.err


# Trackers


class Tracker:
    """What Trackio and Weights & Biases have in common, kept in memory."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.alerts: list[tuple[str, str]] = []
        self.finished = 0

    def init(self, **arguments: Any) -> Any:
        print("the tracker speaks")
        self.begun.append(arguments)
        return SimpleNamespace(log=self._log, alert=self._alert)

    def Image(self, path: str) -> str:  # noqa: N802
        assert Path(path).is_file()
        return f"image of {Path(path).name}"

    def _log(self, values: dict[str, Any], step: int) -> None:
        self.rows.append((step, values))

    def _alert(self, title: str, text: str) -> None:
        self.alerts.append((title, text))

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture(params=["trackio", "wandb"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch, backend: str) -> Tracker:
    made = Tracker()
    monkeypatch.setitem(sys.modules, backend, made)  # type: ignore[arg-type]
    return made


def test_a_tracker_gets_figures_pictures_the_configuration_and_the_final_figures(
    cli: Callable[..., Any], tmp_path: Path, tracker: Tracker, backend: str
) -> None:
    words = ["--set", "metrics=['nn1']", "--observer", "wandb", "--set", f"observers.1.backend={backend}"]
    result = cli("run", *SMALL, *words, "--steps", "15", "--output-dir", "run")
    assert result.code == 0, result.err
    assert ("the tracker speaks" in result.out, "the tracker speaks" in result.err) == (False, True)
    (begun,) = tracker.begun
    outcome = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (begun["project"], begun["name"], begun["resume"]) == ("genframe", "run", "never")
    assert begun["config"]["architecture"]["width"] == 8
    assert begun["config"]["run"]["parameters"] == outcome["parameters"]
    json.dumps(begun["config"])
    assert {key: begun.get(key) for key in ("mode", "id", "dir")} == (
        {"mode": "offline", "id": outcome["id"], "dir": "run"}
        if backend == "wandb"
        else dict.fromkeys(("mode", "id", "dir"))
    )
    losses = [(step, values["critic_loss"]) for step, values in tracker.rows if "critic_loss" in values]
    assert losses == [(row["step"], row["critic_loss"]) for row in rows(tmp_path / "run")]
    assert (10, {"samples": "image of step-00000010.png"}) in tracker.rows
    assert (15, {"final": "image of final.png"}) in tracker.rows
    assert tracker.rows[-1] == (15, {"final/nn1": outcome["metrics"]["nn1"]["value"]})
    assert tracker.finished == 1


def test_a_resumed_run_is_the_same_one_there_and_repeats_no_step(
    cli: Callable[..., Any], tmp_path: Path, tracker: Tracker, backend: str
) -> None:
    words = [*QUICK, "--observer", "wandb", "--set", f"observers.1.backend={backend}", "--output-dir", "run"]
    assert cli("run", *words, "--steps", "15").code == 0
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("step-*15"):
        checkpoint.rename(tmp_path / "gone")
    assert cli("run", *words, "--steps", "25", "--resume").code == 0
    assert [begun["resume"] for begun in tracker.begun] == ["never", "allow"]
    assert [step for step, values in tracker.rows if "critic_loss" in values] == [5, 10, 15, 20, 25]
    names = [(step, name) for step, values in tracker.rows for name in values]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("backend", ["trackio"], indirect=True)
@pytest.mark.parametrize("kept", ["nothing", "[]", '{"run": "another", "step": 9, "names": []}', '{"step": "x"}'])
def test_what_cannot_be_read_of_an_earlier_log_counts_for_nothing(tmp_path: Path, tracker: Tracker, kept: str) -> None:
    run = described(tmp_path / "run")
    (tmp_path / "run" / FILE).write_text(kept)
    logger = tracker_logger(TrackerSettings())
    logger.started(run)
    logger.logged(3, {"loss": 1.0})
    assert tracker.rows == [(3, {"loss": 1.0})]


@pytest.mark.parametrize("backend", ["trackio"], indirect=True)
def test_of_the_last_logged_step_what_is_missing_is_still_logged(tmp_path: Path, tracker: Tracker) -> None:
    for _ in range(2):
        logger = tracker_logger(TrackerSettings(run_name="mine", project="p"))
        logger.started(described(tmp_path / "run", resumed=[{"step": 3}]))
        logger.logged(3, {"loss": 1.0})
        logger.remarked(3, "a remark")
    logger.logged(3, {"loss": 1.0, "nn1": 0.5})
    logger.logged(2, {"nn1": 0.6})
    assert tracker.rows == [(3, {"loss": 1.0}), (3, {"nn1": 0.5})]
    assert tracker.alerts == [("step 3", "a remark")]
    assert (tracker.begun[0]["name"], tracker.begun[0]["project"]) == ("mine", "p")


@pytest.mark.parametrize("library", ["trackio", "wandb"])
def test_a_real_tracker_takes_a_run(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip(library)
    settings = {"architecture.width": 8, "architecture.hidden": 16, "metrics": [], "observers.1.backend": library}
    run = genframe.train(
        "cdcgan", steps=10, log_every=5, sample_every=5, output_dir="run", observer=["wandb"], settings=settings
    )
    assert run.summary["remarks"] == []
    assert json.loads((tmp_path / "run" / FILE).read_text())["step"] == 10
    assert os.listdir(tmp_path / "run" / "wandb" if library == "wandb" else tmp_path / "trackio")


@pytest.mark.parametrize("settings", [{"backend": "mlflow"}, {"mode": "sometimes"}])
def test_unknown_backends_and_modes_are_refused(cli: Callable[..., Any], settings: dict[str, str]) -> None:
    words = [f"--set=observers.1.{key}={value}" for key, value in settings.items()]
    result = cli("run", *QUICK, "--observer", "wandb", *words, "--output-dir", "run")
    assert result.code == 2
    assert next(iter(settings.values())) in result.err


def test_the_missing_library_is_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError):
        tensorboard_logger(TensorBoardSettings())
