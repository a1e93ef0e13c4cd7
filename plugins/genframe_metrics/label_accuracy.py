"""Whether a sample is what its label says, in the eyes of a classifier that learnt from real data."""

from __future__ import annotations

from genframe.analysis.classifier import classifier_for
from genframe.analysis.fields import image_name
from genframe.analysis.intervals import wilson
from genframe.analysis.labelled import check_positive, generated, label_name
from genframe.errors import DataError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.settings import AccuracySettings


class LabelAccuracy:
    """A fraction of the generated samples; the classifier is `genframe.analysis.classifier`'s."""

    def __init__(self, settings: AccuracySettings) -> None:
        check_positive("label-accuracy", count=settings.count)
        self._count = settings.count

    def measure(self, view: RunView) -> Measurement:
        """The figure; its protocol says how good the classifier is on real held-out data.

        Raises:
            ConfigError: the run does not generate pictures from one class.
            DataError: the run's data is not there, is not what it was trained on, or knows one class only.
        """
        problem = view.trained.problem
        label = label_name(problem, "label-accuracy")
        dataset = view.dataset()
        image = image_name(dataset, problem)
        if dataset.fields.get(label) != problem.condition[label]:
            raise DataError(
                f"the dataset has {', '.join(dataset.fields)}, and not the classes '{label}' that the run generates "
                "from: evaluate on the data that the run was trained on"
            )
        classifier = classifier_for(dataset, image, label)
        rows, labels = generated(view, self._count, label)
        right = classifier.predict(rows.view(-1, *problem.output.shape)) == labels
        return Measurement(
            value=float(right.double().mean()),
            interval=wilson(int(right.sum()), len(right)),
            protocol={
                "samples": self._count,
                **classifier.protocol,
                "interval": "Wilson 95% of the samples",
                "seed": view.seed,
                "batch_norm": "running",
            },
        )
