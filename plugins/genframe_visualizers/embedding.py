"""A map of real held-out pictures and generated ones: whether they lie in the same places."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from genframe.analysis.classifier import classifier_for
from genframe.analysis.fields import first_of, image_name, label_name
from genframe.charts import Chart, styled
from genframe.errors import ConfigError, DataError, nearest, quoted
from genframe.interfaces import Dataset, Picture, RunView, Samples
from genframe.pictures import to_uint8
from genframe.shapes import Field
from genframe_visualizers.grids import check_images
from genframe_visualizers.settings import EmbeddingSettings

#: As few points as make a map.
_FEWEST = 4

#: Of t-SNE; van der Maaten and Hinton, 2008, name 5 to 50.
_PERPLEXITY = 30.0

#: t-SNE of many numbers begins with so many principal components.
_COMPONENTS = 50

#: Classes beyond these share a grey.
_MOST_COLOURS = 20


@dataclass(frozen=True, kw_only=True)
class _Points:
    """What is drawn.

    Attributes:
        real, generated: features, ``(N, F)``.
        real_colours, generated_colours: the number of the colour of each, ``int64 (N,)``.
        names: of the colours.
        features: what they are, in words.
        told: where the colours of generated ones come from; empty where nothing has labels.
    """

    real: Tensor
    generated: Tensor
    real_colours: Tensor
    generated_colours: Tensor
    names: Sequence[str]
    features: str
    told: str


class Embedding:
    """Circles are real pictures, crosses generated ones; colours are classes."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        if settings.count < _FEWEST:
            raise ConfigError(f"the visualizer 'embedding' got count = {settings.count}; at least {_FEWEST} are needed")
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The chart.

        Features are those of the independent classifier of the data's classes or labels, else raw pixels. A generated
        picture has the colour of the class that it was asked for, or, in a run without classes, that the classifier
        reads.

        Raises:
            ConfigError: the run makes no single pictures, or the data has no such attribute.
            DataError: its data is not there, or the held-out part is too small.
        """
        check_images(view.trained.problem, "embedding")
        dataset = view.dataset()
        heldout = dataset.split("heldout")
        if len(heldout) < _FEWEST:
            raise DataError(
                f"the visualizer 'embedding' maps held-out pictures, and there are {len(heldout)}: at least {_FEWEST} "
                "are needed"
            )
        samples = view.samples(self._settings.count)
        points = self._points(view, dataset, samples)
        flat, axes = _map(torch.cat([points.real, points.generated]).double().numpy(), self._settings.method)
        real, generated = flat[: len(points.real)], flat[len(points.real) :]
        return _chart(view.title, points, real, generated, axes, self._settings.method)

    def _points(self, view: RunView, dataset: Dataset, samples: Samples) -> _Points:
        heldout, count = dataset.split("heldout"), self._settings.count
        image = image_name(dataset, view.trained.problem)
        pixels, drawn = first_of(heldout, image, count), to_uint8(samples.output)
        label = label_name(dataset, {"class", "multilabel"})
        if not label:
            colours = torch.zeros(len(pixels), dtype=torch.int64), torch.ones(len(drawn), dtype=torch.int64)
            return _Points(
                real=pixels.flatten(1).float(),
                generated=drawn.flatten(1).float(),
                real_colours=colours[0],
                generated_colours=colours[1],
                names=("real", "generated"),
                features="raw pixels",
                told="",
            )
        classifier, field = classifier_for(dataset, image, label), dataset.fields[label]
        asked = samples.condition.get(label)
        colour = self._colour(field)
        return _Points(
            real=classifier.embed(pixels),
            generated=classifier.embed(drawn),
            real_colours=colour(first_of(heldout, label, count)),
            generated_colours=colour(classifier.predict(drawn) if asked is None else asked),
            names=field.classes if field.kind == "class" else self._names(field),
            features=f"the features of a classifier ({100 * classifier.accuracy:.1f}% right on held-out pictures)",
            told=f"{field.kind if field.kind == 'class' else 'label'} "
            + ("read by the classifier" if asked is None else "asked for"),
        )

    def _colour(self, field: Field) -> Any:
        if field.kind == "class":
            return lambda labels_N: labels_N
        place = self._place(field)
        return lambda labels_NK: (labels_NK[:, place] > 0.5).long()

    def _names(self, field: Field) -> tuple[str, str]:
        name = field.classes[self._place(field)]
        return f"without {name}", f"with {name}"

    def _place(self, field: Field) -> int:
        name = self._settings.attribute or field.classes[0]
        if name not in field.classes:
            raise ConfigError(
                f"there is no attribute '{name}'; the data has {quoted(field.classes)}.{nearest(name, field.classes)}"
            )
        return field.classes.index(name)


def _map(features_NF: NDArray[np.float64], method: str) -> tuple[NDArray[np.float64], tuple[str, str]]:
    """Places ``(N, 2)`` and the labels of the axes. On one thread: sums are then added in one order."""
    with threadpool_limits(1):
        if method == "pca":
            pca = PCA(2, svd_solver="full")
            places = pca.fit_transform(features_NF)
            shares = pca.explained_variance_ratio_
            first, second = (
                f"{name} principal component, {share:.0%} of the variance"
                for name, share in zip(("first", "second"), shares, strict=True)
            )
            return places, (first, second)
        most = min(_COMPONENTS, *features_NF.shape)
        components = PCA(most, svd_solver="full").fit_transform(features_NF)
        perplexity = min(_PERPLEXITY, (len(features_NF) - 1) / 3.0)
        tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=0)
        return tsne.fit_transform(components), ("t-SNE, first axis (no unit)", "t-SNE, second axis (no unit)")


def _chart(
    title: str,
    points: _Points,
    real: NDArray[np.float64],
    generated: NDArray[np.float64],
    axes: tuple[str, str],
    method: str,
) -> Chart:
    shown = points.names[:_MOST_COLOURS]
    palette = matplotlib.colormaps["tab10" if len(shown) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    colours = np.array([*palette[: len(shown)], (0.6, 0.6, 0.6)])

    def of(numbers: Tensor) -> list[tuple[float, float, float]]:
        return [tuple(colours[number]) for number in numbers.clamp(max=len(shown)).tolist()]

    with styled():
        figure = Figure(figsize=(8.0, 6.2), layout="constrained")
        panel = figure.subplots()
        panel.scatter(
            real[:, 0], real[:, 1], s=26, facecolors="none", edgecolors=of(points.real_colours), linewidths=1.1
        )
        panel.scatter(
            generated[:, 0], generated[:, 1], s=22, marker="x", c=of(points.generated_colours), linewidths=1.1
        )
        panel.set_xlabel(axes[0])
        panel.set_ylabel(axes[1])
        if method == "tsne":
            panel.tick_params(labelbottom=False, labelleft=False, length=0)
        words = f"{title}: {len(real):,} held-out and {len(generated):,} generated pictures by {points.features}"
        figure.suptitle("\n".join(textwrap.wrap(words, 84)), x=0.01, ha="left", fontsize=11)
        _legend(panel, points, shown, colours)
    return Chart(figure)


def _legend(panel: Any, points: _Points, shown: Sequence[str], colours: NDArray[np.float64]) -> None:
    def mark(marker: str, colour: Any, words: str, **more: Any) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, color=colour, label=words, **more)

    if points.told:
        handles = [
            mark("o", "#444444", "real, held-out", markerfacecolor="none"),
            mark("x", "#444444", f"generated, {points.told}"),
            *(mark("s", colour, name) for name, colour in zip(shown, colours, strict=False)),
        ]
    else:
        handles = [
            mark("o", colours[0], "real, held-out", markerfacecolor="none"),
            mark("x", colours[1], "generated"),
        ]
    if len(shown) < len(points.names):
        handles.append(mark("s", colours[-1], f"{len(points.names) - len(shown)} others"))
    panel.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
