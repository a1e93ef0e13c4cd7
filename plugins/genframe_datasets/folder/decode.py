"""One picture from a file that may be anything: a photograph, half a photograph, or an attack.

Only Pillow's readers of the six accepted formats are asked (others start programs), and nothing is unpacked before the
header has been found to announce at most 40 megapixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from genframe.errors import DataError
from genframe_datasets.folder.sources import Source

Pixels = NDArray[np.uint8]

#: What a picture may have, in pixels. Pillow's own limit is 179 million, enough to fill a gigabyte.
PIXEL_LIMIT = 40_000_000

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})

_ORIENTATION = 0x0112  # the EXIF tag

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_TOO_LARGE = f"it has more than {PIXEL_LIMIT // 10**6} megapixels"

_UNKNOWN = "not a picture (PNG, JPEG, GIF, BMP, WebP or TIFF)"


class _RefusedError(Exception):
    """Its text is the reason."""


class BadPictureError(DataError):
    """A file is no picture that can be used.

    Attributes:
        file: its name.
        reason: in a few words.
    """

    file = ""
    reason = ""

    @classmethod
    def of(cls, source: Source, name: str, error: Exception) -> BadPictureError:
        """The sentence about a file, from whatever reading it raised."""
        reason = _reason(error)
        bad = cls(
            f"{source.where(name)} cannot be read: {reason}; repair or remove it, or leave such files out with "
            "--skip-bad-images"
        )
        bad.file, bad.reason = name, reason
        return bad


@dataclass(frozen=True)
class Header:
    """What a picture announces.

    Attributes:
        size: its height and width, upright.
        grey: whether it has no colours.
    """

    size: tuple[int, int]
    grey: bool


@contextmanager
def quietly() -> Iterator[None]:
    """Pillow warns of odd files that it reads; either we refuse a file or it is fine. Not for use inside of threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(source: Source, name: str) -> Header:
    """Size and colours, without decoding.

    Raises:
        BadPictureError: there is no picture in it, or too large a one.
    """
    try:
        with source.open(name) as file, _opened(file) as image:
            # Pillow would decode a whole PNG to look for an EXIF block behind the pixels.
            known = image.format != "PNG" or "exif" in image.info
            turned = known and _orientation(image) >= 5
            width, height = image.size
            return Header((width, height) if turned else (height, width), _is_grey(image))
    except Exception as error:  # what Pillow raises at hostile bytes has no common base
        raise BadPictureError.of(source, name, error) from None


def read_picture(source: Source, name: str, shape: tuple[int, int, int]) -> Pixels:
    """The picture ``(C, H, W)``, upright, cropped to its middle of the aspect of `shape`, and resized.

    Raises:
        BadPictureError: it cannot be decoded.
    """
    _, height, width = shape
    try:
        with source.open(name) as file, _opened(file) as image:
            # JPEG decodes faster to a half, a quarter or an eighth. Twice the wanted size is left to be resized well.
            image.draft(None, (2 * max(width, height),) * 2)
            image.load()
            return pixels_of(image, shape)
    except Exception as error:  # see above
        raise BadPictureError.of(source, name, error) from None


def pixels_of(image: Image.Image, shape: tuple[int, int, int]) -> Pixels:
    """The pixels ``(C, H, W)`` of an open picture, upright, cropped to its middle of that aspect, and resized."""
    channels, height, width = shape
    plain = _plain(_upright(image), channels)
    fitted = _fitted(plain, (width, height)).convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    return np.array(fitted).reshape(height, width, channels).transpose(2, 0, 1)


def _opened(file: IO[bytes]) -> Image.Image:
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        raise _RefusedError(_UNKNOWN if file.read(1) else "empty") from None
    except Image.DecompressionBombError:
        raise _RefusedError(_TOO_LARGE) from None
    if image.width * image.height > PIXEL_LIMIT:
        raise _RefusedError(_TOO_LARGE)
    return image


def _reason(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    return "truncated" if "truncated" in text.lower() else f"damaged ({text[:100] or type(error).__name__})"


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged EXIF block turns no picture."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # as above
        return 1


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [0, 0, 1]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GREY_MODES or image.mode.startswith("I;16")


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """As ``L``, ``RGB`` or, only where four channels are wanted, ``RGBA``."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        clear = image.convert("RGBA")
        return clear if channels == 4 else _over_white(clear)
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _eight_bits(levels: NDArray[Any]) -> Pixels:
    """16-bit levels scaled to 8; what is stored as float is from 0 to 1."""
    top = 1.0 if levels.dtype.kind == "f" else 65535.0
    scaled = np.nan_to_num(levels.astype(np.float32)) * np.float32(255.0 / top)
    return scaled.round().clip(0, 255).astype(np.uint8)


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The largest middle part of the wanted aspect, resized; Pillow's resizing widens its filter, which antialiases."""
    if image.size == size:
        return image
    scale = min(image.width / size[0], image.height / size[1])
    width, height = size[0] * scale, size[1] * scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (max(left, 0.0), max(top, 0.0), min(left + width, image.width), min(top + height, image.height))
    return image.resize(size, Image.Resampling.BICUBIC, box=box)
