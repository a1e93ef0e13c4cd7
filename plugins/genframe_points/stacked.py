"""How many of the thousand modes of stacked digits a generator reaches, and how evenly.

Metz et al., "Unrolled generative adversarial networks" (2017), and Srivastava et al., "VEEGAN" (2017), count so: a
classifier of digits reads each colour by itself, and the three digits are the mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genframe.analysis.classifier import classifier_for
from genframe.analysis.fields import image_name
from genframe.analysis.labelled import check_positive, pixels
from genframe.errors import ConfigError
from genframe.interfaces import Batch, Dataset, Measurement, Part, RunView
from genframe.shapes import Field
from genframe_points import StackedSettings

#: As the dataset stacked-mnist names its classes.
_CLASSES = tuple(f"{number:03d}" for number in range(1000))

#: What a class number is divided by for the digit of each colour.
_PLACES = (100, 10, 1)


class StackedModes:
    """The share of the modes that some sample shows."""

    def __init__(self, settings: StackedSettings) -> None:
        check_positive("stacked-modes", count=settings.count, training=settings.training)
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Its protocol has the Kullback-Leibler divergence of the modes' shares from equal ones, in nats, and what that
        would be on average for as many samples of a perfect generator.

        Raises:
            ConfigError: the run makes no such pictures.
            DataError: the run's data is not there, or a sample is not finite.
        """
        classifier = classifier_for(self._digits(view), "image", "digit")
        problem, count = view.trained.problem, self._settings.count
        places_3 = torch.tensor(_PLACES)
        hits_K = torch.zeros(len(_CLASSES), dtype=torch.int64)
        for piece in view.stream(count):
            digits_N3 = classifier.predict(pixels(piece).view(-1, 1, *problem.output.shape[1:])).view(-1, 3)
            hits_K += torch.bincount((digits_N3 * places_3).sum(1), minlength=len(_CLASSES))
        shares_K = hits_K.double() / count
        return Measurement(
            value=float((hits_K > 0).double().mean()),
            protocol={
                "modes": len(_CLASSES),
                "covered": int((hits_K > 0).sum()),
                "kl_to_uniform": float(torch.special.xlogy(shares_K, shares_K * len(_CLASSES)).sum()),
                "kl_of_a_perfect_generator": (len(_CLASSES) - 1) / (2 * count),
                "samples": count,
                **classifier.protocol,
                "seed": view.seed,
                "batch_norm": "running",
            },
        )

    def _digits(self, view: RunView) -> _Digits:
        output = view.trained.problem.output
        dataset = view.dataset()
        labels = [name for name, field in dataset.fields.items() if field.classes == _CLASSES]
        if output.kind != "image" or output.shape[0] != len(_PLACES) or not labels:
            raise ConfigError(
                "the metric 'stacked-modes' reads a digit in each of three colours, and this run was not trained on "
                "such pictures: leave the metric out, or train on stacked-mnist"
            )
        image = image_name(dataset, view.trained.problem)
        return _Digits(dataset=dataset, image=image, label=labels[0], most=self._settings.training)


@dataclass(frozen=True, kw_only=True)
class _Digits:
    """The colours of stacked pictures, each a sample: ``image``, uint8 ``(1, H, W)``, and ``digit``.

    Attributes:
        dataset: of the stacked pictures.
        image, label: its fields.
        most: so many of its pictures count, the first ones.
    """

    dataset: Dataset
    image: str
    label: str
    most: int

    @property
    def fields(self) -> Mapping[str, Field]:
        """Of a single colour."""
        shape = (1, *self.dataset.fields[self.image].shape[1:])
        return {"image": Field(kind="image", shape=shape), "digit": Field(kind="class", classes=tuple("0123456789"))}

    def __len__(self) -> int:
        return len(_PLACES) * min(len(self.dataset), self.most)

    def split(self, part: Part) -> _Digits:
        """The colours of the pictures of that part."""
        return replace(self, dataset=self.dataset.split(part))

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        """Colour i is that of picture i // 3."""
        places_B = torch.tensor(indices, dtype=torch.int64)
        batch = self.dataset.read((places_B // len(_PLACES)).tolist(), epoch=epoch, seed=seed)
        colours_B = places_B % len(_PLACES)
        digits_B: Tensor = batch[self.label] // torch.tensor(_PLACES)[colours_B] % 10
        images_B1HW = batch[self.image][torch.arange(len(places_B)), colours_B][:, None]
        return {"image": images_B1HW, "digit": digits_B}
