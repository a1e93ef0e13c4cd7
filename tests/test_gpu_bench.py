"""``bench/gpu.py`` runs, goes on where it ended, and its report reads what it wrote; the figures need a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

BENCH = Path(__file__).parents[1] / "bench"

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the smoke test is for machines without a GPU")


def script(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, BENCH / name, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


def cases(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["cases"]


def test_it_measures_goes_on_and_reports(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    stopped = script("gpu.py", "--smoke", "--minutes", "0", "--output", output)
    assert (stopped.returncode, cases(output)) == (0, {}), stopped.stderr
    assert "call it again to go on" in stopped.stdout
    for word in ("bfloat16 | channels_last", "tf32 | hybrid", "generator | tiny | 4 | bfloat16 | triton"):
        done = script("gpu.py", "--smoke", "--only", word, "--output", output)
        assert (done.returncode, "everything is measured" in done.stdout) == (0, True), done.stderr
    found = cases(output)
    questions = {name.partition(" |")[0] for name in found}
    assert questions == {"generator", "forward", "step", "layer 0", "layer 1", "layer 2", "layer 3"}
    failed = [name for name, figures in found.items() if "failed" in figures]
    assert failed == ["layer 3 | tiny | 4 | tf32 | hybrid"]  # it has no norm, and hybrid is of the norm
    assert all(figures["bytes"] > 0 < figures["products"] for name, figures in found.items() if "layer" in name)
    again = script("gpu.py", "--smoke", "--only", "tf32 | hybrid", "--output", output)
    assert "tiny" not in again.stdout
    assert cases(output) == found

    assert not json.loads(output.read_text())["schedules"]  # `--only` names none of them
    done = script("gpu.py", "--smoke", "--only", "replayed, float32", "--output", output)
    assert done.returncode == 0, done.stderr
    (schedule,) = json.loads(output.read_text())["schedules"].values()
    assert (schedule["steps"], schedule["cuda_graphs"]) == (2, "none: the device is cpu")

    reported = script("gpu_report.py", "--input", output)
    assert reported.returncode == 0, reported.stderr
    page = (tmp_path / "gpu.md").read_text()
    assert "| tiny | 4 | bfloat16 |" in page
    assert "conv_transpose" in page
    assert "| replayed, float32 | 2 |" in page
    (inference,) = [line for line in page.splitlines() if line.startswith("| tiny") and "(triton)" in line]
    figures = found["generator | tiny | 4 | bfloat16 | triton"]
    ceilings = json.loads(output.read_text())["ceilings"]
    needed = [
        max(each["bytes"] / ceilings["bytes"], each["products"] / ceilings["bfloat16"]) for each in figures["floor"]
    ]
    assert inference.split("|")[-2].strip() == f"{sum(needed) / figures['milliseconds'] * 1e3:.0%}"
    assert (tmp_path / "gpu.png").stat().st_size > 10_000


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    refused = script("gpu.py", "--output", tmp_path / "gpu.json")
    assert refused.returncode == 2
    assert "there is no CUDA device" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_figures_of_another_machine_are_not_mixed(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    output.write_text(json.dumps({"machine": {"device": "another"}, "cases": {}}))
    refused = script("gpu.py", "--smoke", "--output", output)
    assert refused.returncode == 2
    assert "name another --output" in refused.stderr
