"""Augmentations: differentiable changes of what the critic sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import genframe
from genframe.errors import ConfigError
from genframe.specs import AugmentationSpec


@dataclass(frozen=True, kw_only=True)
class DiffAugmentSettings:
    """Which changes, and how strong; Zhao et al.'s (2020) strengths are the defaults.

    Attributes:
        policy: the changes, in order. ``color`` changes brightness, saturation and contrast, ``translation`` moves the
            picture, ``cutout`` covers a rectangle.
        translation: the furthest move, as a share of each side.
        cutout: the sides of the rectangle, as a share of the picture's.

    Raises:
        ConfigError: no change, or a share that is not in (0, 1).
    """

    policy: tuple[Literal["color", "translation", "cutout"], ...] = ("color", "translation", "cutout")
    translation: float = 0.125
    cutout: float = 0.5

    def __post_init__(self) -> None:
        if not self.policy or len(set(self.policy)) < len(self.policy):
            raise ConfigError(
                f"augmentation 'diffaugment' got policy = {list(self.policy)}; it lists 'color', 'translation' and "
                "'cutout', each once at most; leave the augmentation out for none"
            )
        for name in ("translation", "cutout"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"augmentation 'diffaugment' got {name} = {getattr(self, name)}, which is a share in (0, 1)"
                )


@genframe.hookimpl
def genframe_augmentations() -> Iterable[AugmentationSpec]:
    """For data of which there is little."""
    yield AugmentationSpec(
        name="diffaugment",
        summary="Colour, translation and cutout of real and generated pictures, for small data (Zhao et al. 2020)",
        factory="genframe_augmentations.diffaugment:DiffAugment",
        settings=DiffAugmentSettings,
    )
