"""One file from the network: whole and as published, or not at all.

It grows beside its target under another name, its digest is taken as it comes, and only the right one is moved to where
it belongs.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from genframe.errors import StorageError
from genframe_datasets.published import PublishedFile

#: How many seconds a server may stay silent.
PATIENCE = 30.0

_CHUNK = 2**18


class DownloadError(Exception):
    """No mirror gave the file; the text says what each one did."""


def download(file: PublishedFile, mirrors: Sequence[str], target: Path) -> None:
    """Brings a file from the first mirror that has it as it was published.

    Raises:
        DownloadError: none has.
        StorageError: the target cannot be written.
    """
    failures = []
    for mirror in mirrors:
        url = f"{mirror}{file.name}"
        host = urllib.parse.urlsplit(url).netloc
        try:
            with _answer(url) as chunks, _shown(file, host) as advance:
                _keep(_verified(chunks, file), target, advance)
            return
        except DownloadError as error:
            failures.append(f"{host}: {error}")
    raise DownloadError("; ".join(failures))


@contextmanager
def _answer(url: str) -> Iterator[Iterator[bytes]]:
    """What a server sends, in pieces."""
    request = urllib.request.Request(url, headers={"User-Agent": "genframe"})
    with _network():
        response = urllib.request.urlopen(request, timeout=PATIENCE)
    with response:
        yield _received(response)


def _received(response: http.client.HTTPResponse) -> Iterator[bytes]:
    with _network():
        while chunk := response.read(_CHUNK):
            yield chunk


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) from None


def _verified(chunks: Iterable[bytes], file: PublishedFile) -> Iterator[bytes]:
    """The same pieces; what is not the file as published ends in an error, too much of it at once."""
    digest, length = hashlib.sha256(), 0
    for chunk in chunks:
        length += len(chunk)
        if length > file.size:
            raise DownloadError(f"it sent more than the {file.size:,} bytes that were published")
        digest.update(chunk)
        yield chunk
    if length < file.size:
        raise DownloadError(f"it sent {length:,} of {file.size:,} bytes")
    if digest.hexdigest() != file.sha256:
        raise DownloadError("it sent another content than was published")


def _keep(chunks: Iterable[bytes], target: Path, advance: Callable[[int], None]) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _storage(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    advance(len(chunk))
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            temporary.unlink()


@contextmanager
def _storage(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{target} cannot be written: {reason}; choose another folder with --data-dir") from error


@contextmanager
def _shown(file: PublishedFile, host: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, a line elsewhere; both on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.print(f"downloading {file.name} ({file.size / 1e6:.1f} MB) from {host}", markup=False)
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(file.name, total=file.size)
        yield lambda count: progress.advance(task, count)
