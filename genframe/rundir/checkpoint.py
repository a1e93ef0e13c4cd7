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
  manifest.json          the size and the SHA-256 of each, and of itself
```
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from genframe.errors import CheckpointError
from genframe.rundir.directory import step_name
from genframe.rundir.files import storage_errors, sync_directory

#: The version of this layout.
SCHEMA = 1

_FILES = ("networks.safetensors", "training.safetensors", "state.json")
_NAME = re.compile(r"step-\d{8,}")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What one checkpoint holds.

    Attributes:
        networks: tensors that sampling needs, by name.
        training: tensors that only further training needs, by name.
        state: JSON.
        digest: SHA-256 of the networks' file: equal networks have equal digests.
    """

    networks: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    state: Mapping[str, Any]
    digest: str = ""


def networks_digest(networks: Mapping[str, Tensor]) -> str:
    """What `Checkpoint.digest` of these networks is: the same for equal networks, whichever run they come from."""
    return hashlib.sha256(save(_contiguous(networks))).hexdigest()


def save_checkpoint(root: Path, step: int, run_id: str, content: Checkpoint) -> None:
    """Writes ``root/step-N``.

    Raises:
        StorageError: the disk refuses; what was there before is untouched and no temporary file stays.
    """
    payloads = {
        "networks.safetensors": save(_contiguous(content.networks)),
        "training.safetensors": save(_contiguous(content.training)),
        "state.json": _json({"schema": SCHEMA, "step": step, **content.state}),
    }
    payloads["manifest.json"] = _manifest(payloads, step, run_id)
    target, temporary = root / step_name(step), root / f".{step_name(step)}.{os.getpid()}.tmp"
    with storage_errors(target):
        try:
            _write_folder(temporary, payloads)
            if target.exists():
                shutil.rmtree(target)
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
    digests = _verified_manifest(path)
    state = json.loads(_verified(path / "state.json", digests))
    if state["schema"] != SCHEMA:
        raise CheckpointError(f"{path} is written in layout {state['schema']}, and this genframe reads layout {SCHEMA}")
    return Checkpoint(
        networks=_tensors(path / "networks.safetensors", digests),
        training=_tensors(path / "training.safetensors", digests) if training else {},
        state=state,
        digest=digests["networks.safetensors"]["sha256"],
    )


def find_checkpoint(path: Path) -> Path:
    """The checkpoint folder that `path` means: itself, or the newest of a run directory.

    Raises:
        CheckpointError: there is none.
    """
    if (path / "manifest.json").is_file():
        return path
    if _NAME.fullmatch(path.name) and path.is_dir():
        raise CheckpointError(f"{path} is not a complete checkpoint: manifest.json is missing")
    complete = complete_checkpoints(path / "checkpoints")
    if not complete:
        reason = "there is no such folder" if not path.exists() else "it holds no complete checkpoint"
        raise CheckpointError(f"{path} cannot be loaded: {reason}; give a run directory or one of its checkpoints")
    return complete[-1]


def complete_checkpoints(root: Path) -> list[Path]:
    """The complete checkpoints in a folder, oldest first."""
    if not root.is_dir():
        return []
    found = [each for each in root.iterdir() if _NAME.fullmatch(each.name) and (each / "manifest.json").is_file()]
    return sorted(found, key=lambda each: int(each.name.removeprefix("step-")))


def prune_checkpoints(root: Path, keep: int, kept: Collection[str] = ()) -> None:
    """Deletes the oldest complete checkpoints until `keep` are left, beside those whose names are in `kept`."""
    for path in [path for path in complete_checkpoints(root)[:-keep] if path.name not in kept]:
        with storage_errors(path):
            shutil.rmtree(path)


def sweep(root: Path) -> None:
    """Deletes what killed processes have left half-written. No other process may be writing there."""
    for path in root.glob(".step-*.tmp"):
        with storage_errors(path):
            shutil.rmtree(path)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses channels_last tensors; the strides come back from the live parameters.
    return {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _manifest(payloads: Mapping[str, bytes], step: int, run_id: str) -> bytes:
    files = {name: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in payloads.items()}
    manifest = {"schema": SCHEMA, "run": run_id, "step": step, "files": files}
    return _json(manifest | {"sha256": _own_digest(manifest)})


def _own_digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json({key: value for key, value in manifest.items() if key != "sha256"})).hexdigest()


def _write_folder(folder: Path, payloads: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, body in payloads.items():
        with open(folder / name, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    sync_directory(folder)


def _verified_manifest(path: Path) -> Mapping[str, Any]:
    file = path / "manifest.json"
    body = _read(file)
    try:
        manifest = json.loads(body)
        files, digest = manifest["files"], manifest["sha256"]
        complete = set(files) == set(_FILES) and all({"bytes", "sha256"} <= set(each) for each in files.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{file} is damaged: it is not a manifest") from None
    if body != _json(manifest) or digest != _own_digest(manifest) or not complete:
        raise CheckpointError(f"{file} is damaged: its digest does not match")
    return dict(files)


def _verified(file: Path, digests: Mapping[str, Any]) -> bytes:
    body, expected = _read(file), digests[file.name]
    if len(body) != expected["bytes"]:
        raise CheckpointError(f"{file} is damaged: it has {len(body)} bytes and the manifest says {expected['bytes']}")
    if hashlib.sha256(body).hexdigest() != expected["sha256"]:
        raise CheckpointError(f"{file} is damaged: digest mismatch")
    return body


def _tensors(file: Path, digests: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        return load(_verified(file, digests))
    except SafetensorError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
