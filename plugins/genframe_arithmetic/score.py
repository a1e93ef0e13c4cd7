"""How often arithmetic of z gives the attributes that were asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.analysis.arithmetic import Score, read, reader_of, scored, triples
from genframe.analysis.classifier import TrainedClassifier, classifier_for
from genframe.analysis.fields import first_of, image_name, label_name
from genframe.analysis.intervals import wilson
from genframe.analysis.latent import check_latent
from genframe.errors import ConfigError, DataError, nearest, quoted
from genframe.interfaces import Measurement, RunView
from genframe_arithmetic import ArithmeticScoreSettings


class ArithmeticScore:
    """The fraction of questions ``A - B + C`` whose result shows exactly what was wanted; see `triples`.

    The questions are those that the held-out part suggests, the same for every run on the same data. The protocol has
    what random samples in the place of A and B reach, and how good the classifier is: a perfect result of eleven
    attributes is read as such only where it reads all eleven rightly.
    """

    def __init__(self, settings: ArithmeticScoreSettings) -> None:
        for name, value in (("count", settings.count), ("average", settings.average)):
            if value < 1:
                raise ConfigError(f"the metric 'arithmetic-score' got {name} = {value}; at least 1 is needed")
        if settings.samples < 2 * settings.average:
            raise ConfigError(
                f"the metric 'arithmetic-score' got samples = {settings.samples}; at least {2 * settings.average} are "
                "needed, and 2048 are the default"
            )
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run generates without noise or no single pictures, or its data has no such labels.
            DataError: the run's data is not there, or suggests no question.
        """
        check_latent(view, "the metric 'arithmetic-score'")
        dataset, problem, settings = view.dataset(), view.trained.problem, self._settings
        label = label_name(dataset, {"multilabel"})
        if not label:
            raise ConfigError(
                "the metric 'arithmetic-score' asks for attributes, and this run's data has no field of several "
                f"labels; it has {quoted(dataset.fields)}: leave the metric out"
            )
        classifier = classifier_for(dataset, image_name(dataset, problem), label)
        counted_K = _counted(classifier, settings.attributes)
        heldout = dataset.split("heldout")
        asked = triples(first_of(heldout, label, len(heldout))[:, counted_K] > 0.5, settings.count)
        if not asked:
            raise DataError(
                "the metric 'arithmetic-score' asks for an attribute that is had and lacked on two bases, and the "
                "held-out part holds no such samples: count other attributes"
            )
        every = reader_of(classifier)

        def reader(images_NCHW: Tensor) -> Tensor:
            return every(images_NCHW)[:, counted_K]

        score = scored(view, reader, read(view, reader, settings.samples), asked, settings.average)
        return Measurement(
            value=_share(score.right),
            interval=wilson(int(score.right.sum()), len(asked)),
            protocol={
                **self._asked(classifier, counted_K),
                **_outcome(score),
                **classifier.protocol,
                "seed": view.seed,
                "batch_norm": "running",
            },
        )

    def _asked(self, classifier: TrainedClassifier, counted: Tensor) -> dict[str, str | int]:
        names = [name for name, counts in zip(classifier.field.classes, counted.tolist(), strict=True) if counts]
        return {
            "triples": self._settings.count,
            "interval": "Wilson 95% of the triples",
            "samples": self._settings.samples,
            "average": self._settings.average,
            "attributes": ", ".join(names),
        }


def _counted(classifier: TrainedClassifier, names: tuple[str, ...]) -> Tensor:
    """Which attributes count, ``bool (K,)``."""
    labels = classifier.field.classes
    unknown = [name for name in names if name not in labels]
    if unknown:
        raise ConfigError(
            f"the metric 'arithmetic-score' got the attribute '{unknown[0]}'; the data has {quoted(labels)}."
            f"{nearest(unknown[0], labels)}"
        )
    return torch.tensor([not names or label in names for label in labels])


def _outcome(score: Score) -> dict[str, float]:
    return {
        "enough_samples": _share(score.shown),
        "right_where_enough": _share(score.right[score.shown]) if score.shown.any() else 0.0,
        "attribute_gained": _share(score.gained),
        "random_triples": _share(score.right_randomly),
        "random_triples_gained": _share(score.gained_randomly),
    }


def _share(outcomes: Tensor) -> float:
    return float(outcomes.double().mean())
