"""Drawn faces with independent attributes: a data set in which what a generator should change is known exactly.

There is no file: each face is drawn from its index alone, so that a run needs no download and anybody gets the same
bytes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.errors import ConfigError
from genframe.randomness import derive_key, random_bits, uniform
from genframe.shapes import Field
from genframe_datasets import EmoticonSettings
from genframe_datasets.faces import BACKGROUNDS, LIBERTIES, TONES, Faces, drawn
from genframe_datasets.parted import Memory, PartedDataset
from genframe_datasets.pictures import augment_of, wanted_channels, with_channels
from genframe_datasets.sizes import parse_size, resized

#: The labels, in the order of the field ``attributes``: three that a face has or has not, and two groups of which it
#: has exactly one.
ATTRIBUTES: tuple[str, ...] = (
    *("glasses", "hat", "smile"),
    *(f"{tone} skin" for tone in TONES),
    *(f"{name} background" for name in BACKGROUNDS),
)

FEWEST, MOST = 100, 100_000

#: Faces are drawn at the size asked for within these sides, for crisp edges and honest lines; beyond, resized.
SMALLEST_DRAWN, LARGEST_DRAWN = 32, 128

#: Each combination of attributes occurs once in so many faces.
_COMBINATIONS = 8 * len(TONES) * len(BACKGROUNDS)


def open_emoticons(settings: EmoticonSettings) -> PartedDataset:
    """``image`` uint8 ``(3, H, W)`` and ``attributes``, multilabel; every tenth face is held out.

    Raises:
        ConfigError: a count out of range, or a size or number of channels that makes no sense.
    """
    if not FEWEST <= settings.count <= MOST:
        raise ConfigError(f"data.count is how many faces are drawn, {FEWEST} to {MOST}; got {settings.count}")
    augment = augment_of(settings)
    size = parse_size(settings.image_size, (32, 32))
    channels = wanted_channels(settings.channels, 3)
    indices = torch.arange(settings.count)
    faces, attributes = described(indices)
    side = min(max(*size, SMALLEST_DRAWN), LARGEST_DRAWN)
    images = with_channels(resized(torch.from_numpy(drawn(faces, side)), size), channels)
    fields = {
        "image": Field(kind="image", shape=tuple(images.shape[1:])),
        "attributes": Field(kind="multilabel", shape=(len(ATTRIBUTES),), classes=ATTRIBUTES),
    }
    store = Memory(fields=fields, tensors={"image": images, "attributes": attributes})
    return PartedDataset.of(store, indices % 10 == 9, augment)


def described(indices: Tensor) -> tuple[Faces, Tensor]:
    """What the faces with these indices, ``int64 (N,)``, look like, and their attributes ``float32 (N, K)``."""
    combinations = _combinations(indices)
    glasses, hat, smile = ((combinations >> bit) & 1 for bit in range(3))
    tone, background = combinations // 8 % len(TONES), combinations // 8 // len(TONES)
    groups = [torch.eye(len(TONES))[tone], torch.eye(len(BACKGROUNDS))[background]]
    attributes = torch.cat([torch.stack([glasses, hat, smile], dim=1).float(), *groups], dim=1)
    faces = Faces(
        glasses=glasses.bool().numpy(),
        hat=hat.bool().numpy(),
        smile=smile.bool().numpy(),
        tone=tone.numpy(),
        background=background.numpy(),
        liberties=uniform(indices, (len(LIBERTIES),), derive_key(0, "emoticons liberties")).numpy(),
    )
    return faces, attributes


def _combinations(indices: Tensor) -> Tensor:
    """The combination of attributes of each face, ``int64 (N,)``.

    Faces whose indices end in the same digit take turns through all combinations in random orders. So attributes are
    balanced and independent by construction, in each of the two parts as in the whole, and still a face is a function
    of its index alone.
    """
    turn = indices // 10
    streams = turn // _COMBINATIONS * 10 + indices % 10
    known = torch.arange(int(streams.max()) + 1)
    orders = random_bits(known, _COMBINATIONS, derive_key(0, "emoticons attributes")).argsort(dim=1)
    return orders[streams, turn % _COMBINATIONS]
