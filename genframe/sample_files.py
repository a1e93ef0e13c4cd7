"""Samples as files: one labelled sheet, an ``.npz``, or a folder of single pictures.

Each file says how to make it again: seed, index, class, the digest of the networks, and the law of z where it is not
that of the training.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import genframe
from genframe.errors import ConfigError, StorageError
from genframe.interfaces import Samples
from genframe.loading import LoadedGenerator
from genframe.pictures import Raster, Row, sheet, to_uint8
from genframe.rundir.files import storage_errors, write_atomically
from genframe.sampling import gathered
from genframe.shapes import PIXEL_KINDS

#: More pictures than this do not fit a sheet that anyone would look at.
SHEET_LIMIT = 4096


def write_samples(generator: LoadedGenerator, chunks: Iterator[Samples], target: Path) -> None:
    """Writes samples where `target` says: a sheet for the ending of a picture, arrays for ``.npz``, else a folder.

    Raises:
        ConfigError: these samples cannot be written so.
        StorageError: the disk refuses.
    """
    kind = generator.trained.problem.output.kind
    if target.suffix == ".npz":
        _write_npz(generator, chunks, target)
    elif kind not in PIXEL_KINDS:
        raise ConfigError(f"samples of the kind '{kind}' are no pictures: give --output FILE.npz")
    elif target.suffix:
        _write_sheet(generator, gathered(chunks), target)
    else:
        _write_folder(generator, chunks, target)


def _write_npz(generator: LoadedGenerator, chunks: Iterator[Samples], target: Path) -> None:
    pixels = generator.trained.problem.output.kind in PIXEL_KINDS
    columns: dict[str, list[Tensor]] = {}
    first, seed = None, 0
    for chunk in chunks:
        images = to_uint8(chunk.output).movedim(-3, -1) if pixels else chunk.output
        parts = {"images": images, "labels": _labels(generator, chunk), **_further_labels(generator, chunk)}
        for name, values in parts.items():
            columns.setdefault(name, []).append(values)
        first, seed = chunk.first if first is None else first, chunk.seed
    arrays = {
        **{name: torch.cat(values).numpy() for name, values in columns.items()},
        **{name: np.array(words) for name, words in _names(generator).items()},
        "metadata": np.array(json.dumps(_info(generator) | {"seed": str(seed), "first": str(first)})),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(target, buffer.getvalue())


def _write_sheet(generator: LoadedGenerator, samples: Samples, target: Path) -> None:
    images = samples.output.flatten(0, -4)
    if len(images) > SHEET_LIMIT:
        raise ConfigError(f"{len(images)} pictures are too many for one sheet: give --output FILE.npz or a folder")
    info = _info(generator) | {
        "seed": str(samples.seed),
        "first": str(samples.first),
        "count": str(len(samples.output)),
    }
    names, labels = _class_names(generator), sorted(set(_labels(generator, samples).tolist()))
    info |= {"classes": ", ".join(names[label] for label in labels)} if names else {}
    sheet(_rows(generator, samples), title=f"{generator.title}, seed {samples.seed}", smooth=True).save(target, info)


def _write_folder(generator: LoadedGenerator, chunks: Iterator[Samples], target: Path) -> None:
    with storage_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise StorageError(f"--output {target} is not empty: name a folder that is new or empty")
    names = _class_names(generator)
    for chunk in chunks:
        labels = _labels(generator, chunk).tolist()
        for offset, (output, label) in enumerate(zip(chunk.output, labels, strict=True)):
            index = chunk.first + offset
            info = _info(generator) | {"seed": str(chunk.seed), "index": str(index)}
            info |= {"class": names[label]} if label >= 0 else {}
            for frame, image in enumerate(output.flatten(0, -4) if output.ndim > 3 else output[None]):
                suffix = f"-{frame:03d}" if output.ndim > 3 else ""
                Raster.of(image).save(target / f"{index:08d}{suffix}.png", info)


def _rows(generator: LoadedGenerator, samples: Samples) -> list[Row]:
    """The samples class by class where classes are known, in rows that suit the eye."""
    labels, names = _labels(generator, samples), _class_names(generator)
    width = min(max(round(len(samples.output) ** 0.5), 8), 16)
    rows: list[Row] = []
    for label in sorted(set(labels.tolist())):
        parts = torch.split(samples.output[labels == label].flatten(0, -4), width)
        texts = [names[label] if label >= 0 else "", *[""] * (len(parts) - 1)]
        rows += [Row(label=text, images=part) for text, part in zip(texts, parts, strict=True)]
    return rows


def _labels(generator: LoadedGenerator, samples: Samples) -> Tensor:
    for name, field in generator.trained.problem.condition.items():
        if field.kind == "class":
            return samples.condition[name]
    return torch.full((len(samples.output),), -1, dtype=torch.int64)


def _further_labels(generator: LoadedGenerator, samples: Samples) -> dict[str, Tensor]:
    """Attributes and values, under the name of their field."""
    fields = generator.trained.problem.labels
    return {name: samples.condition[name] for name, field in fields.items() if field.kind != "class"}


def _names(generator: LoadedGenerator) -> dict[str, tuple[str, ...]]:
    """``class_names``, and ``attribute_names`` where there are attributes."""
    several = [field for field in generator.trained.problem.labels.values() if field.kind == "multilabel"]
    return {"class_names": _class_names(generator)} | ({"attribute_names": several[0].classes} if several else {})


def _class_names(generator: LoadedGenerator) -> tuple[str, ...]:
    fields = generator.trained.problem.condition.values()
    return next((field.classes for field in fields if field.kind == "class"), ())


def _info(generator: LoadedGenerator) -> dict[str, str]:
    return {
        "genframe": genframe.__version__,
        "recipe": generator.config.recipe,
        "step": str(generator.step),
        "checkpoint": generator.digest,
        **generator.law,
    }
