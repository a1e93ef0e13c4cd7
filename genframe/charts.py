"""Charts: curves, bars and scattered points with axes, saved as pixels or as lines that stay sharp at any size.

A chart looks the same whatever the user's own matplotlib settings say, and the same figures give the same bytes.
``matplotlib.pyplot``, which keeps global state and wants a display, is not imported.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

from genframe.errors import ConfigError, quoted
from genframe.rundir.files import write_atomically

#: Dots an inch of a chart in pixels: letters are then about as large as on a sheet of samples.
DPI = 130

#: Colours for curves and classes that are told apart with any colour vision: Okabe and Ito, "Color universal design",
#: 2008, the black one first and the yellow one, which is hard to see on white, left out.
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")

#: Beside matplotlib's own defaults. Identifiers in an SVG are made by hashing, with this salt instead of a random one.
_STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "genframe",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}

_ENDINGS = (".png", ".svg")


@dataclass(frozen=True)
class Chart:
    """A picture made of lines and letters.

    Attributes:
        figure: matplotlib's, built inside `styled`.
    """

    figure: Figure

    def save(self, path: Path, info: Mapping[str, str]) -> None:
        """Writes .png or .svg as a whole or not at all.

        `info` becomes text chunks of a PNG, and the description of an SVG.

        Raises:
            ConfigError: another ending.
            StorageError: the disk refuses.
        """
        ending = path.suffix.lower()
        if ending not in _ENDINGS:
            raise ConfigError(f"a chart's name ends in one of {quoted(_ENDINGS)}; got '{path.name}'")
        buffer = io.BytesIO()
        with styled():
            self.figure.savefig(buffer, format=ending[1:], dpi=DPI, metadata=_metadata(ending, info))
        write_atomically(path, buffer.getvalue())


def styled() -> AbstractContextManager[None]:
    """In which charts are built: matplotlib's defaults and the house's additions, not the user's settings."""
    return matplotlib.style.context(["default", dict(_STYLE)])


def _metadata(ending: str, info: Mapping[str, str]) -> dict[str, Any]:
    """Without dates, and without the version of matplotlib."""
    if ending == ".png":
        return {"Software": None, **{key: info[key] for key in sorted(info)}}
    described = ", ".join(f"{key}: {info[key]}" for key in sorted(info))
    return {"Creator": None, "Date": None, "Description": described}
