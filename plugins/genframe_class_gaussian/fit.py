"""Maximum likelihood in one pass: each step adds its batch to the sums that the Gaussians are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from genframe.analysis.closeness import is_standard_normal
from genframe.errors import ConfigError
from genframe.interfaces import Batch, Generator, NoiseSampler, Step
from genframe.shapes import LABEL_KINDS, Field, Problem
from genframe.specs import NoSettings
from genframe_class_gaussian.gaussians import Gaussians


class ClassGaussian:
    """The fit is exact after an epoch, but for what an incomplete last batch leaves out; ``samples`` counts."""

    def __init__(self, settings: NoSettings, parts: Mapping[str, Any]) -> None:
        self._noise: NoiseSampler = parts["noise"]

    def problem(self, fields: Mapping[str, Field]) -> Problem:
        """The one field that is no label, from normal noise; given its class, if there is one.

        Raises:
            ConfigError: more than one such field; labels that are no single class; noise that is not standard normal.
        """
        condition = {name: field for name, field in fields.items() if field.kind in LABEL_KINDS}
        outputs = [name for name in fields if name not in condition]
        if len(outputs) != 1 or [field.kind for field in condition.values()] not in ([], ["class"]):
            given = ", ".join(f"{name} ({field.kind})" for name, field in fields.items())
            raise ConfigError(
                f"algorithm 'class-gaussian' fits one field, for each class of another if there is one, and got {given}"
                ": give such data, or take --conditioning none to leave labels out"
            )
        if not is_standard_normal(self._noise):
            raise ConfigError(
                "algorithm 'class-gaussian' draws from Gaussians, and the noise is not standard normal: "
                "take --noise gaussian"
            )
        self._output = outputs[0]
        return Problem(output=fields[outputs[0]], condition=condition, noise_shape=self._noise.shape)

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        """None: nothing is minimised."""
        return {}

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """Adds the batch; ``samples`` have been added so far."""
        density = cast(Gaussians, networks["density"])
        density.add(batch[self._output], batch)
        return {"samples": density.counts.sum()}

    def generator(self, networks: Mapping[str, nn.Module]) -> Generator:
        """The density draws samples itself."""
        return cast(Generator, networks["density"])
