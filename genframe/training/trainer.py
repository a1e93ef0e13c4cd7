"""One training step: the algorithm says what to minimise, the core minimises it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genframe.errors import CheckpointError, GenframeError, PluginError, quoted
from genframe.interfaces import Algorithm, Batch
from genframe.randomness import derive_key
from genframe.shapes import Field
from genframe.training.averages import Averages
from genframe.training.device import Compute
from genframe.training.replay import Steps, unfused
from genframe.training.schedules import Schedules
from genframe.training.steps import TrainingStep, not_finite
from genframe.training_settings import TrainingSettings
from genframe_kernels import recompute_activations


class Trainer:
    """Networks in training, with their optimizers and running averages.

    Args:
        algorithm: what is learnt from a batch.
        networks: by role, on the device.
        fields: what of a batch the algorithm is given.
        compute: the device and the precision.
        averages: which running averages to keep.
        settings: whose schedules are followed.
        seed: of every random stream.
        replayable: whether a step of the algorithm can be recorded and replayed, as its spec says.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        networks: Mapping[str, nn.Module],
        fields: Mapping[str, Field],
        compute: Compute,
        averages: Averages,
        settings: TrainingSettings,
        seed: int,
        replayable: bool = False,
    ) -> None:
        self.networks = networks
        self.averages = averages
        self.optimizers = algorithm.optimizers(networks)
        obstacle = _obstacle(compute, settings, replayable) or unfused(self.optimizers.values())
        self._schedules = Schedules(self.optimizers.values(), settings, None if obstacle else compute.device)
        self._steps = Steps(self, compute.device, seed, obstacle)
        self._algorithm = algorithm
        self._fields = dict(fields)
        self._compute = compute
        self._recompute = settings.recompute_activations
        self._seed = seed

    def step(self, number: int, batch: Batch, progress: float = 0.0) -> Mapping[str, Tensor]:
        """Makes one step and returns scalars to log, still on the device.

        Networks that draw at random themselves, such as dropout, find torch's global generator seeded for this step.

        Args:
            number: of the step, from 0.
            batch: what it learns from.
            progress: the share of the run that is behind it, for schedules.
        """
        self._schedules.set(number, progress)
        self._compute.seed(derive_key(self._seed, "step/networks", number))
        return self._steps.make(number, {name: batch[name] for name in self._fields})

    def check(self) -> None:
        """Before anything of a step is kept: whether the steps so far, and all that they have made, are finite.

        Raises:
            DivergenceError: something is not.
        """
        self._steps.check()
        named = {name: value for name, value in self.network_tensors().items() if value.is_floating_point()}
        norms = torch.stack(torch._foreach_norm(list(named.values()), math.inf))
        if not math.isfinite(norms.sum().item()):
            finite = torch.isfinite(norms).tolist()
            raise not_finite([name for name, good in zip(named, finite, strict=True) if not good])

    @property
    def obstacle(self) -> str | None:
        """Why steps are not replayed as CUDA graphs; None if they are."""
        return self._steps.obstacle

    @property
    def cuda_graphs(self) -> str:
        """Whether steps were replayed as CUDA graphs, and if not all, why, in words."""
        return self._steps.summary

    def run(self, batch: Batch, step: TrainingStep) -> Mapping[str, Tensor]:
        """The work of a step; see `genframe.training.replay.Replayable`."""
        prepared = self._compute.prepare(batch, self._fields)
        with self._compute.autocast(), recompute_activations(self._recompute):
            values = self._algorithm.step(self.networks, prepared, step)
        for role in self.averages.networks.keys() - self.optimizers.keys():
            self.averages.copy(role)
        # A value that kept its graph would tie the next step's backward to this step's stream.
        return {name: value.detach() for name, value in values.items()}

    def update(self, loss: Tensor, roles: Sequence[str], step: TrainingStep) -> None:
        """Backward, the check that all is finite, the updates, the running averages."""
        if loss.shape:
            raise GenframeError(
                f"what is minimised for {quoted(roles)} has the shape {tuple(loss.shape)} and is to be one number: a "
                "loss, a penalty or a term among it gives one for each sample"
            )
        optimizers = [self.optimizers[role] for role in roles]
        parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        # Backward runs outside autocast, as PyTorch asks for.
        with torch.autocast(self._compute.device.type, enabled=False):
            loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
        norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
        found_inf = step.found_inf(loss, torch.stack([loss.detach().sum(), *norms]).sum(), roles)
        for role, optimizer in zip(roles, optimizers, strict=True):
            optimizer.found_inf = found_inf  # type: ignore[attr-defined]
            optimizer.step()
            self.averages.update(role, step.average_weight(role))
        # Autocast keeps its copies of the weights until it ends: these are of weights that are no more.
        torch.clear_autocast_cache()

    def network_tensors(self) -> dict[str, Tensor]:
        """Everything that sampling needs, by name."""
        named = [(role, network) for role, network in self.networks.items()]
        named += [(f"ema.{role}", network) for role, network in self.averages.networks.items()]
        return {f"{role}.{key}": value for role, network in named for key, value in network.state_dict().items()}

    def training_tensors(self) -> dict[str, Tensor]:
        """What the optimizers remember, by name.

        Raises:
            PluginError: an optimizer remembers what is no tensor, which no checkpoint could hold.
        """
        return {
            f"{role}.{index}.{key}": _tensor(value, optimizer, key)
            for role, optimizer in self.optimizers.items()
            for index, memory in optimizer.state_dict()["state"].items()
            for key, value in memory.items()
            if value is not None
        }

    def restore(
        self,
        networks: Mapping[str, Tensor],
        training: Mapping[str, Tensor],
        state: Mapping[str, Any],
        *,
        settings: bool,
    ) -> None:
        """Puts everything back to what `network_tensors`, `training_tensors` and `training_state` gave.

        Args:
            networks: what `network_tensors` gave.
            training: what `training_tensors` gave.
            state: what `training_state` gave, and more.
            settings: whether the optimizers' settings are put back, too; if not, those of now count.

        Raises:
            CheckpointError: a network or an optimizer is not as it was.
        """
        named = [(f"{role}.", network) for role, network in self.networks.items()]
        named += [(f"ema.{role}.", network) for role, network in self.averages.networks.items()]
        for role, optimizer in self.optimizers.items():
            before, now = state["optimizer_classes"].get(role, "none"), type(optimizer).__name__
            if before != now:
                raise CheckpointError(
                    f"the checkpoint does not fit: the optimizer of '{role}' is {now} and was {before} there"
                )
        try:
            for prefix, network in named:
                network.load_state_dict(below(networks, prefix))
            for role, optimizer in self.optimizers.items():
                _remember(optimizer, below(training, f"{role}."))
                if settings:
                    _set(optimizer, state["optimizers"][role])
            self.averages.updates = {role: state["averages"][role] for role in self.averages.updates}
        except (RuntimeError, KeyError, IndexError) as error:
            detail = str(error).splitlines()[-1].strip()
            raise CheckpointError(f"the checkpoint does not fit what the plugins build now: {detail}") from None

    def training_state(self) -> dict[str, Any]:
        """The optimizers' kinds and settings and the averages' counters, as JSON."""
        groups = {role: optimizer.state_dict()["param_groups"] for role, optimizer in self.optimizers.items()}
        return {
            "optimizer_classes": {role: type(optimizer).__name__ for role, optimizer in self.optimizers.items()},
            "optimizers": _plain(groups),
            "averages": self.averages.updates,
        }


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose name begins so, without that beginning."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _remember(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Gives each parameter what the optimizer remembered of it, in the parameter's layout.

    `Optimizer.load_state_dict` would replace the groups that the schedules hold, and leave the layout of the file.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        elif getattr(optimizer, "defaults", {}).get("fused"):
            value = value.to(parameter.device)
        optimizer.state[parameter][key] = value


