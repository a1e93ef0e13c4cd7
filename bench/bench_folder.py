"""How fast a folder of 5,000 PNGs of 64x64 pixels feeds a training, beside tensors that were in memory all along.

    python -m pytest bench/bench_folder.py

All feed the same steps of the default recipe, in turn; what counts is the ratio of their speeds. The folder is decoded
once into memory (that is its first epoch), or over and over by two processes. How many pictures come where nothing
trains is reported, too: the room that is left for faster training.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genframe.assembly import assemble
from genframe.interfaces import Batch
from genframe.options import configure
from genframe.registry import load_registry
from genframe.shapes import Field
from genframe.training.batches import batches
from genframe.training.trainer import Trainer
from genframe_datasets import FolderSettings
from genframe_datasets.augment import Augment
from genframe_datasets.folder.opening import open_folder
from genframe_datasets.parted import Memory, PartedDataset, tenth

PICTURES, SIDE, CLASSES, BATCH = 5000, 64, 10, 64

#: Steps between two looks at the clock, and how often each feed has its turn.
STEPS, ROUNDS = 3, 9

#: Batches where nothing trains.
BARE = 100


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures with some noise, about as hard to decode as photographs, in ten classes."""
    folder = tmp_path_factory.mktemp("pictures")
    chance = np.random.default_rng(0)
    for i in range(PICTURES):
        path = folder / f"class {i % CLASSES}" / f"{i:04}.png"
        path.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(chance.integers(8, 248, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).clip(8, 247)
        Image.fromarray(smooth + chance.integers(0, 8, smooth.shape, dtype=np.uint8)).save(path)
    return folder


def _tensors() -> PartedDataset:
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (PICTURES, 3, SIDE, SIDE), generator=chance, dtype=torch.uint8)
    labels = torch.arange(PICTURES) % CLASSES
    fields = {
        "image": Field(kind="image", shape=(3, SIDE, SIDE)),
        "label": Field(kind="class", classes=tuple(map(str, range(CLASSES)))),
    }
    store = Memory(fields=fields, tensors={"image": images, "label": labels})
    return PartedDataset.of(store, tenth(labels, PICTURES, "bench"), Augment()).split("train")


def _trainer(root: Path) -> Trainer:
    registry = load_registry()
    return assemble(configure(registry, recipe="cdcgan", options={"data": str(root)}), registry).trainer


def _feed(settings: FolderSettings, workers: int) -> Iterator[Batch]:
    return batches(open_folder(settings).split("train"), batch_size=BATCH, seed=0, workers=workers)


def test_a_folder_feeds_a_training_as_fast_as_memory(benchmark: Any, report: Callable[..., None], root: Path) -> None:
    """The promise: at least 0.9 of the speed, with two cores."""
    trainer, path = _trainer(root), str(root)
    began = time.perf_counter()
    kept = _feed(FolderSettings(path=path), 0)
    opening = time.perf_counter() - began
    feeds = {
        "tensors": batches(_tensors(), batch_size=BATCH, seed=0),
        "folder": kept,
        "streamed": _feed(FolderSettings(path=path, memory="1MB"), 2),
    }
    bare = {name: _pictures_a_second(feed) for name, feed in feeds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in feeds}

    def turn() -> None:
        for name, feed in feeds.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                trainer.step(0, next(feed))
            seconds[name].append(time.perf_counter() - began)

    benchmark.pedantic(turn, rounds=ROUNDS, warmup_rounds=1)
    middle = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
    report(
        benchmark,
        opening_seconds=opening,
        folder_ratio=middle["tensors"] / middle["folder"],
        streamed_ratio_two_processes=middle["tensors"] / middle["streamed"],
        training_pictures_a_second=STEPS * BATCH / middle["tensors"],
        bare_folder_pictures_a_second=bare["folder"],
        bare_streamed_pictures_a_second=bare["streamed"],
    )


def _pictures_a_second(feed: Iterator[Batch]) -> float:
    next(feed)
    began = time.perf_counter()
    for _ in range(BARE):
        next(feed)
    return BARE * BATCH / (time.perf_counter() - began)
