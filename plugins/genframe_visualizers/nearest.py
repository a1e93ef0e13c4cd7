"""Whether samples are copies: each beside the training picture nearest to it.

That a sample has a nearest picture says nothing yet. The yardstick are held-out pictures, which nobody can have copied:
generated samples that are nearer to the training part than those are suspicious. The nearest neighbour in pixels finds
copies, and hardly copies that were moved or recoloured; and a blurred sample, being nearer to everything, looks more
suspicious than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from genframe.analysis.fields import first_of, image_name, in_batches
from genframe.analysis.intervals import wilson
from genframe.analysis.neighbours import nearest_neighbours
from genframe.errors import DataError
from genframe.interfaces import Dataset, Picture, RunView
from genframe.pictures import enlarged, to_uint8, written
from genframe_visualizers.boards import GAP, beside, page, stacked
from genframe_visualizers.grids import check_images, check_positive
from genframe_visualizers.settings import NearestSettings

#: Samples nearer than this share of the held-out pictures are called near.
_NEAR = 0.05


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """Pictures, ``uint8 (N, C, H, W)``, the training picture nearest to each, and the distance ``(N,)``."""

    pictures: Tensor
    neighbours: Tensor
    distances: Tensor


class Nearest:
    """Pairs of a picture and its nearest one of the training part, with the distance beneath."""

    def __init__(self, settings: NearestSettings) -> None:
        check_positive("nearest", count=settings.count, shown=settings.shown)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The page; the title holds the figures to judge by.

        Distances are the root of the mean squared difference of two pictures' pixels, 0 to 255.

        Raises:
            ConfigError: the run makes no single pictures.
            DataError: its data is not there, or holds no picture like its samples in one of the parts.
        """
        check_images(view.trained.problem, "nearest")
        dataset = view.dataset()
        name = image_name(dataset, view.trained.problem)
        heldout = first_of(dataset.split("heldout"), name, self._settings.count)
        # As many as there are held-out pictures, so that the nearest of both are the nearest of as many.
        samples = to_uint8(view.samples(len(heldout)).output)
        train = dataset.split("train")
        if len(train) == 0:
            raise DataError("the visualizer 'nearest' looks for samples in the training part, and it is empty")
        generated, real = _compared(train, name, samples, heldout)
        rows = [
            (f"The first samples of {len(samples):,}, each beside its nearest training picture", generated, None),
            ("The samples nearest to the training part", generated, generated.distances.argsort(stable=True)),
            ("The held-out pictures nearest to the training part", real, real.distances.argsort(stable=True)),
        ]
        body = [self._row(words, of, order) for words, of, order in rows]
        return page(f"{view.title}: {verdict(generated.distances, real.distances)}", stacked(body, gap=4 * GAP))

    def _row(self, words: str, of: _Compared, order: Tensor | None) -> Image.Image:
        places = (torch.arange(len(of.distances)) if order is None else order)[: self._settings.shown]
        left, right = (_shown(each[places], self._settings.smooth) for each in (of.pictures, of.neighbours))
        cells = [
            stacked([beside([picture, neighbour], gap=2), written(f"{distance:.1f}", width=100)], centred=True)
            for picture, neighbour, distance in zip(left, right, of.distances[places].tolist(), strict=True)
        ]
        strip = beside(cells, gap=3 * GAP)
        return stacked([written(words, width=max(strip.width, 420)), strip])


def _compared(train: Dataset, name: str, *groups: Tensor) -> list[_Compared]:
    """Each group with its neighbours, which are looked for together: the training part is read once."""
    flat_QD = torch.cat(groups).flatten(1)
    reference = (batch[name].flatten(1) for batch in in_batches(train, len(train)))
    distances, indices = nearest_neighbours(flat_QD, reference)
    neighbours = train.read(indices.tolist(), epoch=0, seed=0)[name]
    sizes = [len(group) for group in groups]
    shares = torch.split(neighbours, sizes), torch.split(distances, sizes)
    return [
        _Compared(pictures=group, neighbours=theirs, distances=far / flat_QD.shape[1] ** 0.5)
        for group, theirs, far in zip(groups, *shares, strict=True)
    ]


def verdict(generated: Tensor, heldout: Tensor) -> str:
    """The figures, and what they say: ``as far from the training part as held-out pictures are ...``."""
    limit = float(torch.quantile(heldout.double(), _NEAR))
    near, copies = int((generated < limit).sum()), int((generated == 0).sum())
    low, high = wilson(near, len(generated))
    if low > _NEAR:
        said = "nearer to training pictures than held-out ones are; look whether they are copies, or blurred"
    elif high < _NEAR:
        said = "farther from training pictures than held-out ones are; no sign of copies"
    else:
        said = "about as far from training pictures as held-out ones are; no sign of copies"
    medians = [float(each.median()) for each in (generated, heldout)]
    return (
        f"samples are {said}. Median distance to the nearest training picture: samples {medians[0]:.1f}, held-out "
        f"{medians[1]:.1f} (root mean square of pixels, 0 to 255). {near} of {len(generated):,} samples are nearer "
        f"than the nearest {_NEAR:.0%} of held-out pictures, {copies} the same to the last pixel"
    )


def _shown(pixels: Tensor, smooth: bool) -> list[Image.Image]:
    return enlarged(pixels.float() / 127.5 - 1.0, smooth=smooth)
