"""Arithmetic of z, as in figure 7 of the DCGAN paper: three samples of each of three concepts, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from genframe.analysis.arithmetic import Reader, Readings, combined, read, reader_of, surroundings
from genframe.analysis.classifier import TrainedClassifier, classifier_for
from genframe.analysis.fields import image_name, label_name
from genframe.analysis.latent import check_latent, rendered, repeated, samples_at
from genframe.errors import ConfigError, nearest, quoted
from genframe.interfaces import Condition, Picture, RunView
from genframe.pictures import blank, enlarged, written
from genframe.shapes import Problem
from genframe_visualizers.boards import GAP, beside, page, stacked
from genframe_visualizers.grids import check_positive
from genframe_visualizers.settings import ArithmeticSettings

_SIGN_SIZE = 28
_COLUMN = 150  # pixels: room for the names of a few attributes
_EXAMPLES = 3  # of a concept, where nothing is said


class Arithmetic:
    """Three columns of samples with the picture of their mean z beneath, and the result among eight neighbours."""

    def __init__(self, settings: ArithmeticSettings) -> None:
        check_positive("arithmetic", average=settings.average, samples=settings.samples)
        given = (settings.a, settings.b, settings.c)
        self._by_attribute = any(isinstance(each, str) for names in given for each in names)
        numbers = any(isinstance(each, int) for names in given for each in names)
        if numbers and (self._by_attribute or not all(given)):
            raise ConfigError(
                f"the visualizer 'arithmetic' got a = {list(settings.a)}, b = {list(settings.b)} and c = "
                f"{list(settings.c)}; they are lists of indices, none empty, or lists of names of attributes"
            )
        if not 0.0 <= settings.radius < float("inf"):
            raise ConfigError(f"the visualizer 'arithmetic' got radius = {settings.radius}; it is 0 or more, say 0.25")
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The page. The result, and the means, are generated under the condition of the first sample of C.

        Raises:
            ConfigError: the run generates without noise or no single pictures, or shows too few of the samples asked
                for, or its data has no such attributes.
            DataError: attributes are named, and the run's data is not there.
        """
        check_latent(view, "the visualizer 'arithmetic'")
        if not self._by_attribute:
            groups = self._indices(view)
            headings = [f"{letter}: {_listed(those)}" for letter, those in zip("ABC", groups, strict=True)]
            return self._page(view, groups, headings, "")
        return self._of_attributes(view)

    def _indices(self, view: RunView) -> list[list[int]]:
        given = (self._settings.a, self._settings.b, self._settings.c)
        if any(given):
            return [[cast(int, index) for index in those] for those in given]
        period = 1  # classes take turns; samples of one class are so far apart
        for field in view.trained.problem.condition.values():
            period *= field.width if field.kind == "class" else 1
        return [[period * (_EXAMPLES * row + i) for i in range(_EXAMPLES)] for row in range(3)]

    def _of_attributes(self, view: RunView) -> Picture:
        classifier, reader = _attribute_reader(view)
        labels = classifier.field.classes
        patterns = [_pattern(those, labels) for those in (self._settings.a, self._settings.b, self._settings.c)]
        a_K, b_K, c_K = patterns
        among_K, wanted_K = a_K | b_K | c_K, c_K.int() + a_K.int() - b_K.int()
        if bool(((wanted_K < 0) | (wanted_K > 1)).any()):
            odd = [labels[place] for place in ((wanted_K < 0) | (wanted_K > 1)).nonzero()[:, 0].tolist()]
            raise ConfigError(
                f"the visualizer 'arithmetic' takes a - b + c, and that leaves no sense of {quoted(odd)}: take from C "
                "only what it has, and add only what it lacks"
            )
        readings = read(view, reader, self._settings.samples)
        groups = [self._found(readings, pattern, among_K, labels) for pattern in patterns]
        headings = [
            f"{letter}: {_described(pattern, among_K, labels)}" for letter, pattern in zip("ABC", patterns, strict=True)
        ]
        asked = _described(wanted_K.bool(), among_K, labels)
        result = rendered(view, *_result(*_samples_of(view, groups)))
        seen = _described(reader(result)[0], among_K, labels)
        verdict = (
            f"; asked for {asked}, and a classifier (right about {100 * classifier.accuracy:.1f}% of real attributes) "
            f"reads {seen}"
        )
        return self._page(view, groups, headings, verdict)

    def _found(self, readings: Readings, pattern: Tensor, among: Tensor, labels: Sequence[str]) -> list[int]:
        places: list[int] = readings.showing(pattern, among)[: self._settings.average].tolist()
        if len(places) < self._settings.average:
            raise ConfigError(
                f"the visualizer 'arithmetic' wants {self._settings.average} samples of "
                f"'{_described(pattern, among, labels)}', and a classifier sees {len(places)} among the first "
                f"{self._settings.samples:,}: set samples higher, average lower, or other attributes"
            )
        return places

    def _page(self, view: RunView, groups: Sequence[Sequence[int]], headings: Sequence[str], verdict: str) -> Picture:
        noises, conditions = _samples_of(view, groups)
        result_1Z, condition = _result(noises, conditions)
        around_8Z = surroundings(result_1Z[0], 8, self._settings.radius, view.seed)
        nine_9Z = torch.cat([around_8Z[:4], result_1Z, around_8Z[4:]])
        nine = rendered(view, nine_9Z, repeated(condition, 9))
        columns, means = [], []
        for noise_NZ, of_each in zip(noises, conditions, strict=True):
            columns.append(enlarged(rendered(view, noise_NZ, of_each), smooth=self._settings.smooth))
            means += enlarged(rendered(view, noise_NZ.mean(0, keepdim=True), condition), smooth=self._settings.smooth)
        body = _layout(columns, means, enlarged(nine, smooth=self._settings.smooth), headings, self._settings.radius)
        return page(f"{view.title}: A − B + C, by the means of their z{verdict}", body)