def _tensor(value: Any, optimizer: torch.optim.Optimizer, key: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise PluginError(
            f"the optimizer {type(optimizer).__name__} remembers '{key}' as {type(value).__name__}, and a checkpoint "
            "keeps tensors only"
        )
    return value


def _set(optimizer: torch.optim.Optimizer, groups: Sequence[Mapping[str, Any]]) -> None:
    """Gives each group the settings that it had: an optimizer or an algorithm may have changed them itself."""
    for group, before in zip(optimizer.param_groups, groups, strict=True):
        for key in before.keys() & group.keys() - {"params"}:
            if isinstance(group[key], Tensor):
                group[key].fill_(before[key])
            else:
                group[key] = tuple(before[key]) if isinstance(group[key], tuple) else before[key]


def _plain(value: Any) -> Any:
    """As JSON has it; a learning rate may be a tensor."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, Tensor) else value


def _obstacle(compute: Compute, settings: TrainingSettings, replayable: bool) -> str | None:
    """Why steps are not to be recorded, as far as that is known before the first of them."""
    if compute.device.type != "cuda":
        return f"the device is {compute.device.type}"
    if not settings.cuda_graphs:
        return "training.cuda_graphs is off"
    if settings.momentum_schedule.shape != "constant":
        return "the momentum follows a schedule, and the optimizers take it as a number alone"
    return None if replayable else "the algorithm's spec does not say that its steps can be replayed"
