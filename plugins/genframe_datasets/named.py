"""MNIST, Fashion-MNIST, CIFAR-10 and SVHN, read from the files in which their authors published them.

Each has a test part, which is what is held out.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genframe.errors import DataError
from genframe_datasets import NamedSettings
from genframe_datasets.idx import Pictures, read_parts
from genframe_datasets.located import located
from genframe_datasets.parted import PartedDataset
from genframe_datasets.pictures import in_memory
from genframe_datasets.published import CIFAR10, FASHION_MNIST, IDX_NAMES, MNIST, SVHN, PublishedSet

Array = NDArray[Any]
Files = Mapping[str, Path]

_PLANES = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def open_mnist(settings: NamedSettings) -> PartedDataset:
    """``image`` uint8 ``(1, 28, 28)`` and ``label``; 60,000 for training, 10,000 held out.

    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (1998).

    Raises:
        ConfigError: an image size that makes no sense.
        DataError: a file is missing and cannot be downloaded, is damaged, or is another than its name says.
    """
    return _opened(MNIST, settings, _idx_pictures)


def open_fashion_mnist(settings: NamedSettings) -> PartedDataset:
    """``image`` uint8 ``(1, 28, 28)`` and ``label``; 60,000 for training, 10,000 held out.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST" (arXiv:1708.07747, 2017).

    Raises:
        ConfigError: an image size that makes no sense.
        DataError: a file is missing and cannot be downloaded, is damaged, or is another than its name says.
    """
    return _opened(FASHION_MNIST, settings, _idx_pictures)


def open_cifar10(settings: NamedSettings) -> PartedDataset:
    """``image`` uint8 ``(3, 32, 32)`` and ``label``; 50,000 for training, 10,000 held out.

    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009); its binary version, packed or not.

    Raises:
        ConfigError: an image size that makes no sense.
        DataError: a file is missing and cannot be downloaded, is damaged, or is another than its name says.
    """
    return _opened(CIFAR10, settings, _cifar_pictures)


def open_svhn(settings: NamedSettings) -> PartedDataset:
    """``image`` uint8 ``(3, 32, 32)`` and ``label``; 73,257 for training, 26,032 held out.

    Y. Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning" (2011); cropped digits.

    Raises:
        ConfigError: an image size that makes no sense.
        DataError: a file is missing and cannot be downloaded, is damaged, or is another than its name says.
    """
    return _opened(SVHN, settings, _svhn_pictures)


def _opened(record: PublishedSet, settings: NamedSettings, read: Callable[[Files], Pictures]) -> PartedDataset:
    pictures = read(located(record, settings.data_dir))
    heldout = torch.arange(len(pictures.images)) >= pictures.train
    return in_memory(pictures.images, pictures.labels, record.classes, heldout, settings)


def _idx_pictures(files: Files) -> Pictures:
    train_images, train_labels, test_images, test_labels = (files[name] for name in IDX_NAMES)
    return read_parts([(train_images, train_labels), (test_images, test_labels)])


def _cifar_pictures(files: Files) -> Pictures:
    """Records of a label and three planes of pixels, the training part first."""
    archive = files.get(CIFAR10.files[0].name)
    records = list(_archived(archive) if archive else _loose(files))
    return _joined([(part[:, 1:].reshape(-1, *_PLANES), part[:, 0]) for part in records], len(records) - 1)


def _archived(archive: Path) -> Iterator[Array]:
    """The records of each file in the archive, whose content has been recognised; nothing is unpacked to disk."""
    with tarfile.open(archive) as tar:
        for file in CIFAR10.loose:
            member = tar.extractfile(f"{CIFAR10.folder}/{file.name}")
            assert member is not None, "the published archive has this file"
            yield np.frombuffer(member.read(file.size), dtype=np.uint8).reshape(-1, _RECORD)


def _loose(files: Files) -> Iterator[Array]:
    """The records of each file. No digest is known of some, but each class has its share of the training part."""
    counts = np.zeros(256, dtype=np.int64)
    for file in CIFAR10.loose[:-1]:
        records = np.fromfile(files[file.name], dtype=np.uint8).reshape(-1, _RECORD)
        counts += np.bincount(records[:, 0], minlength=256)
        yield records
    share = sum(counts) // len(CIFAR10.classes)
    if any(counts[: len(CIFAR10.classes)] != share) or any(counts[len(CIFAR10.classes) :]):
        folder = files[CIFAR10.loose[0].name].parent
        raise DataError(
            f"{folder} does not hold {share:,} training pictures of each class as CIFAR-10 does; get it anew"
        )
    yield np.fromfile(files[CIFAR10.loose[-1].name], dtype=np.uint8).reshape(-1, _RECORD)


def _svhn_pictures(files: Files) -> Pictures:
    """MATLAB's arrays: ``X (32, 32, 3, N)``, and ``y (N, 1)`` where 10 stands for the digit 0."""
    from scipy.io import loadmat  # slow to import, and no other set needs it

    parts = [loadmat(files[file.name], variable_names=["X", "y"]) for file in SVHN.files]
    return _joined([(part["X"].transpose(3, 2, 0, 1), part["y"].ravel() % 10) for part in parts], 1)


def _joined(parts: Sequence[tuple[Array, Array]], train_parts: int) -> Pictures:
    counts = [len(labels) for _, labels in parts]
    pixels = np.empty((sum(counts), *_PLANES), dtype=np.uint8)
    np.concatenate([images for images, _ in parts], out=pixels)
    labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]).astype(np.int64))
    return Pictures(images=torch.from_numpy(pixels), labels=labels, train=sum(counts[:train_parts]))