def _samples_of(view: RunView, groups: Sequence[Sequence[int]]) -> tuple[list[Tensor], list[Condition]]:
    """Z and conditions of each group of samples."""
    each = [samples_at(view, indices) for indices in groups]
    return [noise for noise, _ in each], [condition for _, condition in each]


def _result(noises: Sequence[Tensor], conditions: Sequence[Condition]) -> tuple[Tensor, Condition]:
    """Z ``(1, *Z)`` of the result, and its condition."""
    a, b, c = noises
    return combined(a, b, c)[None], {name: values[:1] for name, values in conditions[2].items()}


def _attribute_reader(view: RunView) -> tuple[TrainedClassifier, Reader]:
    dataset, problem = view.dataset(), view.trained.problem
    label = label_name(dataset, {"multilabel"})
    if not label:
        raise ConfigError(
            "the visualizer 'arithmetic' was given names of attributes, and this run's data has no field of several "
            f"labels: name samples by index, as a=[0,1,2]{_so_far(problem)}"
        )
    classifier = classifier_for(dataset, image_name(dataset, problem), label)
    return classifier, reader_of(classifier)


def _so_far(problem: Problem) -> str:
    return f" (it generates from {quoted(problem.condition)})" if problem.condition else ""


def _pattern(names: Sequence[int | str], labels: Sequence[str]) -> Tensor:
    """Which of the labels are named, ``bool (K,)``."""
    unknown = [str(name) for name in names if name not in labels]
    if unknown:
        raise ConfigError(
            f"there is no attribute '{unknown[0]}'; the data has {quoted(labels)}.{nearest(unknown[0], labels)}"
        )
    return torch.tensor([label in names for label in labels])


def _described(pattern: Tensor, among: Tensor, labels: Sequence[str]) -> str:
    """``glasses, no hat``: what is had, and lacked, of the attributes that are looked at."""
    had = [label for label, has, asked in zip(labels, pattern, among, strict=True) if asked and has]
    lacked = [f"no {label}" for label, has, asked in zip(labels, pattern, among, strict=True) if asked and not has]
    return ", ".join(had + lacked)


def _listed(indices: Sequence[int]) -> str:
    return f"sample{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))}"


def _layout(
    columns: Sequence[Sequence[Image.Image]],
    means: Sequence[Image.Image],
    nine: Sequence[Image.Image],
    headings: Sequence[str],
    radius: float,
) -> Image.Image:
    """The columns from left to right with signs between, headings above, and the result at the right."""
    tile = means[0]
    about = f"A − B + C in the middle; around it, each number of z moved by up to {radius:g}"
    words = [written(text, width=_COLUMN) for text in headings]
    caption = written("mean z", width=_COLUMN)
    width = max(tile.width, *(each.width for each in words))
    pictures_top = max(each.height for each in words) + GAP
    height = pictures_top + max(len(column) for column in columns) * (tile.height + GAP)
    grid = stacked([beside(nine[row * 3 : row * 3 + 3]) for row in range(3)])
    explained = stacked([written(about, width=grid.width), grid])
    height = max(height + 2 * GAP + caption.height + tile.height, explained.height)

    def column(number: int) -> Image.Image:
        whole = blank(width, height)
        _centred(whole, words[number], 0)
        for place, picture in enumerate(columns[number]):
            _centred(whole, picture, pictures_top + place * (tile.height + GAP))
        _centred(whole, caption, height - tile.height - caption.height)
        _centred(whole, means[number], height - tile.height)
        return whole

    def sign(text: str) -> Image.Image:
        mark = written(text, width=2 * _SIGN_SIZE, size=_SIGN_SIZE)
        whole = blank(mark.width, height)
        _centred(whole, mark, height - (tile.height + mark.height) // 2)
        return whole

    result = blank(explained.width, height)
    result.paste(explained, (0, height - explained.height))
    parts = [column(0), sign("−"), column(1), sign("+"), column(2), sign("="), result]
    return beside(parts, gap=3 * GAP)


def _centred(whole: Image.Image, part: Image.Image, top: int) -> None:
    whole.paste(part, ((whole.width - part.width) // 2, top))
