"""Points in the plane around known modes: whether a generator reaches all of them can be counted.

Two mixtures that papers on mode collapse use, of round components that have equally many points in each part. The ring
of 8 at radius 2 with a deviation of 0.02 is that of Metz et al., "Unrolled generative adversarial networks", 2017; the
grid of 25 at -4, -2, 0, 2 and 4 with a deviation of 0.05 is after Srivastava et al., "VEEGAN", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.randomness import derive_key, normal
from genframe.shapes import Field
from genframe_datasets import GaussianSettings
from genframe_datasets.augment import Augment
from genframe_datasets.parted import Memory, PartedDataset, every_tenth, in_turn

FEWEST, MOST = 1000, 1_000_000

_RING, _RADIUS = 8, 2.0
_GRID = (-4.0, -2.0, 0.0, 2.0, 4.0)

#: Of each coordinate about its mode.
DEVIATIONS: Mapping[str, float] = {"ring": 0.02, "grid": 0.05}


def open_gaussians(settings: GaussianSettings) -> PartedDataset:
    """``point`` float32 ``(2,)`` and ``label``, the number of its mode; every tenth point is held out.

    Raises:
        ConfigError: a count or a deviation out of range.
    """
    if not FEWEST <= settings.count <= MOST:
        raise ConfigError(f"data.count is how many points are drawn, {FEWEST} to {MOST}; got {settings.count}")
    deviation = DEVIATIONS[settings.layout] if settings.deviation is None else settings.deviation
    if not 0 < deviation <= 1:
        raise ConfigError(
            f"data.deviation is that of a mode, above 0 and at most 1, half the way to the next; got {deviation}"
        )
    centres_K2 = modes(settings.layout)
    indices = torch.arange(settings.count)
    labels = in_turn(indices, len(centres_K2))
    points = centres_K2[labels] + deviation * normal(indices, (2,), derive_key(0, "gaussians"))
    names = tuple(f"({x:.2f}, {y:.2f})" for x, y in centres_K2.tolist())
    fields = {"point": Field(kind="points", shape=(2,)), "label": Field(kind="class", classes=names)}
    store = Memory(fields=fields, tensors={"point": points, "label": labels})
    return PartedDataset.of(store, every_tenth(indices), Augment())


def modes(layout: str) -> Tensor:
    """The centres, ``float32 (K, 2)``: of the ring anticlockwise from the right, of the grid row by row from below."""
    if layout == "grid":
        return torch.tensor([(x, y) for y in _GRID for x in _GRID])
    angles_K = torch.arange(_RING, dtype=torch.float64) * (2.0 * math.pi / _RING)
    centres_K2 = _RADIUS * torch.stack((angles_K.cos(), angles_K.sin()), dim=1)
    return (centres_K2.round(decimals=12) + 0.0).float()  # zeros that are no tiny or negative numbers
