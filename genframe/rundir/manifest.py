"""The manifest of a folder: size and SHA-256 of each file, and of itself, so that a flipped bit is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genframe.errors import CheckpointError

#: The manifest's file name; a folder without it is not complete.
MANIFEST = "manifest.json"

#: No manifest and no JSON of a checkpoint is larger, in bytes.
_MOST_JSON = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a manifest says of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a manifest says.

    Attributes:
        schema: the version of the folder's layout.
        run: the run's id.
        step: after how many steps it was written.
        seconds: how long the run had trained by then; the only thing here that depends on the clock.
        files: by name.
    """

    schema: int
    run: str
    step: int
    seconds: float
    files: Mapping[str, Entry]

    def to_bytes(self) -> bytes:
        """The file's content, its own digest included."""
        files = {name: {"bytes": entry.bytes, "sha256": entry.sha256} for name, entry in self.files.items()}
        content = {**vars(self), "files": files}
        return json_bytes(content | {"sha256": _own_digest(content)})

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder, if it is whole.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        file = folder / MANIFEST
        body = _read(file, _MOST_JSON)
        content = _object(file, body)
        try:
            digest = content.pop("sha256")
            files = {str(name): Entry(**entry) for name, entry in content.pop("files").items()}
            manifest = cls(files=files, **content)
            whole = (manifest.schema - 1, manifest.step, *(each.bytes for each in files.values()))
            plain = all(isinstance(number, int) and number >= 0 for number in whole) and manifest.seconds >= 0
        except (KeyError, TypeError, AttributeError):
            plain = False
        if not plain:
            raise CheckpointError(f"{file} is damaged: it is not a manifest")
        if digest != _own_digest({**vars(manifest), "files": {name: vars(each) for name, each in files.items()}}):
            raise CheckpointError(f"{file} is damaged: digest mismatch")
        if body != manifest.to_bytes():
            raise CheckpointError(f"{file} is damaged: it is not written as a manifest is")
        return manifest

    def verified(self, file: Path) -> bytes:
        """The content of one of the files.

        Raises:
            CheckpointError: it is missing or not what the manifest says.
        """
        entry = self.files[file.name]
        body = _read(file, entry.bytes)
        if len(body) != entry.bytes:
            raise CheckpointError(f"{file} is damaged: it has {len(body)} bytes and the manifest says {entry.bytes}")
        if hashlib.sha256(body).hexdigest() != entry.sha256:
            raise CheckpointError(f"{file} is damaged: digest mismatch")
        return body

    def verified_json(self, file: Path) -> dict[str, Any]:
        """The same for a file that holds a JSON object."""
        return _object(file, self.verified(file))


def entry_of(body: bytes) -> Entry:
    """The entry of a file with this content."""
    return Entry(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """As all JSON of a checkpoint is written: equal content has equal bytes."""
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _own_digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()


def _object(file: Path, body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{file} is damaged: it is not JSON") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} is damaged: it is not a JSON object")
    return content


def _read(file: Path, most: int) -> bytes:
    """The content of an ordinary file; one larger than `most` bytes is not read at all."""
    try:
        if not file.is_file():  # a pipe, for one, would keep its reader waiting
            raise CheckpointError(f"{file} {'is not an ordinary file' if file.exists() else 'is missing'}")
        size = file.stat().st_size
        if size > most:
            raise CheckpointError(f"{file} is damaged: it has {size} bytes, and at most {most} belong there")
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
