"""Wherever a run was stopped, and however its data is read, it ends with the bytes of one that never stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from harness import FULL, TINY, content

from genframe.rundir.checkpoint import complete_checkpoints

STEPS = 32 if FULL else 12  # an epoch has four
POINTS = range(1, 31) if FULL else (1, 6, 8, 11)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("decay", [0.0, 0.999])
def test_a_run_resumed_at_any_point_has_the_same_bytes(
    cli: Any, folder: Path, figure: Any, workers: int, decay: float
) -> None:
    words = [*TINY, "--batch-size", 375, "--steps", STEPS, "--sample-every", 3, "--keep-last", STEPS]
    words += ["--workers", workers, "--set", f"training.ema={decay}", "--output-dir"]
    whole = folder / "whole"
    assert cli("run", *words, whole).code == 0
    points = POINTS if workers == 0 or FULL else POINTS[1:2]
    figure(f"{len(points)} points, {workers} readers, decay {decay}")
    for point in points:
        part = folder / f"part-{point}"
        shutil.copytree(whole, part)
        for path in complete_checkpoints(part / "checkpoints")[point:]:
            shutil.rmtree(path)
        (part / "samples/final.png").unlink()
        result = cli("run", "--resume", "--output-dir", part)
        assert result.code == 0, result.err
        assert f"resumed after step {point}\n" in result.err
        assert content(part) == content(whole)
        shutil.rmtree(part)
