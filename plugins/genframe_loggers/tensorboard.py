"""The observer ``tensorboard``: event files, by PyTorch's own writer."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genframe.config import leaves
from genframe_loggers import TensorBoardSettings
from genframe_loggers.logger import Logger, library


def tensorboard_logger(settings: TensorBoardSettings) -> Logger:
    """The observer.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    writer_class = library("torch.utils.tensorboard", "tensorboard", "tensorboard").SummaryWriter
    return Logger("tensorboard", TensorBoardLog(settings, writer_class))


class TensorBoardLog:
    """See `genframe_loggers.logger.Log`. Each call is on disk when it returns.

    Args:
        settings: of the observer.
        writer_class: ``torch.utils.tensorboard.SummaryWriter``.
    """

    def __init__(self, settings: TensorBoardSettings, writer_class: Any) -> None:
        self._settings = settings
        self._writer_class = writer_class

    def begin(self, run: Mapping[str, Any], config: Mapping[str, Any], step: int) -> None:
        """Tells readers to leave out what an earlier process has logged after `step`: it will be logged again."""
        directory: Path = run["directory"]
        folder = self._settings.folder
        path = Path(folder).expanduser() / directory.resolve().name if folder else directory / "tensorboard"
        self._settled = {key: _shown(value) for key, value in leaves(config).items()}
        self._writer = self._writer_class(str(path), purge_step=step + 1 if step else 0)
        table = "\n".join(f"{key} = {value}" for key, value in self._settled.items())
        self._writer.add_text("config", textwrap.indent(table, "    "), step)
        self._writer.flush()

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """A scalar each."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, path: Path) -> None:
        """An image."""
        with Image.open(path) as picture:
            pixels_HWC = np.asarray(picture.convert("RGB"))
        self._writer.add_image(name, pixels_HWC, step, dataformats="HWC")
        self._writer.flush()

    def remark(self, step: int, sentence: str) -> None:
        """A text."""
        self._writer.add_text("remarks", sentence, step)
        self._writer.flush()

    def summary(self, step: int, values: Mapping[str, float]) -> None:
        """The configuration and the figures as the page of hyperparameters shows them."""
        self._writer.add_hparams(self._settled, dict(values), run_name=".", global_step=step)

    def end(self) -> None:
        """Closes the files."""
        self._writer.close()


def _shown(value: Any) -> Any:
    """What TensorBoard takes for a hyperparameter: lists are none."""
    return value if isinstance(value, bool | int | float | str) else str(value)
