"""The endless stream of batches. Its order is a function of (seed, epoch) alone, never of timing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from genframe.data_info import refuse_unlike
from genframe.errors import ConfigError, DataError, GenframeError
from genframe.interfaces import Batch, Dataset
from genframe.randomness import derive_key
from genframe.shapes import Field

_Request = tuple[int, Sequence[int]]


def batches_per_epoch(samples: int, batch_size: int) -> int:
    """How many full batches an epoch has; what is left over is in another epoch's batches.

    Raises:
        ConfigError: there are fewer samples than one batch.
    """
    if samples < batch_size:
        raise ConfigError(
            f"--batch-size {batch_size} is more than the {samples} training samples: take at most {samples}"
        )
    return samples // batch_size


def as_declared(stream: Iterator[Batch], fields: Mapping[str, Field]) -> Iterator[Batch]:
    """The same batches; the first of them is looked at.

    Raises:
        DataError: it is not as the dataset declares it.
    """
    first = next(stream)
    refuse_unlike(first, fields)
    yield first
    yield from stream


def batches(data: Dataset, *, batch_size: int, seed: int, workers: int = 0, first: int = 0) -> Iterator[Batch]:
    """The batches of steps `first`, `first` + 1, ... without end.

    Args:
        data: the training part.
        batch_size: samples a batch.
        seed: of the order and of random augmentation.
        workers: processes that read ahead; 0 reads here.
        first: the step to begin with.
    """
    requests = _requests(len(data), batch_size, seed, first)
    if workers == 0:
        for epoch, indices in requests:
            yield data.read(indices, epoch=epoch, seed=seed)
        return
    loader = DataLoader(
        _Reader(data, seed),
        sampler=_Requests(requests),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_run,
        # Every iterator of a loader draws from a generator, by default from the global one.
        generator=torch.Generator().manual_seed(0),
    )
    for batch in loader:
        if isinstance(batch, GenframeError):
            raise batch
        yield batch


@contextmanager
def reading_errors() -> Iterator[None]:
    """Turns the death of a reading process into a `DataError`. PyTorch raises wherever the run happens to be."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataError(f"a process that reads data died: {error}") from error


def _leave_signals_to_the_run(_worker: int) -> None:
    """A signal to the whole group asks the run to stop; its readers, in groups of their own, go when it goes."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()


def _requests(samples: int, batch_size: int, seed: int, first: int) -> Iterator[_Request]:
    per_epoch = batches_per_epoch(samples, batch_size)
    epoch, skip = divmod(first, per_epoch)
    while True:
        order = np.random.default_rng(derive_key(seed, "order", epoch)).permutation(samples).tolist()
        for start in range(skip * batch_size, per_epoch * batch_size, batch_size):
            yield epoch, order[start : start + batch_size]
        epoch, skip = epoch + 1, 0


class _Requests(torch.utils.data.Sampler[_Request]):
    def __init__(self, requests: Iterator[_Request]) -> None:
        self._requests = requests

    def __iter__(self) -> Iterator[_Request]:
        return self._requests


class _Reader(torch.utils.data.Dataset[Any]):
    def __init__(self, data: Dataset, seed: int) -> None:
        self._data = data
        self._seed = seed

    def __getitem__(self, request: _Request) -> Batch | GenframeError:
        epoch, indices = request
        try:
            return self._data.read(indices, epoch=epoch, seed=self._seed)
        except GenframeError as error:  # PyTorch would wrap it in the text of a traceback
            return error
