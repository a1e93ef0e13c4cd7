"""Which of the DCGAN paper's rules matter?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genframe.experiments import Evidence, Finding, Report, Training
from genframe_experiments import TricksSettings
from genframe_experiments.comparing import Asked, Difference, grids, measured, table
from genframe_experiments.small import small

_ALL = "all rules"

#: What is switched off -> the rule of Radford et al. 2016, section 3 and 4, and the settings without it.
_WITHOUT: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "pooling in the critic": ("strided convolutions instead of pooling", {"architecture__pooling": True}),
    "no BatchNorm in the generator": ("BatchNorm in the generator", {"architecture__generator_norm": False}),
    "no BatchNorm in the critic": ("BatchNorm in the critic", {"architecture__critic_norm": False}),
    "hidden dense layers": ("no hidden dense layers", {"architecture__hidden": 256}),
    "LeakyReLU in the generator": ("ReLU in the generator", {"architecture__generator_activation": "leaky_relu"}),
    "sigmoid at the output": ("a tanh at the output", {"architecture__pixels": "unit"}),
    "ReLU in the critic": ("LeakyReLU in the critic", {"architecture__critic_activation": "relu"}),
    "beta1 of 0.9": ("Adam's beta1 of 0.5", {"algorithm__beta1": 0.9}),
}
#: "We found the suggested learning rate of 0.001 to be too high": rates beside the small networks' own, 0.001.
_RATES = (1e-4, 2e-4, 5e-3)


class Tricks:
    """Each rule switched off in turn, and the learning rate changed."""

    def __init__(self, settings: TricksSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """The paper's way has no hidden dense layer."""
        data, steps = self._settings.data, self._settings.steps
        paper: dict[str, Any] = {"architecture__hidden": 0}
        without = {name: small(data, steps, **paper | dict(change)) for name, (_, change) in _WITHOUT.items()}
        rates = {f"a rate of {rate:g}": small(data, steps, **paper, algorithm__learning_rate=rate) for rate in _RATES}
        return {_ALL: small(data, steps, **paper), **without, **rates}

    def conclude(self, evidence: Evidence) -> Report:
        """By the 1-NN error, against the networks with all rules."""
        count = self._settings.samples
        asked = (
            Asked(metric="nn1", title="1-NN error", settings={"count": count}, percent=True),
            Asked(metric="label-accuracy", title="label accuracy", settings={"count": 1000}, percent=True),
            Asked(metric="fd-classifier", title="Fréchet distance", settings={"count": count}),
        )
        rows = measured(evidence, list(self.trainings), asked)
        own = rows[_ALL]["1-NN error"]
        findings = []
        for name, (rule, _) in _WITHOUT.items():
            difference = Difference.of(rows[name]["1-NN error"], own)
            findings.append(
                Finding(
                    claim=f"The rule helps: {rule}.",
                    source="Radford et al. 2016, section 3",
                    measured=f"1-NN error {asked[0].said(rows[name]['1-NN error'])} without, {asked[0].said(own)} with",
                    verdict=difference.is_above(),
                    reason=f"Without it the error rises by {difference.said(percent=True)}, paired by seed.",
                )
            )
        diverged = [
            f"{name} diverged with seed {seed} and has no figure."
            for name in self.trainings
            for seed in evidence.seeds
            if evidence.outcome(name, seed) == "diverged"
        ]
        return Report(
            question="The DCGAN paper gives rules for stable training. What does each of them bring on small networks?",
            protocol=f"Conditional DCGANs of 16 and 32 channels on {self._settings.data}; each variant breaks one "
            f"rule. Equal steps, {count:,} samples.",
            findings=findings,
            tables=[table("Without each rule, and at other rates (0.001 elsewhere)", evidence, asked, rows)],
            pictures=grids(evidence, [_ALL, "no BatchNorm in the generator", "no BatchNorm in the critic"]),
            notes=[
                "The rules are meant for deep networks on 64x64 pictures; two layers on digits bear much.",
                *diverged,
            ],
        )
