"""What a run asks of the kernels, found out before it begins: one training step and some samples, thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genframe.assembly import Assembly, assemble
from genframe.backends import kernel_backend
from genframe.config import RunConfig
from genframe.registry import Registry
from genframe.training.batches import batches, reading_errors
from genframe.training.device import cpu_threads, private_randomness
from genframe_kernels import asked, choose
from genframe_kernels.recording import Recorded, recorded


@dataclass(frozen=True)
class KernelPlan:
    """The calls of a run's blocks.

    Attributes:
        title: one line that says of which run.
        calls: of a training step and of a chunk of samples, by these words.
    """

    title: str
    calls: Mapping[str, tuple[Recorded, ...]]


def kernel_plan(config: RunConfig, registry: Registry) -> KernelPlan:
    """Takes one step of a run by PyTorch's own operators, and looks on.

    Raises:
        GenframeError: whatever this run would be refused for.
    """
    with kernel_backend("torch"):
        assembly = assemble(config, registry)
        with cpu_threads(assembly.config.training.threads or 1), reading_errors():
            training, sampling = _step(assembly), _samples(assembly)
    compute = assembly.compute
    title = (
        f"{config.recipe} on {config.data_name}, {assembly.batch_size} samples a step, "
        f"{compute.precision} on {compute.device}"
    )
    return KernelPlan(title, {"a training step": training, "drawing samples": sampling})


def refuse_unfit_backend(config: RunConfig, registry: Registry) -> None:
    """Refuses a run, within `kernel_backend`, whose networks the backend asked for by name cannot serve.

    Raises:
        UnsupportedError: names the first call that it cannot serve, and why.
    """
    if asked() not in ("auto", "torch"):
        for made in kernel_plan(config, registry).calls.values():
            for _, _, call in made:
                choose(call)


def _step(assembly: Assembly) -> tuple[Recorded, ...]:
    stream = batches(assembly.train, batch_size=assembly.batch_size, seed=assembly.config.seed)
    with recorded(assembly.trainer.networks) as calls, private_randomness(assembly.compute.device):
        assembly.trainer.step(0, next(stream))
    return tuple(calls)


def _samples(assembly: Assembly) -> tuple[Recorded, ...]:
    view = assembly.view(0)
    with recorded(view.trained.networks) as calls:
        view.samples(1)
    return tuple(calls)
