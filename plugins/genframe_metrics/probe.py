"""What the critic has learnt to see, by how well a linear classifier reads real labels from its features.

Radford et al., "Unsupervised representation learning with deep convolutional generative adversarial networks" (2016),
section 5: the features of all convolutions, max-pooled to 4x4, and a linear L2-SVM (squared hinge) on top that learns
from few labels. Each feature is centred and divided by its deviation first; C is chosen on a fifth of the labelled
samples, and then all of them are learnt from.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from torch import Tensor

from genframe.analysis.fields import image_name, in_batches, label_name
from genframe.analysis.intervals import Interval, bootstrap_mean, of_seeds, wilson
from genframe.analysis.labelled import check_positive
from genframe.analysis.strata import stratified
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Dataset, Measurement, RunView
from genframe.memory import refuse_too_large
from genframe_metrics.probe_features import MAKERS, Features
from genframe_metrics.settings import ProbeSettings

#: For features whose squares sum to about 1.
_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)

#: A fifth of the labelled samples is for the choice of C.
_FIFTH = 5

_FEWEST = 2 * _FIFTH

_CHUNK = 256

#: liblinear has an index and a number for each feature of each sample, beside ours and NumPy's.
_BYTES_A_FEATURE = 32


class LinearProbe:
    """A fraction of the real held-out pictures; of labels that are not exclusive, the mean over labels."""

    def __init__(self, settings: ProbeSettings) -> None:
        check_positive("linear-probe", reference=settings.reference, repeats=settings.repeats)
        if settings.labels and settings.labels < _FEWEST:
            raise ConfigError(
                f"the metric 'linear-probe' got labels = {settings.labels}; at least {_FEWEST} are needed, or 0 for all"
            )
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run has no critic of pictures that can be asked, the data has no classes or labels, or the
                features do not fit in memory.
            DataError: the data is not there or is not what the run was trained on, is too small, or has one class only.
        """
        settings, dataset = self._settings, view.dataset()
        if view.trained.problem.output.kind != "image":
            raise ConfigError("the metric 'linear-probe' is of pictures, and this run generates none")
        image, label = image_name(dataset, view.trained.problem), label_name(dataset, ("class", "multilabel"))
        if not label:
            raise ConfigError("the metric 'linear-probe' reads classes or labels, and the run's data has none")
        train, heldout = dataset.split("train"), dataset.split("heldout")
        train_labels, heldout_labels = _labels(train, label), _labels(heldout, label)[: settings.reference]
        features = MAKERS[settings.features](view, train, image)
        queries_QF = _embedded(features, heldout, image, torch.arange(len(heldout_labels)))
        probes: list[_Probe] = []
        right: list[Tensor] = []
        for repeat in range(settings.repeats):
            chosen = self._chosen(train_labels, repeat, queries_QF.shape[1])
            probes.append(_Probe(_embedded(features, train, image, chosen), train_labels[chosen]))
            right.append((probes[-1].predict(queries_QF) == heldout_labels).double().mean(1))
        interval, how = _interval(right, heldout_labels.shape[1])
        return Measurement(
            value=float(torch.stack(right).mean()),
            interval=interval,
            protocol={
                "of": settings.features,
                "features": queries_QF.shape[1],
                "labelled_samples": settings.labels or len(train_labels),
                "repeats": settings.repeats,
                "choice_of_labelled_samples": settings.seed,
                "reference": "held-out",
                "reference_samples": len(heldout_labels),
                "classifier": "linear L2-SVM",
                "C": ", ".join(f"{probe.penalty:g}" for probe in probes),
                "interval": how,
                **features.protocol,
            },
        )

    def _chosen(self, labels_NL: Tensor, repeat: int, features: int) -> Tensor:
        """Which training samples are labelled, ``int64``."""
        count = self._settings.labels or len(labels_NL)
        if count > len(labels_NL) or count < _FEWEST:
            raise DataError(
                f"the metric 'linear-probe' is to learn from {count} labelled training samples, and the run's data has "
                f"{len(labels_NL)}; {_FEWEST} or more are needed: take fewer with --set labels=NUMBER, or more data"
            )
        advice = "take fewer with --set labels=NUMBER"
        refuse_too_large(_BYTES_A_FEATURE * count * features, f"{features:,} features of {count:,} samples", advice)
        purpose = f"linear-probe {self._settings.seed} {repeat}"
        return stratified(_strata(labels_NL), count, purpose).nonzero()[:, 0]


