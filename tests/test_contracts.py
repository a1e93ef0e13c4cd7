"""The contracts carry more than a GAN: four tiny plugins of other kinds train and sample without the core knowing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TINY = Path(__file__).parent / "external" / "tiny"

SYSTEMS = {
    "tiny-vae": ("reconstruction_loss", (8, 8, 1)),
    "tiny-translator": ("generator_loss", (16, 16, 3)),
    "tiny-super-resolver": ("generator_loss", (8, 8, 1)),
    "tiny-next-frame": ("generator_loss", (16, 16, 1)),
}


@pytest.mark.parametrize("recipe", SYSTEMS)
def test_a_system_of_another_kind_trains_and_samples(cli: Any, recipe: str, tmp_path: Path) -> None:
    loss, shape = SYSTEMS[recipe]
    run = tmp_path / "run"
    words = ("--plugins-dir", str(TINY))
    steps = ("--steps", "60", "--log-every", "1", "--batch-size", "32", "--sample-every", "30")
    result = cli("run", "--plugin", recipe, *words, *steps, "--output-dir", str(run))
    assert result.code == 0, result.err
    losses = [json.loads(line)[loss] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5]), "it learns"
    assert (run / "samples/final.png").is_file()
    result = cli("sample", str(run), "-n", "5", "--output", str(tmp_path / "out.npz"), *words)
    assert result.code == 0, result.err
    with np.load(tmp_path / "out.npz") as out:
        assert out["images"].shape == (5, *shape)
        assert out["labels"].tolist() == [-1] * 5


def test_each_is_at_most_eighty_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in TINY.glob("*.py")}
    assert len(lengths) == len(SYSTEMS)
    assert all(length <= 80 for length in lengths.values()), lengths
