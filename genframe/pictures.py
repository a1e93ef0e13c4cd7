"""Pictures that explain themselves: a grid of samples with a title and a label beside each row.

Samples are often 8 or 28 pixels wide, so a sheet enlarges them: by whole pixels, where the reader wants to see what was
generated, or smoothly, where the eye should see what the samples show.
The font is DejaVu Sans, which lies beside matplotlib and has the letters of most alphabets; matplotlib itself is not
imported. The same samples give the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn.functional import interpolate, pad

from genframe.errors import ConfigError, quoted
from genframe.rundir.files import write_atomically

#: The longer side of a picture on a sheet has at least this many pixels.
SHOWN_SIDE = 64

_PAGE = 250
_INK = (34, 34, 34)
_MARGIN, _GAP = 12, 4
_TITLE_SIZE, _LABEL_SIZE, _LINE = 16, 13, 1.4
_LINE_BETWEEN = 2  # pixels between the tiles of a mosaic
#: Wide enough for about twenty letters.
_LABEL_WIDTH = 150
#: A narrow grid still leaves a title this much room before it wraps.
_TITLE_WIDTH = 420

_FORMATS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
}
_ANIMATED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".gif": ("GIF", {"disposal": 2}),
    ".webp": ("WEBP", {"lossless": True}),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a sheet.

    Attributes:
        label: shown at its left; may be empty.
        images: float ``(N, C, H, W)`` in [-1, 1]; grey, RGB or RGBA.
    """

    label: str = ""
    images: Tensor


@dataclass(frozen=True)
class Raster:
    """A picture made of pixels.

    Attributes:
        image: Pillow's image, of the mode ``L``, ``RGB`` or ``RGBA``.
    """

    image: Image.Image

    @classmethod
    def of(cls, image: Tensor) -> Raster:
        """One sample, float ``(C, H, W)`` in [-1, 1], at its own size.

        Raises:
            ConfigError: it has not 1, 3 or 4 channels.
        """
        _check_channels(image.shape[-3])
        pixels_HWC = to_uint8(image).movedim(0, -1).cpu().numpy()
        return cls(Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[-1] == 1 else pixels_HWC))

    def save(self, path: Path, info: Mapping[str, str]) -> None:
        """Writes .png, .jpg, .jpeg or .webp as a whole or not at all; `info` becomes text chunks of a PNG.

        Raises:
            ConfigError: another ending, or a picture larger than its format allows.
            StorageError: the disk refuses.
        """
        ending = path.suffix.lower()
        if ending not in _FORMATS:
            raise ConfigError(f"a picture's name ends in one of {quoted(_FORMATS)}; got '{path.name}'")
        write_atomically(path, self._encoded(ending, info))

    def _encoded(self, ending: str, info: Mapping[str, str]) -> bytes:
        name, options = _FORMATS[ending]
        image = _on_white(self.image) if name == "JPEG" and self.image.mode == "RGBA" else self.image
        buffer = io.BytesIO()
        try:
            image.save(buffer, name, pnginfo=_png_text(info), **options)  # the other formats ignore pnginfo
        except (OSError, ValueError) as error:
            size = f"{image.width}x{image.height}"
            raise ConfigError(f"a picture of {size} pixels does not fit {ending} ({error}); choose .png") from None
        return buffer.getvalue()


@dataclass(frozen=True)
class Animation:
    """Pictures that follow each other, for ever.

    Attributes:
        frames: Pillow's images, of equal size.
        milliseconds: how long each is shown.
    """

    frames: Sequence[Image.Image]
    milliseconds: Sequence[int]

    def save(self, path: Path, info: Mapping[str, str]) -> None:
        """Writes .gif or .webp as a whole or not at all; neither has room for `info`.

        Raises:
            ConfigError: another ending.
            StorageError: the disk refuses.
        """
        ending = path.suffix.lower()
        if ending not in _ANIMATED:
            raise ConfigError(f"an animation's name ends in one of {quoted(_ANIMATED)}; got '{path.name}'")
        name, options = _ANIMATED[ending]
        buffer = io.BytesIO()
        first, *others = self.frames
        durations = list(self.milliseconds)
        first.save(buffer, name, save_all=True, append_images=others, duration=durations, loop=0, **options)
        write_atomically(path, buffer.getvalue())


