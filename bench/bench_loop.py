"""How much of the default run's training loop is spent outside networks and optimizers.

    python -m pytest bench/bench_loop.py

Forward passes, backward passes and optimizer steps are timed by hooks; the rest is data, noise, losses, averages,
checks and records: what genframe itself costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genframe.assembly import Assembly, assemble
from genframe.options import configure
from genframe.recording import Recorder
from genframe.registry import load_registry
from genframe.rundir import RunDirectory
from genframe.training.batches import batches
from genframe.training.device import cpu_threads
from genframe.training.loop import train
from genframe.training.signals import StopRequest

STEPS = 300


class Stopwatch:
    """Time spent in what it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def _assembled(folder: Path) -> tuple[Assembly, Recorder]:
    registry = load_registry()
    config = configure(registry, recipe="cdcgan", options={"steps": STEPS})
    assembly = assemble(config, registry)
    recorder = Recorder(assembly, RunDirectory.create(folder / "run", "cdcgan", "digits"), [])
    recorder.start()
    return assembly, recorder


def test_share_of_time_outside_networks_and_optimizers(
    benchmark: Any, report: Callable[..., None], tmp_path: Path, monkeypatch: Any
) -> None:
    """The promise: under 3%."""
    watch = Stopwatch()
    assembly, recorder = _assembled(tmp_path)
    networks: list[nn.Module] = list(assembly.trainer.networks.values())
    for network in networks:
        monkeypatch.setattr(network, "forward", watch.around(network.forward))
    for optimizer in assembly.trainer.optimizers.values():
        monkeypatch.setattr(optimizer, "step", watch.around(optimizer.step))
    monkeypatch.setattr(Tensor, "backward", watch.around(Tensor.backward))

    def run() -> None:
        training = assembly.config.training
        stream = batches(assembly.train, batch_size=assembly.batch_size, seed=0)
        with cpu_threads(training.threads or torch.get_num_threads()):
            train(assembly.trainer, stream, training, recorder, StopRequest())

    began = time.perf_counter()
    benchmark.pedantic(run, rounds=1)
    total = time.perf_counter() - began
    report(benchmark, milliseconds_a_step=total / STEPS * 1e3, percent_outside=100 * (1 - watch.seconds / total))
