"""Real and generated points in the plane, and what the critic says of every place in it."""

from __future__ import annotations

import textwrap
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor, nn

from genframe.analysis.placing import device_of
from genframe.charts import COLOURS, Chart, styled
from genframe.errors import ConfigError
from genframe.interfaces import Picture, RunView
from genframe_points import ScatterSettings
from genframe_points.plane import check_points, generated_points, heldout_points

#: The critic is asked at so many places along each side.
_PLACES = 160

#: The plane reaches so much beyond the real points, as a share of the larger of their extents.
_MARGIN = 0.2


class Scatter:
    """Held-out points on the left, generated ones on the right, the critic's answers behind both.

    The limits are those of the real points, so that the charts of one run make a film; the title says how many
    generated points lie outside.
    """

    def __init__(self, settings: ScatterSettings) -> None:
        if settings.count < 1:
            raise ConfigError(f"the visualizer 'scatter' got count = {settings.count}; at least 1 is needed")
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The chart.

        Raises:
            ConfigError: the run makes no points in the plane.
            DataError: the run's data is not there, or a point is not finite.
        """
        check_points(view, "the visualizer 'scatter'", 2)
        real_N2 = heldout_points(view, self._settings.count)
        generated_N2 = generated_points(view, self._settings.count)
        low_2, high_2 = _limits(real_N2)
        trained, answers = view.trained, None
        if self._settings.answers and "critic" in trained.networks and not trained.problem.condition:
            answers = _answers(trained.networks["critic"], low_2, high_2)
        outside = int(((generated_N2 < low_2) | (generated_N2 > high_2)).any(1).sum())
        words = f"{len(generated_N2):,} generated" + (f", {outside:,} of them outside" if outside else "")
        with styled():
            figure = Figure(figsize=(9.6, 4.9), layout="constrained")
            figure.suptitle("\n".join(textwrap.wrap(view.title, 90)), x=0.01, ha="left")
            left, right = figure.subplots(1, 2, sharex=True, sharey=True)
            extent = (float(low_2[0]), float(high_2[0]), float(low_2[1]), float(high_2[1]))
            _draw(left, f"{len(real_N2):,} real, held-out", real_N2, COLOURS[0], answers, extent)
            field = _draw(right, words, generated_N2, COLOURS[1], answers, extent)
            left.set_ylabel("second number")
            if field is not None:
                figure.colorbar(field, ax=(left, right), label="D, the critic's probability of real", shrink=0.85)
        return Chart(figure)


def _limits(points_N2: Tensor) -> tuple[Tensor, Tensor]:
    """The lower and upper end of both axes, ``(2,)`` each."""
    low_2, high_2 = points_N2.amin(0), points_N2.amax(0)
    extent = float((high_2 - low_2).max())
    margin = _MARGIN * extent if extent > 0 else 1.0
    return low_2 - margin, high_2 + margin


def _answers(critic: nn.Module, low_2: Tensor, high_2: Tensor) -> Tensor:
    """``D = sigmoid(logit)`` on a lattice of cells, rows from below: ``float32 (_PLACES, _PLACES)``."""
    shares_P = (torch.arange(_PLACES) + 0.5) / _PLACES
    x_P, y_P = (low_2[axis] + shares_P * (high_2[axis] - low_2[axis]) for axis in (0, 1))
    places_N2 = torch.cartesian_prod(y_P, x_P).flip(1)
    with torch.inference_mode():
        critique: Any = critic(places_N2.to(device_of({"critic": critic})), {})
    return critique.logits[0].float().sigmoid().cpu().view(_PLACES, _PLACES)  # type: ignore[no-any-return]


def _draw(
    panel: Axes,
    words: str,
    points_N2: Tensor,
    colour: str,
    answers: Tensor | None,
    extent: tuple[float, float, float, float],
) -> AxesImage | None:
    field = None
    if answers is not None:  # white where the critic cannot tell
        field = panel.imshow(
            answers.numpy(), extent=extent, origin="lower", cmap="PuOr_r", vmin=0.0, vmax=1.0, alpha=0.6, zorder=0
        )
    panel.scatter(points_N2[:, 0].numpy(), points_N2[:, 1].numpy(), s=7, color=colour, linewidths=0, alpha=0.7)
    panel.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", xlabel="first number")
    panel.set_title(words, fontsize=11)
    panel.grid(visible=answers is None)
    return field
