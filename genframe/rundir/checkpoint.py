"""Checkpoints: safetensors for tensors, JSON for the rest, and a manifest with the SHA-256 of each file, written last.

Neither safetensors nor ``torch.load`` notices a flipped bit; the manifest does. Its own digest stands inside it. A
checkpoint is written into a temporary folder, made durable, and renamed, so that a folder of that name is complete or
absent. Nothing is ever pickled.

```
step-00000500/
  networks.safetensors   ROLE.KEY: the networks; ema.ROLE.KEY: running averages; examples.FIELD: known conditions;
                         part.NAME.KEY: numbers of the algorithm and of its parts
  training.safetensors   ROLE.INDEX.KEY: what the optimizers remember
  state.json             step, configuration, problem, optimizers' settings, versions
  manifest.json          the size and the SHA-256 of each, and of itself; see `genframe.rundir.manifest`
```
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from genframe.errors import CheckpointError
from genframe.rundir.directory import step_name
from genframe.rundir.files import storage_errors, sync_directory, write_durably
from genframe.rundir.manifest import MANIFEST, Entry, Manifest, entry_of, json_bytes
from genframe.rundir.migrations import SCHEMA, migrated

_FILES = ("networks.safetensors", "training.safetensors", "state.json")
_NAME = re.compile(r"step-[0-9]{8,18}")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What one checkpoint holds.

    Attributes:
        networks: tensors that sampling needs, by name.
        training: tensors that only further training needs, by name.
        state: JSON.
        run: the run's id.
        step: after how many steps.
        seconds: how long the run had trained by then.
        digest: SHA-256 of the networks' file: equal networks have equal digests.
    """

    networks: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    state: Mapping[str, Any]
    run: str
    step: int
    seconds: float = 0.0
    digest: str = ""


def networks_digest(networks: Mapping[str, Tensor]) -> str:
    """What `Checkpoint.digest` of these networks is: the same for equal networks, whichever run they come from."""
    return hashlib.sha256(save(_contiguous(networks))).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EncodedCheckpoint:
    """The content of a checkpoint's files: a copy, which training no longer changes.

    Attributes:
        payloads: by file name.
        run: the run's id.
        step: after how many steps.
        seconds: how long the run had trained by then.
    """

    payloads: Mapping[str, bytes]
    run: str
    step: int
    seconds: float


def encode_checkpoint(content: Checkpoint) -> EncodedCheckpoint:
    """What `write_checkpoint` writes, so that it can do so while training goes on."""
    payloads = {
        "networks.safetensors": save(_contiguous(content.networks)),
        "training.safetensors": save(_contiguous(content.training)),
        "state.json": json_bytes(content.state),
    }
    return EncodedCheckpoint(payloads=payloads, run=content.run, step=content.step, seconds=content.seconds)


