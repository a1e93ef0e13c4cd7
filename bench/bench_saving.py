"""How long saving keeps training waiting, for 7 million parameters with Adam and running averages.

    python -m pytest bench/bench_saving.py --benchmark-only -p no:xdist

A checkpoint is copied while training waits, and written, digested and made durable while it goes on. The first figure
is the wait; the second, for comparison, is the wait if nothing were done meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

from genframe.assembly import assemble
from genframe.config import assignment
from genframe.options import configure
from genframe.recording import Recorder
from genframe.registry import load_registry
from genframe.rundir import RunDirectory
from genframe.training.batches import batches

SAVES = 9


def test_how_long_saving_keeps_training_waiting(benchmark: Any, tmp_path: Path) -> None:
    """The wait, and the time until a checkpoint is on disk."""
    registry = load_registry([])
    settings = [assignment(text) for text in ("architecture.width=316", "architecture.hidden=0", "metrics=[]")]
    config = configure(registry, recipe="cdcgan", options={"batch_size": 4, "device": "cpu"}, settings=settings)
    assembly = assemble(config, registry)
    parameters = sum(assembly.parameters().values())
    recorder = Recorder(assembly, RunDirectory.create(tmp_path / "run", "cdcgan", "digits"), [])
    stream = batches(assembly.train, batch_size=4, seed=0)
    for step in range(2):
        assembly.trainer.step(step, next(stream))
    waits, whole = [], []

    def save() -> None:
        for step in range(SAVES):
            began = time.perf_counter()
            recorder.save(step)
            waits.append(time.perf_counter() - began)
            recorder.settle()
            whole.append(time.perf_counter() - began)

    benchmark.pedantic(save, rounds=1)
    print(f"\n\n  parameters: {parameters:,}")
    print(f"  seconds of waiting: {median(waits):.3f} (longest {max(waits):.3f})")
    print(f"  seconds until it is on disk: {median(whole):.3f} (longest {max(whole):.3f})")
