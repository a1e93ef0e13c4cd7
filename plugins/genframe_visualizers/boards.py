"""Pages of a free layout, put together from pictures and words."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from genframe.pictures import Raster, blank, written

GAP = 4
_MARGIN, _TITLE_SIZE = 12, 16


def beside(images: Sequence[Image.Image], gap: int = GAP) -> Image.Image:
    """From left to right, their upper edges at one height."""
    whole = blank(sum(each.width + gap for each in images) - gap, max(each.height for each in images))
    left = 0
    for each in images:
        whole.paste(each, (left, 0))
        left += each.width + gap
    return whole


def stacked(images: Sequence[Image.Image], gap: int = GAP, *, centred: bool = False) -> Image.Image:
    """From top to bottom, their left edges at one place, or their middles."""
    whole = blank(max(each.width for each in images), sum(each.height + gap for each in images) - gap)
    top = 0
    for each in images:
        whole.paste(each, ((whole.width - each.width) // 2 if centred else 0, top))
        top += each.height + gap
    return whole


def page(title: str, body: Image.Image) -> Raster:
    """The body under its title, with a margin."""
    heading = written(title, width=max(body.width, 420), size=_TITLE_SIZE)
    content = stacked([heading, body], gap=3 * GAP)
    whole = blank(content.width + 2 * _MARGIN, content.height + 2 * _MARGIN)
    whole.paste(content, (_MARGIN, _MARGIN))
    return Raster(whole)
