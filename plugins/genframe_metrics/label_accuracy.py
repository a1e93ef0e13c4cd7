"""Whether a sample is what its label says, in the eyes of a classifier that learnt from real data."""

from __future__ import annotations

import torch
from sklearn.svm import SVC
from torch import Tensor

from genframe.analysis.strata import stratified
from genframe.errors import DataError
from genframe.interfaces import Dataset, Measurement, RunView
from genframe_metrics import AccuracySettings
from genframe_metrics.labelled import check_positive, generated, label_name, real

_CHUNK = 1024


class LabelAccuracy:
    """A fraction of the generated samples; the classifier is an SVM with an RBF kernel on raw pixels."""

    def __init__(self, settings: AccuracySettings) -> None:
        check_positive("label-accuracy", count=settings.count, training=settings.training)
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure; its protocol says how good the classifier is on real held-out data.

        Raises:
            ConfigError: the run does not generate pictures from one class.
            DataError: the run's data is not there, or knows one class only.
        """
        label = label_name(view.trained.problem, "label-accuracy")
        dataset = view.dataset()
        known, known_labels = _training_part(dataset.split("train"), view, label, self._settings.training)
        classifier = PixelSVM(known, known_labels)
        return Measurement(
            value=_accuracy(classifier, *generated(view, self._settings.count, label)),
            protocol={
                "samples": self._settings.count,
                "classifier": "SVM, RBF kernel, C=10, raw pixels",
                "classifier_training": len(known),
                "classifier_accuracy": _accuracy(classifier, *real(dataset.split("heldout"), view, label)),
                "seed": view.seed,
                "batch_norm": "running",
            },
        )


def _training_part(dataset: Dataset, view: RunView, label: str, most: int) -> tuple[Tensor, Tensor]:
    pixels, labels = real(dataset, view, label)
    if len(labels) > most:
        chosen = stratified(labels, most, "label-accuracy training")
        pixels, labels = pixels[chosen], labels[chosen]
    if len(set(labels.tolist())) < 2:
        raise DataError("the metric 'label-accuracy' tells classes apart, and the training part holds one class only")
    return pixels, labels


def _accuracy(classifier: PixelSVM, pixels: Tensor, labels: Tensor) -> float:
    return float((classifier.predict(pixels) == labels).double().mean())


class PixelSVM:
    """scikit-learn's SVC with ``gamma="scale"`` and C = 10, its kernel computed here: matrix products are much faster.

    Args:
        pixels: ``uint8 (N, D)``.
        labels: ``int64 (N,)``.
    """

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        self._known = pixels.double()
        self._gamma = 1.0 / (pixels.shape[1] * max(float(self._known.var(correction=0)), 1e-12))
        # Without a seed, scikit-learn draws one from numpy's global generator, and then has no use for it.
        svc = SVC(kernel="precomputed", C=10.0, random_state=0)
        self._svc = svc.fit(self._kernel(pixels).numpy(), labels.numpy())

    def predict(self, pixels: Tensor) -> Tensor:
        """``int64 (N,)``."""
        parts = [self._svc.predict(self._kernel(part).numpy()) for part in torch.split(pixels, _CHUNK)]
        return torch.cat([torch.from_numpy(part) for part in parts])

    def _kernel(self, pixels: Tensor) -> Tensor:
        queries = pixels.double()
        squares = queries.square().sum(1)[:, None] + self._known.square().sum(1) - 2.0 * queries @ self._known.T
        return squares.mul_(-self._gamma).exp_()
