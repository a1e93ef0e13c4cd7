"""A classifier of real pictures that is independent of every run: what metrics and visualizers judge samples with.

It learns from the training part of a dataset alone, by a recipe that depends on the data's size and on nothing else,
so that two runs on the same data are judged by the same classifier. Its last hidden layer is a space in which pictures
can be compared; distances there are no FID, which is of Inception's features.

A small convolutional network: 3x3 convolutions with BatchNorm and ReLU, each of which halves the picture until its
longer side is 4 to 7 pixels, a dense layer of `FEATURES`, and one output a class or label. It reads 99.0% of MNIST's
test digits and 98.3% of the held-out digits of 8x8.

It is trained once: the weights lie in a file under ``GENFRAME_CACHE`` (else ``~/.cache/genframe``) that is named by
the SHA-256 of the data and of the recipe.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from genframe.errors import ConfigError, DataError, StorageError, quoted
from genframe.interfaces import Dataset
from genframe.randomness import derive_key, seeded_generator
from genframe.rundir.files import write_atomically
from genframe.shapes import Field

#: The width of the feature layer.
FEATURES = 128

#: Larger pictures are averaged down by a whole factor, so that the work does not grow with them.
MOST_SIDE = 64

#: Counts up with every change that gives other weights; part of the name of the file.
_RECIPE = "genframe classifier 1"

_BATCH, _RATE, _WIDTH, _MOST_WIDTH = 128, 4e-3, 16, 128

#: Pictures are read and classified so many at a time.
_CHUNK = 256

#: By the digest of what each learnt from; see `classifier_for`.
_trained: dict[str, TrainedClassifier] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedClassifier:
    """A classifier that has learnt.

    Attributes:
        field: of the labels that it tells, of kind ``class`` or ``multilabel``, with K classes or labels.
        training: how many samples it learnt from.
        accuracy: on the held-out part; of a multilabel field, the mean over labels and samples.
        network: in evaluation mode; its last layer makes logits of features.
    """

    field: Field
    training: int
    accuracy: float
    network: nn.Sequential

    @property
    def features(self) -> int:
        """The width F of what `embed` gives."""
        return FEATURES

    @property
    def protocol(self) -> Mapping[str, str | int | float]:
        """What the protocol of a measurement says of the classifier."""
        return {
            "classifier": f"convolutional network, {FEATURES} features, trained on the real training part",
            "classifier_training": self.training,
            "classifier_accuracy": self.accuracy,
        }

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """The features of ``uint8`` pictures: ``float32 (N, F)`` on the CPU, none negative."""
        return self._through(self.network[:-1], images_NCHW, FEATURES)

    def logits(self, images_NCHW: Tensor) -> Tensor:
        """``float32 (N, K)`` on the CPU: of classes before the softmax, of labels before the sigmoid."""
        return self._through(self.network, images_NCHW, self.field.width)

    def predict(self, images_NCHW: Tensor) -> Tensor:
        """``int64 (N,)``, the likeliest class; of a multilabel field ``bool (N, K)``, the labels that are likely."""
        logits_NK = self.logits(images_NCHW)
        return logits_NK.argmax(1) if self.field.kind == "class" else logits_NK > 0

    @staticmethod
    def _through(layers: nn.Module, images_NCHW: Tensor, width: int) -> Tensor:
        result_NX = torch.empty(len(images_NCHW), width)
        with _one_thread(), torch.inference_mode():
            for first in range(0, len(images_NCHW), _CHUNK):
                part = slice(first, first + _CHUNK)
                result_NX[part] = layers(_prepared(images_NCHW[part]))
        return result_NX


def classifier_for(dataset: Dataset, image: str, label: str) -> TrainedClassifier:
    """The classifier of a dataset, trained where it is not known yet: minutes for large sets, seconds for digits.

    The samples are read as the first epoch with seed 0 has them: where the dataset augments its training part, the
    classifier learns from augmented pictures, the same ones at each epoch. Held-out pictures are as they are.

    Args:
        dataset: with both parts.
        image: the field of the pictures.
        label: the field of what it learns to tell, of kind ``class`` or ``multilabel``.

    Raises:
        ConfigError: the fields are not of these kinds.
        DataError: a part is empty, or the training part holds one class only.
    """
    fields = dataset.fields
    if image not in fields or fields[image].kind != "image":
        raise ConfigError(
            f"a classifier reads a field of pictures, and '{image}' is none of the data's {_named(fields)}"
        )
    if label not in fields or fields[label].kind not in ("class", "multilabel"):
        raise ConfigError(
            f"a classifier learns a field of classes or of labels, and '{label}' is none of the data's {_named(fields)}"
        )
    parts = _Part(dataset.split("train"), image, label), _Part(dataset.split("heldout"), image, label)
    digest = _digest(*parts)
    if digest not in _trained:
        path = _folder() / f"{digest}.safetensors"
        _trained[digest] = _read(path, parts[0]) or _trained_anew(path, *parts)
    return _trained[digest]


class _Part:
    """Pictures and labels of one part of a dataset."""

    def __init__(self, dataset: Dataset, image: str, label: str) -> None:
        self._dataset, self._image, self._label = dataset, image, label
        self.shape, self.field = dataset.fields[image].shape, dataset.fields[label]
        if not len(dataset):
            raise DataError(
                "a classifier learns from the training part and is tested on the held-out part, and one of them is "
                "empty: add samples"
            )

    def __len__(self) -> int:
        return len(self._dataset)

    def at(self, indices: list[int] | range) -> tuple[Tensor, Tensor]:
        """``uint8 (B, C, H, W)`` and the labels, ``int64 (B,)`` or ``float32 (B, K)``."""
        batch = self._dataset.read(indices, epoch=0, seed=0)
        return batch[self._image], batch[self._label]

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All of it, in order."""
        for first in range(0, len(self), _CHUNK):
            yield self.at(range(first, min(first + _CHUNK, len(self))))


