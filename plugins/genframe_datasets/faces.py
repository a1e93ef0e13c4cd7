"""Drawing the faces of `emoticons`: their attributes decide what one sees, a draw of small liberties the rest.

Lengths are in pixels of a 32x32 picture and positions in the frame of the face, which is moved, sized and tilted as a
whole: the head is an ellipse about the origin, x points right and y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genframe_datasets.canvas import Canvas, Floats, box, ellipse, stroke

#: What may differ between faces with the same attributes, each uniform in its range.
LIBERTIES: Mapping[str, tuple[float, float]] = {
    "x": (-1.3, 1.3),
    "y": (-0.9, 0.9),
    "size": (1.0, 1.12),
    "tilt": (-0.08, 0.08),  # tangent of half the angle: up to 9 degrees to either side
    "red": (0.96, 1.04),
    "blue": (0.94, 1.06),
    "light": (0.97, 1.03),
    "eye_gap": (3.6, 4.4),
    "eye_width": (1.15, 1.5),
    "eye_height": (1.5, 2.05),
    "gaze": (-0.35, 0.35),
    "brow": (-0.12, 0.12),
    "mouth_width": (3.2, 4.4),
    "mouth_height": (0.85, 1.15),
    "hair": (0.0, 1.0),
    "hair_length": (0.0, 1.0),
    "parting": (-0.35, 0.35),
    "wool": (0.0, 1.0),
    "rims": (0.0, 1.0),
}

TONES = {"light": (255, 219, 186), "tan": (233, 178, 124), "brown": (176, 113, 70), "dark": (104, 64, 45)}
BACKGROUNDS = {"sky": (126, 196, 245), "mint": (142, 219, 168), "sunny": (255, 214, 102), "lilac": (196, 166, 240)}

_HAIR = ((43, 33, 36), (92, 58, 36), (160, 82, 45), (222, 178, 96), (150, 146, 150))
_WOOL = ((214, 64, 69), (38, 84, 156), (32, 133, 108), (240, 140, 40), (120, 60, 140))
_RIMS = ((30, 30, 38), (30, 30, 38), (110, 30, 40), (25, 50, 110))
_INK, _WHITE, _CREAM, _BLUSH, _MOUTH, _TONGUE = np.array(
    [(45, 28, 32), (255, 255, 255), (250, 244, 232), (240, 90, 90), (110, 25, 35), (236, 110, 110)], dtype=np.float32
)

#: So many pixels are painted at once, that a dozen planes of them stay in a processor's cache.
_CHUNK = 32 * 32 * 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """What to draw, one entry a face.

    Attributes:
        glasses, hat, smile: ``bool (N,)``.
        tone, background: ``int64 (N,)``, indices into `TONES` and `BACKGROUNDS`.
        liberties: ``float32 (N, len(LIBERTIES))`` in [0, 1).
    """

    glasses: NDArray[np.bool_]
    hat: NDArray[np.bool_]
    smile: NDArray[np.bool_]
    tone: NDArray[np.int64]
    background: NDArray[np.int64]
    liberties: Floats

    def part(self, which: slice) -> Faces:
        """Some of the faces."""
        return Faces(**{name: values[which] for name, values in vars(self).items()})


def drawn(faces: Faces, side: int) -> NDArray[np.uint8]:
    """The faces, ``uint8 (N, 3, side, side)``."""
    pictures = np.empty((len(faces.tone), 3, side, side), dtype=np.uint8)
    step = max(1, _CHUNK // side**2)
    for start in range(0, len(pictures), step):
        which = slice(start, start + step)
        pictures[which] = _Drawing(faces.part(which), side).pixels()
    return pictures


class _Drawing:
    """One chunk on its canvas; each method adds a part of the face."""

    def __init__(self, faces: Faces, side: int) -> None:
        self.faces = faces
        columns = zip(LIBERTIES.items(), faces.liberties.T, strict=True)
        self.free = {name: _between(column, *limits) for (name, limits), column in columns}
        self.skin = self._tinted(_colours(TONES.values(), faces.tone))
        self.x, self.y = self._frame(side)
        pixels = np.empty((len(faces.tone), 3, side, side), dtype=np.float32)
        self.canvas = Canvas(pixels, self.free["size"] * np.float32(side / 32.0))
        self.head = ellipse(self.x, self.y, 9.4, 9.9)

    def pixels(self) -> NDArray[np.uint8]:
        """Everything, from back to front."""
        self._background()
        self._hair_behind()
        self._head()
        self._nose_and_cheeks()
        self._mouth()
        self._lenses()
        self._eyes()
        self._fringe()
        self._glasses()
        self._hat()
        return np.rint(self.canvas.pixels).astype(np.uint8)

    def _frame(self, side: int) -> tuple[Floats, Floats]:
        """The face's own coordinates of each pixel, ``(N, side, side)`` each."""
        free = self.free
        centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(32.0 / side)
        x, y = centres[None, None, :] - (16.0 + free["x"]), centres[None, :, None] - (18.6 + free["y"])
        tilt = free["tilt"]
        length = (1.0 + tilt * tilt) * free["size"]
        cosine, sine = (1.0 - tilt * tilt) / length, 2.0 * tilt / length
        return x * cosine + y * sine, y * cosine - x * sine

    def _tinted(self, colours: Floats) -> Floats:
        """Colours ``(N, 3)``, each face's a little warmer or cooler, lighter or darker."""
        light = self.free["light"]
        tint = np.concatenate([light * self.free["red"], light, light * self.free["blue"]], axis=1)[:, :, 0]
        tinted: Floats = np.minimum(colours * tint, 255.0)
        return tinted

    def _add(self, distance: Floats, colour: Floats, outline: float = 0.0) -> None:
        """A shape, around which a line in a darker shade of its colour is drawn where `outline` is its width."""
        if outline:
            self.canvas.paint(self.canvas.coverage(distance - outline), _shade(colour, 0.55))
        self.canvas.paint(self.canvas.coverage(distance), colour)

    def _glow(self, distance: Floats, colour: Floats, opacity: float, blur: float) -> None:
        """A soft shape that stays on the head."""
        on_head = self.canvas.coverage(self.head)
        self.canvas.paint(self.canvas.coverage(distance, blur) * on_head * opacity, colour)

    def _background(self) -> None:
        """A light that falls off downwards, and the shadow of the head."""
        colour = self._tinted(_colours(BACKGROUNDS.values(), self.faces.background))
        self.canvas.pixels[:] = colour[:, :, None, None]
        self.canvas.paint(np.clip(0.25 - 0.022 * (self.y + 16.0), 0.0, 0.4), _WHITE)
        shadow = ellipse(self.x - 1.0, self.y - 1.6, 9.6, 9.9)
        self.canvas.paint(self.canvas.coverage(shadow, blur=4.0) * 0.3, _shade(colour, 0.4))

    def _hair_behind(self) -> None:
        """A crown, and on half of the heads locks that fall beside the cheeks."""
        hair = _picked(_HAIR, self.free["hair"])
        short = ellipse(self.x, self.y + 1.4, 9.9, 9.5)
        long = box(self.x, self.y + 0.9, 11.1, 9.9, 8.0)
        self._add(np.where(self.free["hair_length"] < 0.5, short, long), hair, outline=0.6)

    def _head(self) -> None:
        """Ears and head, lit from the upper left."""
        ears = ellipse(abs(self.x) - 9.3, self.y - 0.8, 1.7, 2.2)
        self._add(ears, self.skin, outline=0.6)
        self._add(self.head, self.skin, outline=0.6)
        self._glow(-ellipse(self.x + 1.6, self.y + 2.0, 9.6, 10.2), _shade(self.skin, 0.6), 0.6, 5.0)
        self._glow(ellipse(self.x + 3.6, self.y + 4.5, 3.2, 2.4), _WHITE, 0.35, 5.0)

    def _nose_and_cheeks(self) -> None:
        across = abs(self.x)
        self._glow(ellipse(across - 6.2, self.y - 3.0, 1.5, 1.0), _BLUSH, 0.45, 2.0)
        self._add(stroke(self.x, self.y - 2.4, 0.7, 0.35, 0.42), _shade(self.skin, 0.62))

    def _mouth(self) -> None:
        """Open with teeth and tongue where the face smiles, else a line with drooping ends."""
        x, y, width, height = self.x, self.y - 4.3, self.free["mouth_width"], self.free["mouth_height"]
        smile = self.faces.smile[:, None, None]
        line = stroke(x, y - 0.9, width * 0.62, 0.07 * height, 0.5)
        opened = np.maximum(ellipse(x, y + 0.6, width * 1.1, 4.3 * height), -0.03 * x * x - y)
        self._add(np.where(smile, opened - 0.45, line), _INK)
        inside = np.where(smile, opened + 0.1, np.float32(9.0))
        self._add(inside, _MOUTH)
        self._add(np.maximum(inside, y - 0.95), _WHITE)
        self._add(np.maximum(inside, ellipse(x, y - 3.9 * height, 2.2, 1.6)), _TONGUE)

    def _eyes(self) -> None:
        """Both at once, each in its own coordinates, with a glint and a brow."""
        free = self.free
        x, y = self.x - np.copysign(free["eye_gap"], self.x) - free["gaze"], self.y + 0.4
        self._add(ellipse(x, y, free["eye_width"], free["eye_height"]), _INK)
        self._add(ellipse(x + 0.45, y + 0.65, 0.5, 0.55), _WHITE)
        slope = free["brow"] * x * np.copysign(np.float32(1.0), self.x)
        self._add(stroke(x, y + 3.3 + slope, 1.4, 0.14, 0.42), _shade(_picked(_HAIR, free["hair"]), 0.75))

    def _fringe(self) -> None:
        """Hair on the forehead, parted to one side."""
        cut = self.y + 5.4 - self.free["parting"] * self.x - 0.045 * self.x * self.x
        self._add(np.maximum(self.head - 0.7, cut), _picked(_HAIR, self.free["hair"]))

    def _lenses(self) -> None:
        """Behind the eyes, so that these stay dark."""
        self._worn(self.faces.glasses, self._rim(), _WHITE, 0.4)

    def _glasses(self) -> None:
        """Round rims, a gleam, a bridge and temples."""
        across, y = abs(self.x), self.y + 0.2
        rim = self._rim()
        bars = np.minimum(box(across, y + 0.4, 1.0, 0.3, 0.2), box(across - 8.4, y + 0.6, 1.2, 0.35, 0.2))
        gleam = np.maximum(rim + 0.9, abs(self.x - np.copysign(4.2, self.x) + y * 0.7 + 1.9) - 0.35)
        self._worn(self.faces.glasses, gleam, _WHITE, 0.6)
        self._worn(self.faces.glasses, np.minimum(abs(rim) - 0.55, bars), _picked(_RIMS, self.free["rims"]), 1.0)

    def _rim(self) -> Floats:
        return ellipse(abs(self.x) - 4.2, self.y + 0.2, 3.3, 3.2)

    def _hat(self) -> None:
        """A woollen hat: bobble, dome and turned-up brim."""
        wool = _picked(_WOOL, self.free["wool"])
        dome = np.maximum(ellipse(self.x, self.y + 5.2, 10.2, 7.6), self.y + 5.0)
        brim = box(self.x, self.y + 5.8 - 0.012 * self.x * self.x, 10.4, 1.8, 1.6)
        bobble = ellipse(self.x, self.y + 13.0, 2.1, 2.0)
        for shape, colour in ((bobble, _CREAM), (dome, wool), (brim, _CREAM)):
            self._worn(self.faces.hat, shape - 0.6, _shade(colour, 0.55), 1.0)
            self._worn(self.faces.hat, shape, colour, 1.0)

    def _worn(self, worn: NDArray[np.bool_], distance: Floats, colour: Floats, opacity: float) -> None:
        """A shape on the faces that wear it."""
        strength = np.where(worn, np.float32(opacity), np.float32(0.0))[:, None, None]
        self.canvas.paint(self.canvas.coverage(distance) * strength, colour)


def _between(draws: Floats, low: float, high: float) -> Floats:
    """Uniform draws ``(N,)`` on [0, 1) moved to [low, high), ``(N, 1, 1)``."""
    return (low + (high - low) * draws).astype(np.float32)[:, None, None]


def _colours(palette: Iterable[tuple[int, int, int]], indices: NDArray[np.int64]) -> Floats:
    return np.array(list(palette), dtype=np.float32)[indices]


def _picked(palette: Sequence[tuple[int, int, int]], draws: Floats) -> Floats:
    """A colour a face, ``(N, 3)``, by a uniform draw on [0, 1)."""
    return _colours(palette, (draws.reshape(-1) * len(palette)).astype(np.int64))


def _shade(colour: Floats, factor: float) -> Floats:
    """A darker shade, a little redder, as shadows on skin are."""
    return colour * np.array([factor, factor * 0.92, factor * 0.96], dtype=np.float32)
