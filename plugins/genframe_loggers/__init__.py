"""Observers that write what a run says to other tools' logs: TensorBoard, Weights & Biases, Trackio."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.specs import ObserverSpec


@dataclass(frozen=True, kw_only=True)
class TensorBoardSettings:
    """Where the event files go.

    Attributes:
        folder: which gets a folder for each run, called like the run's directory; empty is ``tensorboard`` within the
            run's directory.
    """

    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """Which tracker, and what the run is called there.

    Attributes:
        backend: the library: ``trackio`` or ``wandb``, which have one interface.
        project: that the run belongs to.
        run_name: of the run; empty is that of its directory.
        mode: of ``wandb``: ``offline`` writes into the run's directory, for ``wandb sync``; ``online`` needs a login.
            ``trackio`` keeps its log on this machine, unless its own environment variables say otherwise.
    """

    backend: Literal["trackio", "wandb"] = "trackio"
    project: str = "genframe"
    run_name: str = ""
    mode: Literal["offline", "online"] = "offline"


@genframe.hookimpl
def genframe_observers() -> Iterable[ObserverSpec]:
    """The loggers."""
    yield ObserverSpec(
        name="tensorboard",
        summary="Figures, pictures and remarks for TensorBoard",
        factory="genframe_loggers.tensorboard:tensorboard_logger",
        settings=TensorBoardSettings,
    )
    yield ObserverSpec(
        name="wandb",
        summary="Figures, pictures and remarks for Trackio or Weights & Biases",
        factory="genframe_loggers.tracker:tracker_logger",
        settings=TrackerSettings,
    )
