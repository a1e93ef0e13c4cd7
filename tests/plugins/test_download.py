"""Downloads from a server on this machine: the right file or none, from whichever mirror has it."""

import contextlib
import dataclasses
import gzip
import hashlib
import os
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from genframe.errors import DataError, StorageError
from genframe_datasets import NamedSettings, download, located, named
from genframe_datasets.download import DownloadError
from genframe_datasets.named import open_mnist
from genframe_datasets.published import IDX_NAMES, MNIST, SETS, PublishedFile

CONTENT = np.random.default_rng(0).integers(0, 256, 700_000, dtype=np.uint8).tobytes()
FILE = PublishedFile(name="pictures.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class Mirror(BaseHTTPRequestHandler):
    """``/right/NAME`` is the file; other folders are mirrors with a fault."""

    files = {FILE.name: CONTENT}

    def do_GET(self):
        _, fault, name = self.path.split("/")
        content = self.files[name]
        answer = {"other": content[::-1], "short": content[:-1], "long": content + b"!"}.get(fault, content)
        self.server.asked.append(self.path)
        if fault == "silent":
            self.server.released.wait(10)
        self.send_response(503 if fault == "busy" else 404 if fault == "gone" else 200)
        if fault != "unannounced":
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who has heard enough hangs up
            self.wfile.write(answer[: len(answer) // 2] if fault in ("cut", "unannounced") else answer)

    def log_message(self, *arguments):
        """Tests are quiet."""


@pytest.fixture
def mirror():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads = True
    server.asked, server.released = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.at = lambda *folders: [f"http://127.0.0.1:{server.server_port}/{folder}/" for folder in folders]
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody():
    """The address of a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def fetched(mirrors, target):
    with pytest.raises(DownloadError) as caught:
        download.download(FILE, mirrors, target)
    return str(caught.value)


def test_a_file_arrives_whole_in_a_folder_that_did_not_exist(mirror, tmp_path, capfd):
    target = tmp_path / "new" / "folder" / FILE.name
    download.download(FILE, mirror.at("right"), target)
    assert target.read_bytes() == CONTENT
    assert os.listdir(target.parent) == [FILE.name]
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == f"downloading pictures.bin (0.7 MB) from 127.0.0.1:{mirror.server_port}\n"


def test_a_terminal_shows_a_progress_bar(mirror, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    download.download(FILE, mirror.at("right"), tmp_path / FILE.name)
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", capfd.readouterr().err)
    assert "pictures.bin" in shown
    assert "700.0/700.0 kB" in shown


@pytest.mark.parametrize("fault", ["other", "short", "long", "cut", "unannounced", "gone", "busy"])
def test_a_mirror_with_a_fault_is_passed_over(fault, mirror, tmp_path):
    target = tmp_path / FILE.name
    download.download(FILE, mirror.at(fault, "right", "gone"), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == [f"/{fault}/{FILE.name}", f"/right/{FILE.name}"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("other", "another content"),
        ("short", "699,999 of 700,000 bytes"),
        ("long", "more than the 700,000 bytes"),
        ("cut", "350,000"),
        ("unannounced", "350,000 of 700,000 bytes"),
        ("gone", "404 Not Found"),
        ("busy", "503"),
    ],
)
def test_where_no_mirror_has_it_nothing_is_left(fault, said, mirror, tmp_path):
    (tmp_path / FILE.name).write_bytes(b"what was there before")
    assert said in fetched(mirror.at(fault), tmp_path / FILE.name)
    assert os.listdir(tmp_path) == [FILE.name]
    assert (tmp_path / FILE.name).read_bytes() == b"what was there before"


def test_without_a_network_not_even_the_folder_is_made(nobody, tmp_path):
    assert "Connection refused" in fetched([nobody, nobody], tmp_path / "folder" / FILE.name)
    assert os.listdir(tmp_path) == []


def test_a_name_that_no_server_has_is_a_sentence(tmp_path):
    assert "no.such.host.invalid" in fetched(["http://no.such.host.invalid/"], tmp_path / FILE.name)


def test_a_silent_server_is_given_up(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    assert "timed out" in fetched(mirror.at("silent"), tmp_path / FILE.name)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_download_leaves_nothing(interruption, mirror, tmp_path, monkeypatch):
    def stop(descriptor):
        assert len(os.listdir(tmp_path)) == 1
        raise interruption

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(interruption):
        download.download(FILE, mirror.at("right"), tmp_path / FILE.name)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_another_matter(mirror, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written.*--data-dir"):
        download.download(FILE, mirror.at("right"), tmp_path / "file" / FILE.name)


# a whole set


@pytest.fixture
def small_mnist(monkeypatch, mirror):
    """Four small files in the place of MNIST's, at the mirror."""
    contents = {}
    for name, count in zip(IDX_NAMES, (20, 20, 10, 10), strict=True):
        shape = (count, 4, 4) if "images" in name else (count,)
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        contents[name] = gzip.compress(header + bytes(i % 10 for i in range(int(np.prod(shape)))))
    files = tuple(
        dataclasses.replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest(), unpacked=None)
        for file, content in zip(MNIST.files, contents.values(), strict=True)
    )

    def put(mirrors):
        record = dataclasses.replace(MNIST, files=files, mirrors=tuple(mirrors))
        monkeypatch.setattr(named, "MNIST", record)
        monkeypatch.setitem(SETS, "mnist", record)
        return contents

    monkeypatch.setattr(Mirror, "files", contents)
    return put


def test_a_set_is_downloaded_once_and_read_from_then_on(small_mnist, mirror, nobody, tmp_path):
    contents = small_mnist([nobody, *mirror.at("other", "right")])
    for _ in range(2):
        dataset = open_mnist(NamedSettings(data_dir=str(tmp_path)))
        assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (20, 10)
    assert {path.name: path.read_bytes() for path in (tmp_path / "mnist").iterdir()} == contents
    assert len(mirror.asked) == 8


def test_only_what_is_missing_is_downloaded(small_mnist, mirror, tmp_path):
    contents = small_mnist(mirror.at("right"))
    for name in IDX_NAMES[:3]:
        (tmp_path / name).write_bytes(contents[name])
    assert len(open_mnist(NamedSettings(data_dir=str(tmp_path)))) == 30
    assert mirror.asked == [f"/right/{IDX_NAMES[3]}"]


def test_where_all_files_are_there_nothing_is_written_nor_asked(small_mnist, mirror, tmp_path):
    contents = small_mnist(mirror.at("right"))
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    tmp_path.chmod(0o500)
    open_mnist(NamedSettings(data_dir=str(tmp_path)))
    tmp_path.chmod(0o700)
    assert set(os.listdir(tmp_path)) == set(IDX_NAMES)
    assert mirror.asked == []


def test_without_a_network_one_sentence_says_what_to_put_where(small_mnist, nobody, tmp_path, cli):
    small_mnist([nobody])
    with pytest.raises(DataError) as caught:
        located.located(named.MNIST, str(tmp_path))
    text = str(caught.value)
    assert all(word in text for word in (*IDX_NAMES, str(tmp_path / "mnist"), "--data-dir", "Connection refused"))
    result = cli("run", "--plugin", "cdcgan", "--data", "mnist", "--data-dir", tmp_path, "--steps", 1)
    assert result.code == 3
    assert result.err.count("\n") == 1
