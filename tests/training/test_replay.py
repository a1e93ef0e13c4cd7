"""Steps that are recorded and replayed learn what steps made one by one learn.

A CUDA graph needs a GPU. What it does can be had anywhere: a `Tape` takes down every operation of PyTorch on its very
tensors and repeats them, and nothing of Python runs again. What a recorded step took from Python's numbers would stay
as it was, and the losses would part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from genframe.assembly import Assembly, assemble
from genframe.config import assignment
from genframe.errors import DivergenceError
from genframe.interfaces import Batch
from genframe.options import configure
from genframe.registry import load_registry
from genframe.shapes import Field
from genframe.training import trainer
from genframe.training.averages import Averages
from genframe.training.batches import batches
from genframe.training.device import Compute, private_randomness
from genframe.training.replay import Steps
from genframe.training_settings import TrainingSettings

TINY = ["architecture.width=8", "architecture.hidden=16", "metrics=[]"]


class Tape(TorchDispatchMode):
    """Records operations without their effect on what was there before, and repeats them.

    Operations run while they are recorded, so that shapes and values are there to go on with; `record` then puts back
    what they changed. A value that Python reads is refused, as it is while a CUDA graph is recorded.
    """

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, Any, Any, Any]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        kwargs = kwargs or {}
        # This schema does not say that the running statistics change.
        silent = ("running_mean", "running_var") if func is torch.ops.aten.native_batch_norm.default else ()
        for number, argument in enumerate(func._schema.arguments):
            if argument.name in silent or (argument.alias_info is not None and argument.alias_info.is_write):
                given = args[number] if number < len(args) else kwargs.get(argument.name)
                for tensor in pytree.tree_leaves(given):
                    if isinstance(tensor, Tensor):
                        self._before.setdefault(id(tensor), (tensor, tensor.detach().clone()))
        out = func(*args, **kwargs)
        self._operations.append((func, args, kwargs, out))
        return out

    @contextmanager
    def record(self, generators: Sequence[torch.Generator]) -> Iterator[None]:
        try:
            with self:
                yield
        except RuntimeError:
            raise RuntimeError("the end of a recording that has failed") from None  # as CUDA's does
        for tensor, before in self._before.values():
            tensor.detach().copy_(before)

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, out in self._operations:
                again = func(*args, **kwargs)
                for old, new in zip(pytree.tree_leaves(out), pytree.tree_leaves(again), strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.detach().copy_(new)


def assembled(recipe: str, *changes: str) -> Assembly:
    registry = load_registry([])
    options = {"device": "cpu", "batch_size": 8, "steps": 12}
    settings = [assignment(change) for change in (*TINY, *changes)]
    return assemble(configure(registry, recipe=recipe, options=options, settings=settings), registry)


@contextmanager
def taped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, trainers are made that record their steps on tapes, whatever the device."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_obstacle", lambda *_: None)
        patch.setattr(trainer, "Steps", partial(Steps, new_graph=Tape))
        yield


def losses(assembly: Assembly, steps: int = 12) -> list[dict[str, float]]:
    found = []
    stream = batches(assembly.train, batch_size=assembly.batch_size, seed=0)
    with private_randomness(assembly.compute.device):
        for number in range(steps):
            values = assembly.trainer.step(number, next(stream), number / steps)
            found.append({name: float(value) for name, value in values.items()})
    assembly.trainer.check()
    return found


@pytest.mark.parametrize(
    ("recipe", "changes", "kinds"),
    [
        ("cdcgan", [], 1),
        ("dcgan", ["noise.name=gaussian"], 1),
        ("cdcgan", ["algorithm.updates=['critic', 'critic', 'generator']", "algorithm.one_update_per_batch=true"], 3),
        ("cdcgan", ["algorithm.updates=['generator', 'critic', 'generator']"], 1),
        ("cdcgan", ["algorithm.optimizer=sgd", "algorithm.learning_rate=0.01"], 1),
        ("cdcgan", ["training.precision=bfloat16"], 1),
        ("cdcgan", ["training.lr_schedule={shape='linear'}"], 1),
    ],
)
def test_replayed_steps_have_the_losses_weights_and_averages_of_steps_made_one_by_one(
    recipe, changes, kinds, monkeypatch
):
    plain = assembled(recipe, *changes)
    with taped(monkeypatch):
        recorded = assembled(recipe, *changes)
    expected, found = losses(plain), losses(recorded)
    assert recorded.trainer.obstacle is None
    assert len(recorded.trainer._steps._recordings) == kinds
    assert len({loss["critic_loss"] for loss in found if "critic_loss" in loss}) > 4
    tolerance = {"rel": 2e-2, "abs": 2e-2} if "bfloat16" in str(changes) else {"rel": 1e-4, "abs": 1e-5}
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, **tolerance)
    assert recorded.trainer.averages.updates == plain.trainer.averages.updates
    if "bfloat16" not in str(changes):
        pairs = zip(recorded.network_tensors().items(), plain.network_tensors().items(), strict=True)
        for (name, ours), (_, theirs) in pairs:
            assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5), name


class Falling:
    """Minimises w**2 times the batch's scale; what its steps do besides is its `fate`."""

    def __init__(self, fate: str = "", *, fused: bool = True) -> None:
        self._fate = fate
        self._fused = fused

    def optimizers(self, networks: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        return {"net": torch.optim.SGD(networks["net"].parameters(), lr=0.1, fused=self._fused)}

    def step(self, networks: dict[str, nn.Module], batch: Batch, step: Any) -> dict[str, Tensor]:
        loss = networks["net"].weight.square().sum() * batch["scale"].mean()
        if self._fate == "reads a value":
            loss = loss * float(batch["scale"].mean())
        if self._fate == "reads the number":
            loss = loss * (step.number + 1)
        if self._fate == "draws twice":
            loss = loss * torch.rand((), generator=step.rng("a")) * torch.rand((), generator=step.rng("a"))
        if self._fate == "draws":
            loss = loss * torch.rand((), generator=step.rng("falling"))
        step.minimise(loss, "net")
        return {"loss": loss.detach()}


def falling(monkeypatch: pytest.MonkeyPatch, algorithm: Falling) -> trainer.Trainer:
    networks = {"net": nn.Linear(1, 1, bias=False)}
    nn.init.ones_(networks["net"].weight)
    fields = {"scale": Field(kind="vector", shape=(1,))}
    compute, averages = Compute(torch.device("cpu"), torch.float32), Averages(networks, ["net"], 0.9)
    with taped(monkeypatch):
        return trainer.Trainer(algorithm, networks, fields, compute, averages, TrainingSettings(), 0)


def scaled(scale: float) -> Batch:
    return {"scale": torch.full((4, 1), scale)}


@pytest.mark.parametrize(
    ("algorithm", "obstacle"),
    [
        (Falling("reads a value"), "operation not permitted"),
        (Falling("reads the number"), "reads Step.number"),
        (Falling(fused=False), "the optimizer SGD is not fused"),
        (Falling("draws twice"), "used twice in a step"),
        (Falling("draws"), None),
        (Falling(), None),
    ],
)
def test_what_cannot_be_recorded_is_made_one_by_one_and_says_why(monkeypatch, algorithm, obstacle):
    made = falling(monkeypatch, algorithm)
    plain = falling(monkeypatch, algorithm)
    plain._steps.obstacle = "to compare with"
    for number in range(8):
        found = made.step(number, scaled(0.9))["loss"].item()
        assert found == pytest.approx(plain.step(number, scaled(0.9))["loss"].item(), rel=1e-5)
    assert made.networks["net"].weight.item() == pytest.approx(plain.networks["net"].weight.item(), rel=1e-5)
    assert (made.obstacle is None) == (obstacle is None)
    assert obstacle is None or obstacle in made.obstacle
    assert made.cuda_graphs == ("replayed" if obstacle is None else f"none: {made.obstacle}")
    assert all(group.get("capturable", False) is False for group in made.optimizers["net"].param_groups)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_divergence_in_replayed_steps_updates_nothing_and_is_told_with_its_step(monkeypatch, poison):
    made = falling(monkeypatch, Falling())
    weights = []
    for number in range(9):
        made.step(number, scaled(poison if number == 6 else 0.9))
        weights.append(made.networks["net"].weight.item())
    assert weights[4] != weights[5] == weights[6] == weights[8]
    assert made.averages.networks["net"].weight.isfinite().all()
    with pytest.raises(DivergenceError, match=r"step 7: the loss of 'net'"):
        made.check()


def test_a_batch_of_another_shape_is_recorded_for_itself(monkeypatch):
    made = falling(monkeypatch, Falling())
    for number in range(12):
        made.step(number, {"scale": torch.ones(4 + number % 2, 1)})
    assert len(made._steps._recordings) == 2
    made._steps.obstacle = "a third kind could not be recorded"
    assert made.cuda_graphs == "replayed, but not all: a third kind could not be recorded"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("hidden", [0, 16])
def test_cuda_graphs_have_the_losses_of_steps_made_one_by_one(precision, hidden):
    changes = ["training.device=cuda", f"training.precision={precision}", f"architecture.hidden={hidden}"]
    plain, recorded = (assembled("cdcgan", *changes, f"training.cuda_graphs={on}") for on in ("false", "true"))
    expected, found = losses(plain, 30), losses(recorded, 30)
    assert plain.trainer.obstacle == "training.cuda_graphs is off"
    assert recorded.trainer.obstacle is None
    tolerance = {"rel": 1e-3, "abs": 1e-3} if precision == "float32" else {"rel": 5e-2, "abs": 5e-2}
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, **tolerance)
