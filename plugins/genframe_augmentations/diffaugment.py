"""Differentiable augmentation: Zhao et al., "Differentiable augmentation for data-efficient GAN training", 2020.

Each sample is changed by its own random numbers, each of its frames, if it has any, in the same way. Pictures are
``(B, ..., C, H, W)`` with pixels in [-1, 1]; what a translation or a cutout leaves empty is 0, the middle grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from genframe.errors import ConfigError
from genframe_augmentations import DiffAugmentSettings


class DiffAugment:
    """The changes of a policy, one after the other."""

    def __init__(self, settings: DiffAugmentSettings) -> None:
        changes: Mapping[str, Callable[[Tensor, torch.Generator], Tensor]] = {
            "color": recoloured,
            "translation": lambda images, rng: translated(images, settings.translation, rng),
            "cutout": lambda images, rng: cut_out(images, settings.cutout, rng),
        }
        self._changes = [changes[name] for name in settings.policy]

    def __call__(self, samples: Tensor, rng: torch.Generator) -> Tensor:
        """Changed samples of the same shape.

        Raises:
            ConfigError: they are no pictures.
        """
        if samples.dim() < 4:
            raise ConfigError(
                f"augmentation 'diffaugment' changes pictures and got samples of the shape {tuple(samples.shape[1:])}; "
                "leave it out for data of this kind"
            )
        for change in self._changes:
            samples = change(samples, rng)
        return samples


def recoloured(images: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness by up to a half, saturation by a factor in [0, 2), contrast by a factor in [0.5, 1.5).

    Saturation changes nothing where there is one channel.
    """
    images = images + (_uniform(images, rng) - 0.5)
    grey = images.mean(dim=-3, keepdim=True)
    images = torch.lerp(grey.expand_as(images), images, 2.0 * _uniform(images, rng))
    mean = images.mean(dim=tuple(range(1, images.dim())), keepdim=True)
    return torch.lerp(mean.expand_as(images), images, _uniform(images, rng) + 0.5)


def translated(images: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Moved by a whole number of pixels along each axis, up to `share` of the side; what comes in is 0."""
    *_, height, width = images.shape
    down, right = int(height * share + 0.5), int(width * share + 0.5)
    flat = pad(images.flatten(1, -3), (right, right, down, down))
    rows_BH = _whole(images, 2 * down + 1, rng)[:, None] + torch.arange(height, device=images.device)
    columns_BW = _whole(images, 2 * right + 1, rng)[:, None] + torch.arange(width, device=images.device)
    samples_B = torch.arange(len(images), device=images.device)
    moved_BHWC = flat[samples_B[:, None, None], :, rows_BH[:, :, None], columns_BW[:, None, :]]
    return moved_BHWC.movedim(-1, 1).reshape(images.shape)


def cut_out(images: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """A rectangle of `share` of each side set to 0; its centre lies anywhere, so that a part may lie outside."""
    *_, height, width = images.shape
    rows_BH = _covered(images, height, share, rng)
    columns_BW = _covered(images, width, share, rng)
    covered = rows_BH[:, :, None] & columns_BW[:, None, :]
    return images * ~covered.view(len(images), *(1,) * (images.dim() - 3), height, width)


def _covered(images: Tensor, side: int, share: float, rng: torch.Generator) -> Tensor:
    """Which places of an axis a rectangle covers, ``(B, side)``."""
    length = max(int(side * share + 0.5), 1)
    first_B = _whole(images, side + 1 - length % 2, rng) - length // 2
    places = torch.arange(side, device=images.device) - first_B[:, None]
    return (places >= 0) & (places < length)


def _uniform(images: Tensor, rng: torch.Generator) -> Tensor:
    """A number in [0, 1) for each sample, to be broadcast over it."""
    numbers = torch.rand(len(images), *(1,) * (images.dim() - 1), generator=rng, device=images.device)
    return numbers.to(images.dtype)


def _whole(images: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """A whole number below `count` for each sample."""
    return torch.randint(count, (len(images),), generator=rng, device=images.device)