def write_checkpoint(root: Path, content: EncodedCheckpoint) -> None:
    """Writes ``root/step-N``.

    Raises:
        StorageError: the disk refuses; what was there before is untouched and no temporary file stays.
    """
    target = root / step_name(content.step)
    temporary = _aside(target)
    with storage_errors(target):
        try:
            temporary.mkdir()
            files = {name: _written(temporary / name, body) for name, body in content.payloads.items()}
            manifest = Manifest(schema=SCHEMA, run=content.run, step=content.step, seconds=content.seconds, files=files)
            write_durably(temporary / MANIFEST, manifest.to_bytes())
            sync_directory(temporary)
            if target.is_dir():
                _delete(target)
            os.rename(temporary, target)
            sync_directory(root)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def load_checkpoint(path: Path, *, training: bool = False) -> Checkpoint:
    """Reads and verifies a checkpoint folder.

    Args:
        path: the folder.
        training: whether to read what only further training needs.

    Raises:
        CheckpointError: a file is missing, damaged or of another version; the sentence names it.
    """
    manifest = Manifest.read(path)
    if manifest.schema > SCHEMA:
        raise CheckpointError(
            f"{path} is written in layout {manifest.schema}, and this genframe reads layouts up to {SCHEMA}: "
            "update genframe"
        )
    if set(manifest.files) != set(_FILES):
        raise CheckpointError(f"{path / MANIFEST} is damaged: it lists other files than a checkpoint has")
    if _NAME.fullmatch(path.name) and path.name != step_name(manifest.step):
        raise CheckpointError(f"{path} holds step {manifest.step}: it has been renamed, or another's files lie in it")
    return Checkpoint(
        networks=_tensors(path / "networks.safetensors", manifest),
        training=_tensors(path / "training.safetensors", manifest) if training else {},
        state=migrated(manifest.verified_json(path / "state.json"), manifest.schema),
        run=manifest.run,
        step=manifest.step,
        seconds=manifest.seconds,
        digest=manifest.files["networks.safetensors"].sha256,
    )


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """While the state of a checkpoint is read: what is missing or of another kind there is the checkpoint's fault.

    Raises:
        CheckpointError: something is.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{path / 'state.json'} does not say what a checkpoint says ({said})") from None


def find_checkpoint(path: Path) -> Path:
    """The checkpoint folder that `path` means: itself, or the newest of a run directory.

    Raises:
        CheckpointError: there is none.
    """
    if (path / MANIFEST).is_file():
        return path
    if _NAME.fullmatch(path.name) and path.is_dir():
        raise CheckpointError(f"{path} is not a complete checkpoint: {MANIFEST} is missing")
    complete = complete_checkpoints(path / "checkpoints")
    if not complete:
        reason = "there is no such folder" if not path.exists() else "it holds no complete checkpoint"
        raise CheckpointError(f"{path} cannot be loaded: {reason}; give a run directory or one of its checkpoints")
    return complete[-1]


def checkpoint_at(path: Path, step: int | None) -> Path:
    """The checkpoint folder of step `step` of a run directory; None means what `find_checkpoint` finds.

    Raises:
        CheckpointError: there is none; the sentence says which there are.
    """
    if step is None:
        return find_checkpoint(path)
    found = complete_checkpoints(path / "checkpoints")
    for each in found:
        if each.name == step_name(step):
            return each
    steps = ", ".join(each.name.removeprefix("step-").lstrip("0") for each in found) or "none"
    raise CheckpointError(f"{path} has no complete checkpoint of step {step}; there are: {steps}")


def complete_checkpoints(root: Path) -> list[Path]:
    """The complete checkpoints in a folder, oldest first."""
    return [path for path in all_checkpoints(root) if (path / MANIFEST).is_file()]


def all_checkpoints(root: Path) -> list[Path]:
    """The folders that have a checkpoint's name, complete or not, oldest first."""
    found = [each for each in root.iterdir() if _NAME.fullmatch(each.name)] if root.is_dir() else []
    return sorted(found, key=lambda each: int(each.name.removeprefix("step-")))


def set_aside(path: Path) -> None:
    """Gives a damaged checkpoint a name under which nothing looks for it."""
    with storage_errors(path):
        for number in itertools.count(1):
            name = f"damaged-{path.name}" + (f"-{number}" if number > 1 else "")
            if not (path.parent / name).exists():
                path.rename(path.parent / name)
                return


def prune_checkpoints(root: Path, keep: int, kept: Collection[str] = ()) -> None:
    """Deletes the oldest complete checkpoints until `keep` are left, beside those whose names are in `kept`."""
    for path in [path for path in complete_checkpoints(root)[:-keep] if path.name not in kept]:
        with storage_errors(path):
            _delete(path)


def sweep(root: Path) -> None:
    """Deletes what killed processes have left half-written. No other process may be writing there."""
    for path in root.glob(".step-*.tmp"):
        with storage_errors(path):
            shutil.rmtree(path)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses channels_last tensors; the strides come back from the live parameters.
    return {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}


def _aside(path: Path) -> Path:
    """Where what is not, or no longer, a checkpoint lies; `sweep` knows it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _written(file: Path, body: bytes) -> Entry:
    write_durably(file, body)
    return entry_of(body)


def _delete(path: Path) -> None:
    """A folder of a checkpoint's name is whole or gone, also if the process is killed in the midst of this."""
    gone = path.with_name(f".{path.name}.{os.getpid()}.gone.tmp")
    os.rename(path, gone)
    shutil.rmtree(gone)


def _tensors(file: Path, manifest: Manifest) -> dict[str, Tensor]:
    try:
        return load(manifest.verified(file))
    except SafetensorError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
