"""Adversarial training: a critic learns to tell generated samples from real ones, a generator learns to fool it.

Goodfellow et al., "Generative adversarial nets", 2014; with labels, Mirza and Osindero, "Conditional generative
adversarial nets", 2014. What the two sides minimise is the objective's business, what the networks look like the
architecture's; the order and the ratio of the updates are decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from genframe.errors import ConfigError, nearest, quoted
from genframe.interfaces import (
    Augmentation,
    Batch,
    Condition,
    Critic,
    Critique,
    Generator,
    NoiseSampler,
    Objective,
    Regularizer,
    Step,
    Term,
)
from genframe.shapes import Field, Problem
from genframe_algorithms import AdversarialSettings


class Adversarial:
    """The game of generator and critic."""

    def __init__(self, settings: AdversarialSettings, parts: Mapping[str, Any]) -> None:
        _check(settings)
        self._settings = settings
        self._noise: NoiseSampler | None = parts["noise"]
        self._objective: Objective = parts["objective"]
        self._regularizers: tuple[Regularizer, ...] = parts["regularizers"]
        self._augmentations: tuple[Augmentation, ...] = parts["augmentations"]
        self._terms: tuple[Term, ...] = parts["terms"]

    def problem(self, fields: Mapping[str, Field]) -> Problem:
        """The output field from noise, given all the others."""
        output = self._settings.output
        if output not in fields:
            raise ConfigError(
                f"algorithm.output is '{output}', and the data's fields are {quoted(fields)}.{nearest(output, fields)}"
            )
        condition = {name: field for name, field in fields.items() if name != output}
        noise_shape = self._noise.shape if self._noise else None
        return Problem(output=fields[output], condition=condition, noise_shape=noise_shape)

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        """One for each network."""
        settings = self._settings
        rates = {"generator": settings.learning_rate, "critic": settings.critic_learning_rate or settings.learning_rate}
        return {role: self._optimizer(networks[role], rate) for role, rate in rates.items()}

    def _optimizer(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        settings = self._settings
        if settings.optimizer == "sgd":
            return torch.optim.SGD(
                network.parameters(), rate, momentum=settings.momentum, weight_decay=settings.l2, fused=True
            )
        betas = (settings.beta1, settings.beta2)
        return torch.optim.Adam(network.parameters(), rate, betas, weight_decay=settings.l2, fused=True)

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """The updates that this batch serves, in order."""
        updates = self._settings.updates
        if self._settings.one_update_per_batch:
            updates = (updates[step.turn(len(updates))],)
        values: dict[str, Tensor] = {}
        fake = None
        for place, role in enumerate(updates):
            if role == "critic":
                with torch.set_grad_enabled(updates[place + 1 : place + 2] == ("generator",)):
                    fake = self._generated(networks, batch, step, f"{place}")
                values |= self._update_critic(networks, batch, fake.detach(), step, f"{place}")
            else:
                # The samples that the critic was just shown serve the generator too: it has not changed since.
                output = self._generated(networks, batch, step, f"{place}") if fake is None else fake
                values |= self._update_generator(networks, batch, output, step, f"{place}")
                fake = None
        return values

    def generator(self, networks: Mapping[str, nn.Module]) -> Generator:
        """The network of that role."""
        return cast(Generator, networks["generator"])

    def _generated(self, networks: Mapping[str, nn.Module], batch: Batch, step: Step, place: str) -> Tensor:
        key = step.key("noise/0" if self._settings.same_noise else f"noise/{place}")
        noise = self._noise.draw(step.indices, key) if self._noise else None
        real, condition = self._divided(batch)
        output: Tensor = networks["generator"](noise, condition)
        return output.to(real.dtype)  # autocast computes in bfloat16, and what judges both takes them alike

    def _update_critic(
        self, networks: Mapping[str, nn.Module], batch: Batch, fake: Tensor, step: Step, place: str
    ) -> Mapping[str, Tensor]:
        real, condition = self._divided(batch)
        real, fake = self._augmented(real, step, f"{place}/real"), self._augmented(fake, step, f"{place}/fake")
        critic = cast(Critic, networks["critic"])
        critique_real, critique_fake = critic(real, condition), critic(fake, condition)
        further = {f"real_{name}": value for name, value in critique_real.losses.items()}
        further |= {f"fake_{name}": value for name, value in critique_fake.losses.items()}
        loss = self._objective.critic(critique_real, critique_fake) + sum(further.values())
        for number, regularizer in enumerate(self._regularizers):
            rng = step.rng(f"regularizer/{place}/{number}")
            loss = loss + regularizer(critic, real, fake, condition, rng)
        step.minimise(loss, "critic")
        return {
            "critic_loss": loss.detach(),
            "real_logit": _mean_logit(critique_real),
            "fake_logit": _mean_logit(critique_fake),
            **{name: value.detach() for name, value in further.items()},
        }

    def _update_generator(
        self, networks: Mapping[str, nn.Module], batch: Batch, output: Tensor, step: Step, place: str
    ) -> Mapping[str, Tensor]:
        real, condition = self._divided(batch)
        critic = cast(Critic, networks["critic"])
        fake = critic(self._augmented(output, step, f"{place}/fake"), condition)
        seen = None
        if self._objective.pairs:
            with torch.no_grad():  # nothing of it is the generator's doing
                seen = critic(self._augmented(real, step, f"{place}/real"), condition)
        loss = self._objective.generator(seen, fake) + sum(fake.losses.values())
        for term in self._terms:
            loss = loss + term(batch, output, seen, fake)
        step.minimise(loss, "generator")
        return {"generator_loss": loss.detach()}

    def _divided(self, batch: Batch) -> tuple[Tensor, Condition]:
        output = self._settings.output
        return batch[output], {name: values for name, values in batch.items() if name != output}

    def _augmented(self, samples: Tensor, step: Step, purpose: str) -> Tensor:
        for number, augmentation in enumerate(self._augmentations):
            samples = augmentation(samples, step.rng(f"augmentation/{purpose}/{number}"))
        return samples


def _mean_logit(critique: Critique) -> Tensor:
    return torch.cat([logits.detach().flatten() for logits in critique.logits]).float().mean()


def _check(settings: AdversarialSettings) -> None:
    if not settings.updates or any(role not in ("critic", "generator") for role in settings.updates):
        raise ConfigError(
            f"algorithm.updates lists 'critic' and 'generator', each any number of times; got {list(settings.updates)}"
        )
    for name in ("learning_rate", "critic_learning_rate"):
        rate = getattr(settings, name)
        if rate is not None and not 0 < rate < 1:
            raise ConfigError(f"algorithm.{name} is above 0 and below 1; got {rate}")
    for name in ("beta1", "beta2", "momentum"):
        if not 0 <= getattr(settings, name) < 1:
            raise ConfigError(f"algorithm.{name} is in [0, 1); got {getattr(settings, name)}")
    if not 0 <= settings.l2 < 1:
        raise ConfigError(f"algorithm.l2 is in [0, 1); got {settings.l2}")