def mosaic(tiles: Tensor, *, side: int) -> Tensor:
    """Small pictures in one, about as wide as high, with white lines between them.

    Args:
        tiles: float ``(N, C, H, W)`` in [-1, 1], at least one.
        side: they are enlarged by whole pixels until their longer side has at least so many.

    Returns:
        float ``(C, ...)``; places that are left over are white.
    """
    columns = math.ceil(len(tiles) ** 0.5)
    rows = -(-len(tiles) // columns)
    factor = -(-side // max(tiles.shape[-2:]))
    enlarged = tiles.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    framed = pad(enlarged, (0, _LINE_BETWEEN, 0, _LINE_BETWEEN), value=1.0)
    filled = torch.cat((framed, framed.new_ones(rows * columns - len(tiles), *framed.shape[1:])))
    grid = filled.view(rows, columns, *framed.shape[1:]).permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return grid[:, :-_LINE_BETWEEN, :-_LINE_BETWEEN]


def to_uint8(images: Tensor) -> Tensor:
    """Pixels of any shape from float in [-1, 1] to ``uint8`` 0 to 255: ``(x + 1) * 127.5``, half to even, clamped.

    What is not a number becomes 0.
    """
    return ((images.float() + 1.0) * 127.5).round().nan_to_num(0.0).clamp(0, 255).byte()


def sheet(rows: Sequence[Row], *, title: str = "", column_labels: Sequence[str] = (), smooth: bool = False) -> Raster:
    """A page with one strip of pictures a row, enlarged by a whole factor, a title and labels.

    Args:
        rows: from top to bottom, at least one; they may differ in length and in the size of their pictures.
        title: the first line; it wraps where the page is narrow.
        column_labels: above the first pictures.
        smooth: enlarge by bicubic interpolation instead of by whole pixels.

    Raises:
        ConfigError: pictures that have not 1, 3 or 4 channels.
    """
    tiles = [_shown(row.images, smooth) for row in rows]
    pitch = max(tile.shape[-1] for tile in tiles) + _GAP
    strips = [_strip(tile, pitch) for tile in tiles]
    labels = [_fitted(row.label, _font(_LABEL_SIZE), _LABEL_WIDTH) for row in rows]
    headings = [_fitted(text, _font(_LABEL_SIZE), pitch - _GAP) for text in column_labels]
    gutter = max(_length(label, _LABEL_SIZE) for label in labels)
    left = _MARGIN + (gutter + 2 * _GAP if gutter else 0)
    width = left + max(strip.width for strip in strips) - _GAP
    width = max(width, min(_MARGIN + _length(_plain(title), _TITLE_SIZE), _TITLE_WIDTH)) + _MARGIN
    lines = _wrapped(title, _font(_TITLE_SIZE), width - 2 * _MARGIN)
    top = _MARGIN + round(len(lines) * _TITLE_SIZE * _LINE) + (_GAP if lines else 0)
    first = top + (round(_LABEL_SIZE * _LINE) if headings else 0)
    height = first + sum(strip.height + _GAP for strip in strips) - _GAP + _MARGIN
    page = Image.new("RGB", (width, height), (_PAGE, _PAGE, _PAGE))
    _write_lines(page, lines, headings, left, top, pitch)
    _place_rows(page, strips, labels, left, first)
    return Raster(page)


def enlarged(images: Tensor, *, smooth: bool = False) -> list[Image.Image]:
    """Each of the pictures, float ``(N, C, H, W)`` in [-1, 1], as large as on a sheet.

    Raises:
        ConfigError: they have not 1, 3 or 4 channels.
    """
    return [Image.fromarray(tile.movedim(0, -1).contiguous().numpy()) for tile in _shown(images, smooth)]


def written(text: str, *, width: int, size: int = _LABEL_SIZE) -> Image.Image:
    """Text on the page's grey, wrapped to at most `width` pixels; no wider than its longest line."""
    lines, font = _wrapped(text, _font(size), width), _font(size)
    longest = max((_length(line, size) for line in lines), default=0)
    image = blank(max(longest, 1), max(round(len(lines) * size * _LINE), 1))
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((0, round(number * size * _LINE)), line, _INK, font, "la")
    return image


def blank(width: int, height: int) -> Image.Image:
    """Nothing but the page's grey."""
    return Image.new("RGB", (width, height), (_PAGE, _PAGE, _PAGE))


def _write_lines(
    page: Image.Image, lines: Sequence[str], headings: Sequence[str], left: int, top: int, pitch: int
) -> None:
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + round(number * _TITLE_SIZE * _LINE)), line, _INK, _font(_TITLE_SIZE), "la")
    for column, heading in enumerate(headings):
        draw.text((left + column * pitch, top), heading, _INK, _font(_LABEL_SIZE), "la")


