"""Each example on the hooks' page does what it says in a real run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from genframe import hookspecs

SMALL = ("--set", "architecture.width=8")
WORDS: dict[str, tuple[str, ...]] = {
    "genframe_recipes": ("--plugin", "small-cdcgan", *SMALL),
    "genframe_algorithms": ("--plugin", "dcgan", "--algorithm", "regression", *SMALL),
    "genframe_architectures": ("--plugin", "cdcgan", "--architecture", "perceptrons"),
    "genframe_conditionings": ("--plugin", "cdcgan", "--conditioning", "logit-offset", *SMALL),
    "genframe_noise_samplers": ("--plugin", "cdcgan", "--noise", "signs", "--set", "noise.dim=32", *SMALL),
    "genframe_objectives": ("--plugin", "cdcgan", "--objective", "difference", *SMALL),
    "genframe_regularizers": (
        *("--plugin", "cdcgan", "--regularizer", "drift", "--set", "regularizers.0.weight=0.01"),
        *SMALL,
    ),
    "genframe_augmentations": ("--plugin", "cdcgan", "--augmentation", "brightness", *SMALL),
    "genframe_terms": ("--plugin", "cdcgan", "--set", 'terms=["distance"]', *SMALL),
    "genframe_datasets": ("--plugin", "cdcgan", "--data", "bars", *SMALL),
    "genframe_metrics": ("--plugin", "cdcgan", "--metric", "brightness", *SMALL),
    "genframe_visualizers": ("--plugin", "cdcgan", "--set", "preview.name=mean", *SMALL),
    "genframe_observers": ("--plugin", "cdcgan", "--set", 'observers=["best"]', *SMALL),
}


def example(hook: str) -> str:
    documentation = inspect.getdoc(getattr(hookspecs, hook)) or ""
    (code,) = re.findall(r"```python\n(.*?)```", documentation, re.DOTALL)
    return str(code)


def test_every_hook_is_here() -> None:
    tried = {*WORDS, "genframe_experiments"}  # an experiment is no part of a run, and has a test of its own
    assert tried == {name for name in vars(hookspecs) if name.startswith("genframe_")}


@pytest.mark.parametrize("hook", WORDS)
def test_the_example_of_a_hook_works_in_a_run(cli: Any, hook: str, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / f"example_{hook}.py").write_text(example(hook))
    words = ("--steps", "3", "--batch-size", "16", "--plugins-dir", tmp_path / "plugins")
    result = cli("run", *WORDS[hook], *words, "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err
    assert (tmp_path / "run" / "samples" / "final.png").is_file()
    result = cli("sample", tmp_path / "run", "-n", "3", "--output", tmp_path / "x.npz", "--plugins-dir", words[-1])
    assert result.code == 0, result.err


def test_the_observer_of_the_example_leaves_its_file(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "example_observer.py").write_text(example("genframe_observers"))
    words = ("--steps", "3", "--batch-size", "16", "--log-every", "1", "--plugins-dir", tmp_path)
    cli("run", *WORDS["genframe_observers"], *words, "--output-dir", tmp_path / "run")
    assert 0 < float((tmp_path / "run" / "best.txt").read_text()) < 100


def test_the_experiment_of_the_example_writes_its_page(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "example_experiment.py").write_text(example("genframe_experiments"))
    words = ("--budget", "0.0001", "--seeds", "1", "--device", "cpu", "--plugins-dir", tmp_path)
    result = cli("reproduce", "width", *words, "--runs", tmp_path / "runs", "--output", tmp_path / "width.md")
    assert result.code == 0, result.err
    page = (tmp_path / "width.md").read_text()
    assert "Wider networks err less. (folklore)" in page
    assert "Scaled down" in page
