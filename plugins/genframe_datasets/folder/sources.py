"""Where files lie, in a folder or inside a zip: the same few questions to both. Nothing is extracted or written."""

from __future__ import annotations

import os
import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from genframe.errors import DataError
from genframe_datasets.folder import is_picture

#: No member of a zip may unpack to more. A picture of 40 megapixels, 16 bits and four channels has 320 MB.
MEMBER_LIMIT = 512 * 1024**2

#: Rubbish that systems leave beside pictures; names that begin with a dot are such, too.
_RUBBISH = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"})


class Source(Protocol):
    """Files by name; a name is relative and has ``/`` between its parts."""

    def listing(self) -> tuple[list[str], list[str]]:
        """The names of all files and of all folders, each sorted, rubbish left out."""

    def open(self, name: str) -> IO[bytes]:
        """The content of a file."""

    def where(self, name: str) -> str:
        """The file as messages call it; of the empty name, the whole source."""


def source_at(path: Path) -> Source:
    """The folder or the zip at this path.

    Raises:
        DataError: there is nothing, or it is damaged or unsafe.
    """
    if os.path.isdir(path):
        return Directory(str(path))
    if not os.path.exists(path):
        raise DataError(f"there is no file or folder {printable(str(path))}; give the path of a folder or a .zip")
    return Archive(str(path))


def printable(name: str) -> str:
    """The name on one line of any terminal: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


class Directory:
    """A folder and all below it. Links are followed, but never in a circle."""

    def __init__(self, path: str) -> None:
        self._path = path

    def listing(self) -> tuple[list[str], list[str]]:
        """See `Source.listing`. No file is looked at, so that a million of them take seconds."""
        files: list[str] = []
        folders: list[str] = []
        pending, seen = [""], {_identity(self._path)}
        while pending:
            prefix = pending.pop()
            for entry in self._entries(prefix):
                if _is_rubbish(entry.name):
                    continue
                if not _is_folder(entry):
                    if _is_readable(entry):
                        files.append(prefix + entry.name)
                elif (identity := _identity(entry.path)) not in seen:
                    seen.add(identity)
                    folders.append(prefix + entry.name)
                    pending.append(f"{prefix}{entry.name}/")
        return sorted(files), sorted(folders)

    def open(self, name: str) -> IO[bytes]:
        """See `Source.open`."""
        return open(f"{self._path}/{name}", "rb")

    def where(self, name: str) -> str:
        """See `Source.where`."""
        return printable(os.path.join(self._path, name) if name else self._path)

    def _entries(self, prefix: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._path, prefix)) as entries:
                yield from entries
        except OSError as error:
            raise DataError(
                f"the folder {self.where(prefix)} cannot be listed: {str(error.strerror).lower()}; make it readable"
            ) from None


class Archive:
    """A zip. Each process reads it by a handle of its own, since a shared one has one position for all."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = 0
        self._opened()

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_process": 0}

    def listing(self) -> tuple[list[str], list[str]]:
        """See `Source.listing`.

        Raises:
            DataError: a name that leaves the archive or occurs twice, a member that is encrypted or far too large.
        """
        folders: set[str] = set()
        for name, member in self._members.items():
            self._check(name, member)
            parent = name[:-1] if member.is_dir() else posixpath.dirname(name)
            while parent and parent not in folders:
                folders.add(parent)
                parent = posixpath.dirname(parent)
        files = [name for name, member in self._members.items() if not member.is_dir()]
        kept = [name for name in files if not any(map(_is_rubbish, name.split("/")))]
        return sorted(kept), sorted(name for name in folders if not any(map(_is_rubbish, name.split("/"))))

    def open(self, name: str) -> IO[bytes]:
        """See `Source.open`."""
        return self._opened().open(self._members[name])

    def where(self, name: str) -> str:
        """See `Source.where`."""
        return printable(f"{self._path}: {name}" if name else self._path)

    def _opened(self) -> zipfile.ZipFile:
        if self._process != os.getpid():
            try:
                self._zip = zipfile.ZipFile(self._path)
            except Exception as error:  # what zipfile raises at hostile bytes has no common base
                reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise DataError(
                    f"{self.where('')} cannot be opened as a zip: {reason}; give a folder or a whole .zip"
                ) from None
            self._members = self._by_name(self._zip)
            self._process = os.getpid()
        return self._zip

    def _by_name(self, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.replace("\\", "/")
            if name in members:
                raise DataError(f"{self.where('')} holds the name {printable(name)} twice; pack it anew")
            members[name] = member
        return members

    def _check(self, name: str, member: zipfile.ZipInfo) -> None:
        if not name:
            raise DataError(f"{self.where('')} holds a file without a name; pack it anew")
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
            raise DataError(f"{self.where(name)} is a path that leads out of the zip; pack it anew with relative names")
        if member.flag_bits & 1:
            raise DataError(f"{self.where(name)} is encrypted; pack it anew without a password")
        if member.file_size > MEMBER_LIMIT and (is_picture(name) or posixpath.basename(name) in LABEL_FILES):
            raise DataError(
                f"{self.where(name)} unpacks to {member.file_size / 1e6:,.0f} MB; no file may have more than "
                f"{MEMBER_LIMIT / 1e6:,.0f} MB"
            )


#: Files that say what the labels are.
LABEL_FILES = ("metadata.csv", "metadata.jsonl", "dataset.json")


def _is_rubbish(name: str) -> bool:
    return name.startswith(".") or name in _RUBBISH


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_readable(entry: os.DirEntry[str]) -> bool:
    """A file, or a link to nowhere, which reading will complain of; no pipe and no device, which would never end."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