def _named(fields: Mapping[str, Field]) -> str:
    return quoted(f"{name} ({field.kind})" for name, field in fields.items())


def _digest(train: _Part, heldout: _Part) -> str:
    """The SHA-256 of the recipe and of all pixels and labels of both parts."""
    digest = hashlib.sha256(repr((_RECIPE, len(train), train.shape, train.field.kind, train.field.width)).encode())
    for part in (train, heldout):
        for images, labels in part.chunks():
            digest.update(images.contiguous().numpy().tobytes())
            digest.update(labels.contiguous().numpy().tobytes())
    return digest.hexdigest()


# Training


def _trained_anew(path: Path, train: _Part, heldout: _Part) -> TrainedClassifier:
    _check_tells_apart(train)
    network = _network(train.shape, train.field.width)
    with _one_thread(), torch.enable_grad():
        _fit(network, train)
    untested = TrainedClassifier(field=train.field, training=len(train), accuracy=math.nan, network=network)
    classifier = replace(untested, accuracy=_accuracy(untested, heldout))
    _write(path, classifier)
    return classifier


def _check_tells_apart(train: _Part) -> None:
    seen = {tuple(row) for _, labels in train.chunks() for row in labels.reshape(len(labels), -1).tolist()}
    if len(seen) < 2:
        raise DataError(
            "a classifier tells classes apart, and the training part holds one class only: add samples of others"
        )


