"""A number that is not finite stops the run before it does harm, in plain words; the last good checkpoint stays."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from harness import TINY, content, last_step
from torch import Tensor

from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint
from genframe.training.trainer import Trainer

WORDS = ["run", *TINY, "--steps", 8]


class _Poison(torch.autograd.Function):
    """The value as it is, and a gradient that is not finite."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, poison: float) -> Tensor:
        ctx.poison = poison
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * ctx.poison, None


def poisoned_loss(poison: float) -> Callable[[Tensor], Tensor]:
    return lambda loss: loss * poison


def poisoned_gradient(poison: float) -> Callable[[Tensor], Tensor]:
    return lambda loss: _Poison.apply(loss, poison)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("step", [1, 4, 8])
@pytest.mark.parametrize("place", ["critic loss", "generator loss", "gradient", "parameter"])
def test_what_is_not_finite_stops_the_run_and_is_never_saved(cli, folder, monkeypatch, poison, step, place):
    assert cli(*WORDS, "--output-dir", folder / "whole").code == 0
    run = folder / "run"
    with monkeypatch.context() as patch:
        before: list[dict[str, Tensor]] = []
        infect(patch, place, step, poison, before)
        result = cli(*WORDS, "--output-dir", run)
    assert result.code == 6, result.err
    sentence = result.err.splitlines()[-1]
    assert "training diverged" in sentence
    assert "a smaller --lr is the first thing to try" in sentence
    assert place == "parameter" or f"at step {step}:" in sentence
    assert json.loads((run / "run.json").read_text())["status"] == "diverged"
    assert last_step(run) == step - 1
    for path in complete_checkpoints(run / "checkpoints"):
        checkpoint = load_checkpoint(path, training=True)
        tensors = [*checkpoint.networks.values(), *checkpoint.training.values()]
        assert all(tensor.isfinite().all() for tensor in tensors)
    for role, weights in enumerate(before):
        assert all(tensor.isfinite().all() for tensor in weights.values()), role
    if step > 1:
        assert cli("run", "--resume", "--output-dir", run).code == 0
        assert content(run) == content(folder / "whole")


def infect(patch: Any, place: str, step: int, poison: float, before: list[dict[str, Tensor]]) -> None:
    """Puts `poison` into a place of step `step`; in `before`, afterwards, the weights whose update it was."""
    if place == "parameter":
        make, numbers = Trainer.step, itertools.count(1)

        def made(self: Trainer, *arguments: Any) -> Any:
            values = make(self, *arguments)
            if next(numbers) == step:
                with torch.no_grad():
                    next(self.networks["generator"].parameters()).view(-1)[0] = poison
            return values

        patch.setattr(Trainer, "step", made)
        return
    change = poisoned_gradient(poison) if place == "gradient" else poisoned_loss(poison)
    role = "critic" if place == "critic loss" else "generator"
    update, counts = Trainer.update, itertools.count(1)

    def updated(self: Trainer, loss: Tensor, roles: Any, made: Any) -> None:
        if list(roles) == [role] and next(counts) == step:
            before.append(self.networks[role].state_dict())
            loss = change(loss)
        update(self, loss, roles, made)

    patch.setattr(Trainer, "update", updated)
