"""A training step of ``dcgan-tutorial`` beside the loop that people start from: 64x64, batch 64, on the CPU.

    python -m pytest bench/bench_step.py

All of them take turns in one process; the ratios are those of the medians. genframe's step includes reading its batch,
drawing its noise, the running average of the generator's weights and the check that everything is finite.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from genframe.assembly import assemble
from genframe.options import configure
from genframe.registry import load_registry
from genframe.training.batches import batches

BATCH = 64
ROUNDS = 8


class TutorialLoop:
    """What people start from: the training loop of PyTorch's DCGAN example, less its reading of files.

    Networks, initial weights, losses and the order of the updates are those of ``pytorch/examples/dcgan``.

    Args:
        channels_last: networks and pictures in the layout that convolutions like.
        bfloat16: networks under autocast.
    """

    def __init__(self, *, channels_last: bool = False, bfloat16: bool = False) -> None:
        self.generator, self.critic = _generator(), _critic()
        layout = torch.channels_last if channels_last else torch.contiguous_format
        for network in (self.generator, self.critic):
            network.apply(_initialise)
            network.to(memory_format=layout)  # type: ignore[call-overload]
        self._layout, self._bfloat16 = layout, bfloat16
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.critic, self.generator)
        ]
        self._criterion = nn.BCELoss()

    def step(self, real: Tensor) -> None:
        """One update of each network on a batch ``(B, 3, 64, 64)`` in [-1, 1]."""
        real = real.contiguous(memory_format=self._layout)
        noise = torch.randn(len(real), 100, 1, 1)
        of_critic, of_generator = self._optimizers
        self.critic.zero_grad()
        real_loss = self._loss(self._run(self.critic, real), 1.0)
        real_loss.backward()  # type: ignore[no-untyped-call]
        fake = self._run(self.generator, noise)
        fake_loss = self._loss(self._run(self.critic, fake.detach()), 0.0)
        fake_loss.backward()  # type: ignore[no-untyped-call]
        (real_loss + fake_loss).item()
        of_critic.step()
        self.generator.zero_grad()
        loss = self._loss(self._run(self.critic, fake), 1.0)
        loss.backward()  # type: ignore[no-untyped-call]
        loss.item()
        of_generator.step()

    def _run(self, network: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            y: Tensor = network(x)
        return y

    def _loss(self, probability: Tensor, label: float) -> Tensor:
        flat = probability.float().view(-1)
        loss: Tensor = self._criterion(flat, torch.full_like(flat, label))
        return loss


def _generator() -> nn.Sequential:
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, 512, 4, 1, 0, bias=False), nn.BatchNorm2d(512), nn.ReLU(True)]
    for wide, narrow in ((512, 256), (256, 128), (128, 64)):
        layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())


def _critic() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for wide, narrow in ((64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 0, bias=False), nn.Sigmoid())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _genframe(precision: str) -> Callable[[], Any]:
    registry = load_registry()
    options = {"precision": precision, "batch_size": BATCH}
    config = configure(registry, recipe="dcgan-tutorial", options=options)
    assembly = assemble(config, registry)
    steps = enumerate(batches(assembly.train, batch_size=BATCH, seed=0))
    return lambda: assembly.trainer.step(*next(steps))


def _seconds(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def test_a_step_beside_the_tutorials(benchmark: Any, report: Callable[..., None]) -> None:
    """Promised, in units of the tutorial's step: 1/1.15 in float32, 1/2.2 with ``--precision auto``."""
    torch.manual_seed(0)
    real = torch.rand(BATCH, 3, 64, 64) * 2 - 1
    loops = {
        "tutorial": TutorialLoop(),
        "tutorial, channels_last": TutorialLoop(channels_last=True),
        "tutorial, channels_last, bfloat16": TutorialLoop(channels_last=True, bfloat16=True),
    }
    steps: Mapping[str, Callable[[], Any]] = {
        **{name: partial(loop.step, real) for name, loop in loops.items()},
        **{f"genframe, {precision}": _genframe(precision) for precision in ("auto", "float32", "bfloat16")},
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}

    def one_round() -> None:
        for name, step in steps.items():
            seconds[name].append(_seconds(step))

    benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    report(benchmark, **{f"{name}, milliseconds": 1e3 * median for name, median in medians.items()})
    baseline = medians["tutorial"]
    report(benchmark, **{f"{name}, times as fast as the tutorial": baseline / m for name, m in medians.items()})