def _place_rows(page: Image.Image, strips: Sequence[Image.Image], labels: Sequence[str], left: int, top: int) -> None:
    draw = ImageDraw.Draw(page)
    for strip, label in zip(strips, labels, strict=True):
        page.paste(strip, (left, top))
        draw.text((left - 2 * _GAP, top + strip.height // 2), label, _INK, _font(_LABEL_SIZE), "rm")
        top += strip.height + _GAP


def _shown(images: Tensor, smooth: bool) -> Tensor:
    """``uint8 (N, 3, H, W)``, enlarged."""
    pixels = _rgb(images.detach().cpu())
    factor = -(-SHOWN_SIDE // max(pixels.shape[-2:]))
    if smooth and factor > 1:
        return interpolate(pixels.float(), scale_factor=factor, mode="bicubic").round().clamp(0, 255).byte()
    return pixels.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def _rgb(images: Tensor) -> Tensor:
    """``uint8 (N, 3, H, W)``; what is transparent shows white."""
    channels = images.shape[-3]
    _check_channels(channels)
    if channels == 4:
        colour, opacity = images[:, :3], (images[:, 3:] + 1.0) / 2.0
        images = colour * opacity + (1.0 - opacity)
    return to_uint8(images).expand(-1, 3, -1, -1)


def _strip(tiles: Tensor, pitch: int) -> Image.Image:
    """The pictures side by side, each in `pitch` pixels."""
    padded_NCHW = pad(tiles, (0, pitch - tiles.shape[-1]), value=_PAGE)
    strip_HXC = padded_NCHW.permute(2, 0, 3, 1).flatten(1, 2)
    return Image.fromarray(strip_HXC.contiguous().numpy())


def _check_channels(channels: int) -> None:
    if channels not in (1, 3, 4):
        raise ConfigError(
            f"a picture has 1 channel (grey), 3 (RGB) or 4 (RGBA), and these have {channels}: "
            "write them as arrays instead, with genframe sample --output FILE.npz"
        )


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _png_text(info: Mapping[str, str]) -> PngInfo:
    chunks = PngInfo()
    for key in sorted(info):
        chunks.add_text(key, _plain(info[key]))  # Latin-1 as tEXt, anything else as iTXt
    return chunks


@cache
def _font(size: int) -> Any:
    matplotlib = find_spec("matplotlib")
    assert matplotlib is not None  # genframe requires it
    assert matplotlib.origin is not None
    return ImageFont.truetype(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _length(text: str, size: int) -> int:
    return int(_font(size).getlength(text)) + 1 if text else 0


def _plain(text: str) -> str:
    """One line that can be drawn and stored: a folder's name may hold line breaks and undecodable bytes."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _fitted(text: str, font: Any, width: int) -> str:
    """`text`, shortened to `width` pixels with an ellipsis."""
    text = _plain(text)
    if font.getlength(text) <= width:
        return text
    text = text[:width]  # no letter is narrower than a pixel
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    lines = [""]
    for word in _plain(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_fitted(line, font, width) for line in lines if line]
