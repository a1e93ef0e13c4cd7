"""What a run has logged, as curves: losses, and apart from them logits and other figures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genframe.charts import COLOURS, Chart, styled
from genframe.errors import ConfigError
from genframe.interfaces import Picture, RunView
from genframe_visualizers.settings import LossesSettings

_WIDTH, _PANEL_HEIGHT = 8.0, 2.8  # inches

#: With more points than this, a curve is drawn pale and its running mean over a thirtieth of them dark.
_MANY, _WINDOWS = 60, 30

#: Losses that are all positive and differ by more than this factor are drawn on a logarithmic scale.
_SPREAD = 50.0


class Losses:
    """A panel for the losses, one for the logits, and one for each other figure; the step from left to right."""

    def __init__(self, settings: LossesSettings) -> None:
        self._chance = settings.chance

    def draw(self, view: RunView) -> Picture:
        """The chart.

        Raises:
            ConfigError: nothing has been logged, or the run's folder is not there.
        """
        curves = _curves(view.history)
        if not curves:
            raise ConfigError(
                "the visualizer 'losses' draws what a run has logged, and there is nothing: name a run directory, not "
                "a copy of one of its checkpoints, and train with a smaller --log-every"
            )
        panels = _panels(curves)
        with styled():
            figure = Figure(figsize=(_WIDTH, _PANEL_HEIGHT * len(panels) + 0.6), layout="constrained")
            figure.suptitle("\n".join(textwrap.wrap(view.title, 80)), x=0.01, ha="left")
            axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
            for panel, (label, names) in zip(axes, panels.items(), strict=True):
                _draw(panel, label, {name: curves[name] for name in names})
            if self._chance and _LOSS in panels:
                _mark_chance(axes[0])
            axes[-1].set_xlabel("step")
        return Chart(figure)


_LOSS, _LOGIT = "loss (nats where it is a cross-entropy)", "logit of the critic, mean of a batch"

#: Steps and values of a curve.
_Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _curves(history: Sequence[Mapping[str, float]]) -> dict[str, _Curve]:
    """By name, of all that is a number; in the order in which names turn up."""
    points: dict[str, dict[float, float]] = {}
    for row in history:
        for name, value in row.items():
            if name != "step" and isinstance(value, (int, float)) and math.isfinite(value):
                points.setdefault(name, {})[row["step"]] = value
    return {name: (np.array(list(those)), np.array(list(those.values()))) for name, those in points.items()}


def _panels(curves: Mapping[str, _Curve]) -> dict[str, list[str]]:
    """The names in each panel, by what its axis shows; losses first."""
    panels: dict[str, list[str]] = {_LOSS: [], _LOGIT: []}
    for name in curves:
        label = _LOSS if "loss" in name else _LOGIT if "logit" in name else name.replace("_", " ")
        panels.setdefault(label, []).append(name)
    return {label: names for label, names in panels.items() if names}


def _draw(panel: Axes, label: str, curves: Mapping[str, _Curve]) -> None:
    for number, (name, (steps, values)) in enumerate(curves.items()):
        colour, words = COLOURS[number % len(COLOURS)], name.replace("_", " ")
        if len(steps) <= _MANY:
            panel.plot(steps, values, color=colour, linewidth=1.4, label=words, marker="o" if len(steps) < 4 else "")
            continue
        window = math.ceil(len(steps) / _WINDOWS)
        panel.plot(steps, values, color=colour, linewidth=0.7, alpha=0.3)
        panel.plot(steps, _smoothed(values, window), color=colour, linewidth=1.6, label=f"{words}, mean of {window}")
    panel.set_ylabel("\n".join(textwrap.wrap(label, 24)))
    every = np.concatenate([values for _, values in curves.values()])
    if label == _LOSS and every.min() > 0 and every.max() > _SPREAD * every.min():
        panel.set_yscale("log")
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of the `window` values about each, of fewer at the ends."""
    weights = np.ones(window)
    return np.convolve(values, weights, "same") / np.convolve(np.ones_like(values), weights, "same")


def _mark_chance(panel: Axes) -> None:
    for value, words in ((2.0 * math.log(2.0), "2 log 2: critic"), (math.log(2.0), "log 2: generator")):
        panel.axhline(value, color="#888888", linewidth=1.0, linestyle="--")
        panel.annotate(
            f"{words} at chance",
            (0.995, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            color="#666666",
            fontsize=8,
        )
