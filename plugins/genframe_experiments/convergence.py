"""Goodfellow et al.'s equilibrium (2014, theorem 1) on densities that can be seen: D is 1/2, the value -log 4."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from genframe.analysis.placing import device_of
from genframe.errors import ConfigError
from genframe.experiments import Evidence, Finding, Report, Training
from genframe.interfaces import RunView
from genframe.pictures import Animation
from genframe_experiments import ConvergenceSettings
from genframe_experiments.comparing import Asked, Difference, measured, table

_GAN, _EXPLICIT = "GAN", "Gaussians by maximum likelihood"
_SOURCE = "Goodfellow et al. 2014, theorem 1"
_EQUILIBRIUM = -math.log(4.0)

#: Answers within 0.05 of 1/2, and values within 0.05 nats of -log 4, are called equal.
_MARGIN = 0.05

#: Of each Gaussian: wide enough for the critic to be unsure between them, where both densities are above 0.
_DEVIATION = 0.2

#: Of a film, and how long each is shown in milliseconds.
_FRAMES, _MILLISECONDS, _LAST = 40, 150, 2500


class Convergence:
    """A GAN on Gaussians in the plane, beside the explicit density."""

    def __init__(self, settings: ConvergenceSettings) -> None:
        self._settings = settings

    @property
    def trainings(self) -> Mapping[str, Training]:
        """The Gaussians take one pass over the data, told the mode of each point."""
        layout = {"data.layout": self._settings.layout, "data.deviation": _DEVIATION}
        preview = {"preview": {"name": "scatter"}}
        return {
            _GAN: Training(
                recipe="gan-2d",
                data="gaussians",
                steps=self._settings.steps,
                settings=layout | preview,
                pictures=_FRAMES,
                least=200,
            ),
            _EXPLICIT: Training(
                recipe="class-gaussian",
                data="gaussians",
                steps=150,
                settings=layout | preview | {"noise.dim": 2},
                least=150,
            ),
        }

    def conclude(self, evidence: Evidence) -> Report:
        """The critic's answers and the value at the end, and both densities' samples."""
        asked = (
            Asked(metric="modes", title="modes covered", settings={"count": 2500}, percent=True),
            Asked(
                metric="high-quality",
                title="samples within 3 deviations of a mode",
                settings={"count": 2500},
                percent=True,
            ),
        )
        rows = measured(evidence, [_GAN, _EXPLICIT], asked)
        answers = [evidence.remember(_GAN, seed, "the critic's mean answers", _answers) for seed in evidence.seeds]
        values = [evidence.remember(_GAN, seed, "value, last tenth of training", _value) for seed in evidence.seeds]
        findings = []
        for kind in ("real", "generated"):
            distance = Difference.of([answer[kind] for answer in answers], [0.5] * len(answers))
            findings.append(
                Finding(
                    claim=f"At the equilibrium D(x) = 1/2: on {kind} points.",
                    source=_SOURCE,
                    published="0.5",
                    measured=f"{statistics.fmean(answer[kind] for answer in answers):.3f}",
                    verdict=distance.is_within(_MARGIN),
                    reason=f"The mean answer to {kind} points is off by {distance.said()}; within {_MARGIN} is called "
                    "equal.",
                )
            )
        off = Difference.of(values, [_EQUILIBRIUM] * len(values))
        findings.append(
            Finding(
                claim="At the equilibrium the value of the game is -log 4.",
                source=_SOURCE,
                published="-1.386",
                measured=f"{statistics.fmean(values):.3f}",
                verdict=off.is_within(_MARGIN),
                reason=f"The mean value of the last tenth of the steps is off by {off.said()} nats.",
            )
        )
        for column in asked:
            behind = Difference.of(rows[_EXPLICIT][column.title], rows[_GAN][column.title])
            findings.append(
                Finding(
                    claim=f"The generated density becomes the data's: as good as the fitted one in {column.title}.",
                    source=_SOURCE,
                    measured=f"{column.said(rows[_GAN][column.title])} ({_GAN}), "
                    f"{column.said(rows[_EXPLICIT][column.title])} ({_EXPLICIT})",
                    verdict=behind.is_at_most(_MARGIN),
                    reason=f"The fitted density is ahead by {behind.said(percent=True)}; within {_MARGIN:.0%} is "
                    "called equal.",
                )
            )
        seed = evidence.seeds[0]
        return Report(
            question="In theory the game of generator and critic ends where both densities are one, D(x) = 1/2 "
            "everywhere and the value is -log 4. Where does training end on densities that can be seen?",
            protocol=f"Points of the layout '{self._settings.layout}', each Gaussian with a deviation of {_DEVIATION}; "
            "generator and critic are small dense networks. The value is minus the critic's cross-entropy on a batch. "
            "Beside the GAN, a Gaussian for each mode by maximum likelihood, which is told the mode of each point: "
            "what an explicit density gives at once.",
            findings=findings,
            tables=[table("Samples of both", evidence, asked, rows)],
            pictures={
                f"The course of training, seed {seed}: real points, generated ones, and D behind them": _film(
                    evidence.view(_GAN, seed)
                ),
                f"Losses and logits, seed {seed}; the marks are where D is 1/2": evidence.draw(
                    _GAN, seed, "losses", chance=True
                ),
            },
            notes=[
                "The generator's samples are drawn by a running average of its weights, which the critic never met."
            ],
        )


def _answers(view: RunView) -> dict[str, float]:
    """The mean of D over held-out and over generated points."""
    data, problem = view.dataset().split("heldout"), view.trained.problem
    (name,) = (name for name, field in data.fields.items() if field == problem.output)
    critic: Any = view.trained.networks["critic"]
    device = device_of(view.trained.networks)
    points = {"real": data.read(range(len(data)), epoch=0, seed=0)[name], "generated": view.samples(len(data)).output}
    with torch.inference_mode():
        return {kind: float(critic(x.to(device), {}).logits[0].sigmoid().mean()) for kind, x in points.items()}


def _value(view: RunView) -> float:
    losses = [row["critic_loss"] for row in view.history if "critic_loss" in row]
    return -statistics.fmean(losses[-max(len(losses) // 10, 1) :])


def _film(view: RunView) -> Animation:
    frames = []
    for path in view.pictures:
        with Image.open(path) as image:
            frames.append(image.convert("RGB"))
    if not frames:
        raise ConfigError("the run has drawn no picture of its course")
    return Animation(frames, [_MILLISECONDS] * (len(frames) - 1) + [_LAST])
