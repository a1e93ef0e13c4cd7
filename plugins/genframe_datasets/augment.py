"""Random changes to training pictures, each a function of (seed, epoch, sample).

All pictures of one sample (a source and its target, the frames of a film) change in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from genframe.errors import ConfigError
from genframe.randomness import derive_key, uniform
from genframe.shapes import PIXEL_KINDS, Field


@dataclass(frozen=True)
class Augment:
    """Which changes.

    Attributes:
        mirror: half of the samples are flipped left to right.
        crop: the sample shows a random part of it, at least this fraction of each side; 1 is off.
        translate: the sample is shifted by up to this fraction of each side; its edge fills the gap; 0 is off.

    Raises:
        ConfigError: a fraction out of its range.
    """

    mirror: bool = False
    crop: float = 1.0
    translate: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ConfigError(f"data.crop is the least fraction of a side that is kept, in (0, 1]; got {self.crop}")
        if not 0 <= self.translate < 1:
            raise ConfigError(f"data.translate is a fraction of a side, in [0, 1); got {self.translate}")

    def __call__(
        self, batch: dict[str, Tensor], fields: Mapping[str, Field], members: Tensor, *, epoch: int, seed: int
    ) -> dict[str, Tensor]:
        """The batch with its pictures changed.

        Args:
            batch: fresh tensors, pixels ``uint8 (B, ..., H, W)``.
            fields: which of them are pixels.
            members: ``int64 (B,)``, the samples' numbers.
            epoch: the changes depend on it,
            seed: and on this.
        """
        if self == Augment() or not len(members):
            return batch
        draws_B4 = uniform(members, (4,), derive_key(seed, "augment", epoch))
        flip = draws_B4[:, 0] < 0.5 if self.mirror else torch.zeros(len(members), dtype=torch.bool)
        for name, values in batch.items():
            if fields[name].kind in PIXEL_KINDS:
                moved = self._moved(values, draws_B4)
                moved[flip] = moved[flip].flip(-1)
                batch[name] = moved
        return batch

    def _moved(self, pixels: Tensor, draws_B4: Tensor) -> Tensor:
        if self.crop == 1.0 and self.translate == 0.0:
            return pixels
        scale = self.crop + (1.0 - self.crop) * draws_B4[:, 1]
        # In units of half a side: room that the crop leaves on either side, and how far the picture may be shifted.
        reach = (1.0 - scale) + 2.0 * self.translate
        theta = torch.zeros(len(pixels), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = scale
        theta[:, :, 2] = (2.0 * draws_B4[:, 2:4] - 1.0) * reach[:, None]
        flat = pixels.flatten(1, -3).float()
        grid = affine_grid(theta, list(flat.shape), align_corners=False)
        moved = grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return moved.round().clamp(0, 255).byte().view(pixels.shape)
