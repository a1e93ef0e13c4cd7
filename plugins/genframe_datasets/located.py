"""Where the files of a named set lie: found and recognised by their content, or brought from the network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from genframe.errors import DataError
from genframe_datasets.download import DownloadError, download
from genframe_datasets.idx import inspect, reading
from genframe_datasets.idx_paths import first_bytes, is_idx
from genframe_datasets.published import SETS, PublishedFile, PublishedSet

#: Where sets lie where nothing else is said.
CACHE = "~/.cache/genframe"


def located(record: PublishedSet, data_dir: str) -> Mapping[str, Path]:
    """Each file of a set by its published name, in one of the forms in which the set is found.

    Files are looked for in the folder and in one below it that is called like the set, and downloaded to the latter.
    Where all are there, nothing is written.

    Args:
        record: the set.
        data_dir: the folder; empty for ``GENFRAME_DATA`` or, without that, `CACHE`.

    Raises:
        DataError: a file is another than its name says, or is missing and cannot be downloaded.
        StorageError: a download cannot be stored.
    """
    root = Path(os.path.expanduser(data_dir or os.environ.get("GENFRAME_DATA") or CACHE))
    folders = [root, root / record.name]
    if record.loose:
        below = [*folders, *(folder / record.folder for folder in folders)]
        loose = {file.name: _found(record, file, below) for file in record.loose}
        if all(loose.values()):
            return _present(loose)
    found = {file.name: _found(record, file, folders) for file in record.files}
    missing = [file for file in record.files if found[file.name] is None]
    if missing:
        found |= _fetched(record, missing, root)
    return _present(found)


def _present(found: Mapping[str, Path | None]) -> Mapping[str, Path]:
    return {name: path for name, path in found.items() if path is not None}


def _found(record: PublishedSet, file: PublishedFile, folders: Sequence[Path]) -> Path | None:
    """Where the file lies; None where no file has its name.

    Raises:
        DataError: files that have its name hold something else.
    """
    names = dict.fromkeys((file.name, file.name.removesuffix(".gz") if file.unpacked else file.name))
    candidates = [folder / name for folder in folders for name in names if os.path.isfile(folder / name)]
    right = next((path for path in candidates if _is(file, path)), None)
    if right is None and candidates:
        raise _wrong(record, file, candidates[0])
    return right


def _is(file: PublishedFile, path: Path) -> bool:
    """Whether the content is that of the published file; sizes are compared first, because digests take time."""
    with reading(path):
        size = path.stat().st_size
        if file.start and size == file.size:
            return _digest(path, file.start[0]) == file.start[1]
        if file.sha256 and size == file.size and _digest(path) == file.sha256:
            return True
    return _unpacks_to(file, path) if file.unpacked else not file.sha256 and size == file.size


def _unpacks_to(file: PublishedFile, path: Path) -> bool:
    """Whether an IDX file, packed in another way or not at all, has the published content."""
    start = first_bytes(path)
    if file.unpacked is None or not is_idx(start) or start[2] != 8 or start[3] not in (1, 3):
        return False
    content = inspect(path, start[3])
    return content.size == file.unpacked[0] and content.digest() == file.unpacked[1]


def _digest(path: Path, length: int | None = None) -> str:
    """The SHA-256 of a file, or of its first `length` bytes."""
    with open(path, "rb") as file:
        if length is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(file.read(length)).hexdigest()


def _wrong(record: PublishedSet, file: PublishedFile, path: Path) -> DataError:
    advice = f"give the folder that holds {record.title} with --data-dir"
    for other in SETS.values():
        for known in other.files + other.loose:
            if (known.sha256 or known.start) and _is(known, path):
                content = f"it is {known.name} of {other.title}"
                return DataError(f"{path} is not {file.name} of {record.title}: {content}; {advice}")
    content = "its content is unknown, so it is damaged or of another set"
    return DataError(f"{path} is not {file.name} of {record.title}: {content}; {advice}, or remove it")


def _fetched(record: PublishedSet, missing: Sequence[PublishedFile], root: Path) -> dict[str, Path]:
    folder = root / record.name
    for file in missing:
        try:
            download(file, record.mirrors, folder / file.name)
        except DownloadError as error:
            names = " and ".join(file.name for file in missing)
            raise DataError(
                f"{record.title} needs {names}, which neither {root} nor {folder} has and which cannot be downloaded "
                f"({error}); put them there, or give their folder with --data-dir"
            ) from None
    return {file.name: folder / file.name for file in missing}
