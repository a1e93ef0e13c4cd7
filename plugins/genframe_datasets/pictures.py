"""Pictures with at most a class each, brought to the size and the channels that were asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.shapes import Field
from genframe_datasets import ImageSettings
from genframe_datasets.augment import Augment
from genframe_datasets.parted import Memory, PartedDataset
from genframe_datasets.sizes import parse_size, resized

#: The weights of red, green and blue in grey, as ITU-R BT.601 has them.
_LUMA = (0.299, 0.587, 0.114)


def augment_of(settings: ImageSettings) -> Augment:
    """The random changes that the settings ask for."""
    return Augment(mirror=settings.mirror, crop=settings.crop, translate=settings.translate)


def in_memory(
    images: Tensor, labels: Tensor | None, classes: tuple[str, ...], heldout: Tensor, settings: ImageSettings
) -> PartedDataset:
    """A dataset of ``image`` and, where there are labels, ``label``.

    Args:
        images: ``uint8 (N, C, H, W)``.
        labels: ``int64 (N,)``, or None.
        classes: the classes' names.
        heldout: ``bool (N,)``, which pictures are held out.
        settings: size, channels and random changes.
    """
    images = brought(images, settings)
    fields = {"image": Field(kind="image", shape=tuple(images.shape[1:]))}
    tensors = {"image": images}
    if labels is not None:
        fields["label"] = Field(kind="class", classes=classes)
        tensors["label"] = labels
    return PartedDataset.of(Memory(fields=fields, tensors=tensors), heldout, augment_of(settings))


def brought(images: Tensor, settings: ImageSettings) -> Tensor:
    """``uint8 (N, C, H, W)`` at the size and with the channels that the settings ask for."""
    size = parse_size(settings.image_size, (images.shape[-2], images.shape[-1]))
    return with_channels(resized(images, size), wanted_channels(settings.channels, images.shape[1]))


def wanted_channels(wanted: int | None, native: int) -> int:
    """How many channels pictures get: what was asked for, else their own without transparency.

    Raises:
        ConfigError: a number that no picture has.
    """
    if wanted not in (None, 1, 3, 4):
        raise ConfigError(f"data.channels is 1 (grey), 3 (colour) or 4 (with transparency); got {wanted}")
    return min(native, 3) if wanted is None else wanted


def with_channels(images: Tensor, channels: int) -> Tensor:
    """``uint8 (N, channels, H, W)`` from 1, 3 or 4 channels; what was transparent becomes white."""
    native = images.shape[1]
    if native == channels:
        return images
    if native == 4:
        return with_channels(_over_white(images), channels)
    if channels == 4:
        return torch.cat([with_channels(images, 3), torch.full_like(images[:, :1], 255)], dim=1)
    if channels == 3:
        return images.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor(_LUMA)[:, None, None]
    return (images.float() * weights).sum(1, keepdim=True).round().byte()


def _over_white(images: Tensor) -> Tensor:
    opacity = images[:, 3:].float() / 255.0
    return (images[:, :3].float() * opacity + 255.0 * (1.0 - opacity)).round().byte()