def _network(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """With fresh weights (He et al., 2015) from a generator of its own."""
    channels, *size = shape
    factor = math.ceil(max(size) / MOST_SIDE)
    size = [math.ceil(side / factor) for side in size]
    halvings = max(1, int(math.log2(max(*size, 8) / 4)))
    strides = [2] * halvings if halvings > 1 else [1, 2]
    with torch.device("meta"):  # layers draw weights from the global generator where they have memory
        layers: list[nn.Module] = [nn.AdaptiveAvgPool2d((size[0], size[1]))] if factor > 1 else []
        for place, stride in enumerate(strides):
            width = min(_WIDTH * 2**place, _MOST_WIDTH)
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels, size = width, [math.ceil(side / stride) for side in size]
        flat = channels * math.prod(size)
        layers += [nn.Flatten(), nn.Linear(flat, FEATURES, bias=False), nn.BatchNorm1d(FEATURES), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Linear(FEATURES, outputs))
    draw_weights(network.to_empty(device="cpu"), seeded_generator(derive_key(0, "classifier weights")))
    return network.eval()


def draw_weights(network: nn.Module, rng: torch.Generator) -> None:
    """Gives a network fresh weights (He et al., 2015), biases of 0, and BatchNorms as they begin.

    Args:
        network: on the CPU.
        rng: where everything random comes from; layers themselves would draw from the global generator.
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_parameters()
            continue
        for values in layer.parameters(recurse=False):
            if values.ndim > 1:
                nn.init.kaiming_normal_(values, nonlinearity="relu", generator=rng)
            else:
                nn.init.zeros_(values)


def _fit(network: nn.Sequential, train: _Part) -> None:
    """Adam with a rate that falls to nothing, over `_samples_seen` pictures."""
    loss_of = functional.cross_entropy if train.field.kind == "class" else functional.binary_cross_entropy_with_logits
    batch = min(_BATCH, len(train))
    steps = math.ceil(_samples_seen(len(train)) / batch)
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    network.train()
    for step, indices in zip(range(steps), _shuffled(len(train), batch), strict=False):
        optimizer.param_groups[0]["lr"] = _RATE * (1.0 - step / steps)
        images, labels = train.at(indices)
        loss = loss_of(network(_prepared(images)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval().requires_grad_(False)


def _samples_seen(count: int) -> int:
    """Twenty epochs; of large sets three of MNIST's and at least one, of small ones 30,000 pictures."""
    return min(max(20 * count, 30_000), max(count, 180_000))


def _shuffled(count: int, batch: int) -> Iterator[list[int]]:
    """Whole batches without end, each epoch in another order."""
    rng = seeded_generator(derive_key(0, "classifier order"))
    while True:
        order = torch.randperm(count, generator=rng)[: count - count % batch]
        for indices in torch.split(order, batch):
            yield indices.tolist()


def _accuracy(classifier: TrainedClassifier, heldout: _Part) -> float:
    right = [(classifier.predict(images) == labels).flatten() for images, labels in heldout.chunks()]
    return float(torch.cat(right).double().mean())


def _prepared(images_BCHW: Tensor) -> Tensor:
    return images_BCHW.float() / 127.5 - 1.0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are added in the same order on every number of cores, so that the weights and features are the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# The file


def _folder() -> Path:
    return Path(os.path.expanduser(os.environ.get("GENFRAME_CACHE") or "~/.cache/genframe")) / "classifiers"


def _write(path: Path, classifier: TrainedClassifier) -> None:
    tensors = classifier.network.state_dict() | {"accuracy": torch.tensor(classifier.accuracy, dtype=torch.float64)}
    content = save(tensors | {"sha256": _sum_of(tensors)})
    with suppress(OSError, StorageError):  # where nothing can be kept, it is trained again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def _read(path: Path, train: _Part) -> TrainedClassifier | None:
    """What the file holds; None where there is none, or where it is damaged."""
    network = _network(train.shape, train.field.width)
    try:
        tensors = load(path.read_bytes())
        if not torch.equal(tensors.pop("sha256"), _sum_of(tensors)):
            return None
        accuracy = float(tensors.pop("accuracy"))
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, RuntimeError, ValueError):
        return None
    network.requires_grad_(False)
    return TrainedClassifier(field=train.field, training=len(train), accuracy=accuracy, network=network)


def _sum_of(tensors: Mapping[str, Tensor]) -> Tensor:
    """``uint8 (32,)``: the SHA-256 of the tensors, because safetensors does not notice a flipped bit."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)