class _Probe:
    """A linear classifier of each label.

    Args:
        known_NF: features.
        labels_NL: classes ``int64 (N, 1)``, or labels 0 and 1.

    Raises:
        DataError: all samples are of one class.
    """

    def __init__(self, known_NF: Tensor, labels_NL: Tensor) -> None:
        if (labels_NL == labels_NL[0]).all():
            raise DataError(
                "the metric 'linear-probe' tells classes apart, and the labelled training samples are of one class "
                "only: take more with --set labels=NUMBER"
            )
        self._mean_F = known_NF.mean(0)
        deviation_F = known_NF.std(0)
        deviation_F[deviation_F == 0] = 1.0
        self._scale_F = deviation_F * math.sqrt(known_NF.shape[1])
        rows_NF = self._scaled(known_NF)
        tested = stratified(_strata(labels_NL), len(labels_NL) // _FIFTH, "linear-probe C")

        def accuracy(penalty: float) -> float:
            columns = [_Column(rows_NF[~tested], labels_N[~tested], penalty) for labels_N in labels_NL.T]
            found_VL = torch.stack([column.predict(rows_NF[tested]) for column in columns], dim=1)
            return float((found_VL == labels_NL[tested]).double().mean())

        self.penalty = max(_PENALTIES, key=accuracy)  # the least of equal ones
        self._columns = [_Column(rows_NF, labels_N, self.penalty) for labels_N in labels_NL.T]

    def predict(self, queries_QF: Tensor) -> Tensor:
        """``int64 (Q, L)``."""
        rows_QF = self._scaled(queries_QF)
        return torch.stack([column.predict(rows_QF) for column in self._columns], dim=1)

    def _scaled(self, values_NF: Tensor) -> Tensor:
        return (values_NF - self._mean_F) / self._scale_F


class _Column:
    """One label, learnt by scikit-learn; the same for all where the known samples are."""

    def __init__(self, rows_NF: Tensor, labels_N: Tensor, penalty: float) -> None:
        self._only = int(labels_N[0])
        self._svm = None
        if (labels_N != labels_N[0]).any():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # C is chosen by what comes out, not by the optimum
                self._svm = LinearSVC(C=penalty, random_state=0).fit(rows_NF.numpy(), labels_N.numpy())

    def predict(self, rows_QF: Tensor) -> Tensor:
        """``int64 (Q,)``."""
        if self._svm is None:
            return torch.full((len(rows_QF),), self._only)
        return torch.from_numpy(self._svm.predict(rows_QF.numpy()))


def _labels(part: Dataset, label: str) -> Tensor:
    """``int64 (N, L)``: one column for a class.

    Raises:
        DataError: the part is empty.
    """
    batches = [batch[label] for batch in in_batches(part, len(part))]
    if not batches:
        raise DataError("the metric 'linear-probe' learns from the training part and is tested on the held-out part, "
                        "and one of them is empty: add samples")  # fmt: skip
    labels = torch.cat(batches)
    return labels.reshape(len(labels), -1).long()


def _strata(labels_NL: Tensor) -> Tensor:
    """What is kept in proportion: the class, where there is one."""
    return labels_NL[:, 0] if labels_NL.shape[1] == 1 else torch.zeros(len(labels_NL), dtype=torch.int64)


def _embedded(features: Features, part: Dataset, image: str, members: Tensor) -> Tensor:
    """``float32 (len(members), F)``."""

    def chunks() -> Iterator[Tensor]:
        for some in torch.split(members, _CHUNK):
            yield features(part.read(some.tolist(), epoch=0, seed=0)[image])

    return torch.cat(list(chunks()))


def _interval(right: list[Tensor], labels: int) -> tuple[Interval | None, str]:
    """From how much of each held-out sample was right, ``(Q,)`` a repeat; and how."""
    if len(right) > 1:
        return of_seeds([float(each.mean()) for each in right]), "Student's t 95% of the repeats' mean"
    if labels > 1:
        return bootstrap_mean(right[0], "linear-probe"), "bootstrap 95%, 1,000 resamples of the held-out samples"
    return wilson(int(right[0].sum()), len(right[0])), "Wilson 95% of the held-out samples"
