"""Mutated pictures and archives: each is read, or is refused in a sentence that names it, within two seconds."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import select
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF"}

#: A real photograph, and real digits. The sizes occur nowhere else in the files' bytes.
HEIGHT, WIDTH = 53, 71
PHOTOGRAPH = load_sample_image("china.jpg")[100 : 100 + HEIGHT, 200 : 200 + WIDTH]
DIGITS, CLASSES = load_digits(return_X_y=True)
PIXELS = (DIGITS[:60].reshape(-1, 8, 8) * 15).astype(np.uint8)

#: What no case takes; the seconds are the processor's, since others may use the machine.
SECONDS, MEGABYTES = 2.0, 300.0


@dataclass
class Reader:
    """A process that reads datasets, and what came of them.

    Attributes:
        process: it.
        notes: where its standard error goes.
        loaded, refused: how many.
    """

    process: subprocess.Popen[str]
    notes: Path
    loaded: int = 0
    refused: int = 0
    _said: int = field(default=0, repr=False)

    def read(self, path: Path, names: Path | str | None = None, **settings: Any) -> dict[str, Any]:
        """Reads a dataset and checks what holds for every one; `names` is what a sentence must have in it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"path": str(path), "settings": settings}) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 30 * SECONDS)
        assert ready, f"{path} hangs"
        line = self.process.stdout.readline()
        assert line, f"{path} ended the process: {self.notes.read_text()[-2000:]}"
        outcome: dict[str, Any] = json.loads(line)
        assert outcome["seconds"] < SECONDS, outcome
        assert outcome["megabytes"] < MEGABYTES, outcome
        if "samples" in outcome:
            self.loaded += 1
            return outcome
        self.refused += 1
        assert outcome["code"] == 3, outcome
        assert str(names or path) in outcome["said"], outcome
        assert "\n" not in outcome["said"], outcome
        return outcome

    def noted(self) -> str:
        """What was written to standard error since the last call."""
        text = self.notes.read_text()
        text, self._said = text[self._said :], len(text)
        assert "Warning" not in text, text
        assert "Traceback" not in text, text
        return text


@pytest.fixture(scope="module")
def _process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    notes = tmp_path_factory.mktemp("reader") / "stderr"
    command = [sys.executable, str(Path(__file__).with_name("reader.py"))]
    with (
        notes.open("w") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True) as process,
    ):
        yield process, notes
        process.kill()


@pytest.fixture
def reader(_process: tuple[subprocess.Popen[str], Path]) -> Reader:
    """Counts from nought in each test; the process is the same."""
    process, notes = _process
    fresh = Reader(process=process, notes=notes)
    fresh.noted()
    return fresh


# mutations


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """The bytes after an accident; `other` is another file's content."""
    changed, place = bytearray(content), chance.randrange(len(content))
    way = chance.choice(["flip", "flip", "head", "cut", "splice", "grow", "zero", "double", "tail"])
    if way in ("flip", "head"):
        for _ in range(chance.randrange(1, 8)):
            reach = len(changed) if way == "flip" else min(chance.choice([12, 64]), len(changed))
            changed[chance.randrange(reach)] = chance.randrange(256)
    elif way == "cut":
        del changed[place:]
    elif way == "splice":
        changed[: chance.randrange(1, 64)] = other[: chance.randrange(1, 64)]
    elif way == "grow":  # a length, wherever there is one
        changed[place : place + 4] = chance.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
    elif way == "zero":
        length = chance.choice([1, 4, 64, len(changed)])
        changed[place : place + length] = bytes(len(changed[place : place + length]))
    elif way == "double":
        changed[place:place] = changed[place : place + chance.randrange(1, 400)]
    else:
        changed += chance.choice([bytes(chance.randrange(1, 99)), chance.randbytes(9)])
    return bytes(changed)


def resized(content: bytes, chance: random.Random) -> bytes:
    """The same pixels under a header that announces another size."""
    size = struct.Struct(chance.choice(["<H", ">H", "<I", ">I"]))
    for side in (WIDTH, HEIGHT):
        announced = chance.choice([0, 1, side + 1, 2000, 6000, 65535])
        content = content.replace(size.pack(side), size.pack(announced), 1)
    if content.startswith(b"\x89PNG"):
        content = content[:29] + struct.pack(">I", zlib.crc32(content[12:29])) + content[33:]
    return content


# pictures


def picture(ending: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(PHOTOGRAPH).save(content, FORMATS[ending])
    return content.getvalue()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_mutated_picture_is_refused_by_name_or_skipped_and_counted(ending, reader, figure, count, tmp_path):
    content, others = picture(ending), [picture(each) for each in FORMATS]
    chance = random.Random(ending)
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(others[0])
    bad = tmp_path / f"a.{ending}"
    for _ in range(count(100, 1000)):
        changed = (
            resized(content, chance) if chance.random() < 0.15 else mutated(content, chance.choice(others), chance)
        )
        bad.write_bytes(changed)
        strict = reader.read(tmp_path, names=bad)
        skipping = reader.read(tmp_path, skip_bad_images=True)
        notes = reader.noted()
        assert skipping["samples"] == (3 if "samples" in strict else 2)
        assert ("skipped 1 of 3 pictures that cannot be read: a." in notes) == ("code" in strict), notes
    assert reader.refused > 0.2 * count(100, 1000)
    assert reader.loaded > 1.03 * count(100, 1000)  # every skipping one, and some of the strict ones
    figure(f"{reader.refused} refused, {reader.loaded} loaded")


# archives


def idx(numbers: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">BBBB{numbers.ndim}I", 0, 0, 8, numbers.ndim, *numbers.shape) + numbers.tobytes()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, each in members.items():
            archive.writestr(name, each)
    return content.getvalue()


def npz(save: Callable[..., None] = np.savez_compressed, **arrays: Any) -> bytes:
    content = io.BytesIO()
    save(content, **arrays)
    return content.getvalue()


ARRAYS = {"images": PIXELS, "labels": CLASSES[:60], "class_names": np.array(list("0123456789"))}
PICTURES = {f"{digit}/{place}.png": picture("png") for digit in (3, 7) for place in range(2)}
TABLE = json.dumps({"labels": [[f"{n}.png", [n, 0.5, 1e3]] for n in range(4)]}).encode()

#: What is mutated: the name of the file, and its content.
ARCHIVES = {
    "idx": ("train-images-idx3-ubyte", idx(PIXELS)),
    "gz": ("train-images-idx3-ubyte.gz", gzip.compress(idx(PIXELS), mtime=0)),
    "zip": ("pictures.zip", zipped(PICTURES)),
    "stored zip": ("pictures.zip", zipped(PICTURES, zipfile.ZIP_STORED)),
    "npz": ("pictures.npz", npz(**ARRAYS)),
    "stored npz": ("pictures.npz", npz(np.savez, **ARRAYS)),
}

TABLES = {
    "dataset.json": TABLE,
    "metadata.csv": b"file_name,label,x\n" + b"".join(b"%d.png,%d,0.%d\n" % (n, n % 2, n) for n in range(4)),
    "metadata.jsonl": b"".join(b'{"file_name": "%d.png", "label": %d}\n' % (n, n % 2) for n in range(4)),
}

#: What is put into a table somewhere.
WORDS = (
    *(b"1e999", b"NaN", b"-Infinity", b"9" * 400, b"9" * 5000, b"[" * 3000, b'"', b"null", b"{}", b"[]", b"true"),
    *(b"\\ud800", b"\xff", b"\x00", b"../../", b",", b"\n", b"\r", b"a" * 200_000, b'"\n"', b"-1", b"1" + b"0" * 310),
)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_mutated_archive_is_read_or_refused_by_name(kind, reader, figure, count, tmp_path):
    name, content = ARCHIVES[kind]
    chance, others = random.Random(kind), [other for _, other in ARCHIVES.values()]
    path = tmp_path / name
    for _ in range(count(100, 1000)):
        path.write_bytes(mutated(content, chance.choice(others), chance))
        reader.read(path)
    reader.noted()
    figure(f"{reader.refused} refused, {reader.loaded} loaded")
    assert reader.refused > 0.3 * count(100, 1000)
    assert reader.loaded > 0


@pytest.mark.parametrize("name", TABLES)
def test_a_mutated_table_of_labels_is_read_or_refused_by_name(name, reader, figure, count, tmp_path):
    content, chance = TABLES[name], random.Random(name)
    for place in range(4):
        (tmp_path / f"{place}.png").write_bytes(PICTURES["3/0.png"])
    for _ in range(count(100, 1000)):
        changed = mutated(content, PICTURES["3/0.png"], chance)
        if chance.random() < 0.6:
            place = chance.randrange(len(content))
            changed = content[:place] + chance.choice(WORDS) + content[place + chance.randrange(4) :]
        (tmp_path / name).write_bytes(changed)
        reader.read(tmp_path)
    reader.noted()
    figure(f"{reader.refused} refused, {reader.loaded} loaded")
    assert reader.refused > 0.3 * count(100, 1000)
    assert reader.loaded > 0


class Canary:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["images", "labels", "class_names", "attributes"])
def test_pickled_objects_in_an_npz_are_never_unpickled(name, reader, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "a.npz"
    objects = np.empty(60, dtype=object)
    objects[:] = [Canary(canary)] * 60
    path.write_bytes(npz(**ARRAYS | {name: objects}))
    assert "code" in reader.read(path)
    path.write_bytes(zipped({"images.npy": pickle.dumps(Canary(canary)), "labels.npy": b""}))
    assert "code" in reader.read(path)
    assert not canary.exists()


def zip_bomb(megabytes: int) -> bytes:
    """A picture of so many zeros."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.png", picture("png"))
        with archive.open("a.png", "w") as member:
            for _ in range(megabytes):
                member.write(bytes(2**20))
    return content.getvalue()


def gzip_bomb(announced: tuple[int, int, int], megabytes: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(struct.pack(">BBBB3I", 0, 0, 8, 3, *announced))]
    parts += [packer.compress(bytes(2**20)) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


def array(shape: str, descr: str = "'|u1'") -> bytes:
    """An ``.npz`` whose array announces what it likes, and has none of it."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return zipped({"images.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()})


def absurd(content: bytes, size: int) -> bytes:
    """A zip whose directory announces that its first member unpacks to so many bytes."""
    changed = bytearray(content)
    place = changed.index(b"PK\x01\x02")
    changed[place + 24 : place + 28] = struct.pack("<I", size)
    return bytes(changed)


#: Each of them is refused: what would fill the memory, or leave the folder, or run something.
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a gzip bomb behind a small header": ("bomb.gz", lambda: gzip_bomb((60, 8, 8), 256)),
    "a gzip bomb that announces nearly 4 GiB": ("bomb.gz", lambda: gzip_bomb((4095, 1024, 1023), 64)),
    "a gzip bomb of one huge picture": ("bomb.gz", lambda: gzip_bomb((1, 2**31, 1), 2)),
    "an IDX header that announces all": ("a-idx3-ubyte", lambda: struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3)),
    "a zip bomb called a picture": ("bomb.zip", lambda: zip_bomb(256)),
    "a zip of an absurd size": ("bomb.zip", lambda: absurd(zipped(PICTURES), 2**32 - 2)),
    "an npz of an absurd size": ("bomb.npz", lambda: absurd(npz(**ARRAYS), 2**32 - 2)),
    "a zip with a name that leads out": ("slip.zip", lambda: zipped(PICTURES | {"../../slip.png": picture("png")})),
    "a zip with an absolute name": ("slip.zip", lambda: zipped(PICTURES | {"/tmp/slip.png": picture("png")})),
    "a zip with a nameless member": ("a.zip", lambda: zipped({"a.png": b"", "3.p": b""}).replace(b"3.p", b"\0.p")),
    "a zip with a table of nesting": ("deep.zip", lambda: zipped(PICTURES | {"dataset.json": b"[" * 10**6})),
    "an npz of a terabyte": ("huge.npz", lambda: array("(1000000, 1000, 1000)")),
    "an npz of nearly 4 GiB": ("huge.npz", lambda: array("(4095, 1024, 1024)")),
    "an npz whose size overflows": ("huge.npz", lambda: array("(4294967296, 4294967296)")),
    "an npz of negative size": ("negative.npz", lambda: array("(-1, 8, 8)")),
    "an npz that is code": ("code.npz", lambda: array("__import__('os')")),
    "an npz of nested tuples": ("deep.npz", lambda: array("(" * 3000 + ")" * 3000)),
    "an npz of unfinished text": ("text.npz", lambda: array("(1,", '"""')),
    "an npz as Python 2 wrote them": ("two.npz", lambda: array("(2L, 8L, 8L)")),
    "an npz of dates": ("dates.npz", lambda: array("(2,)", "'<M8[ns]'")),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives_are_refused_by_name_in_little_memory(what, reader, tmp_path):
    name, content = HOSTILE[what]
    (tmp_path / "inside").mkdir()
    path = tmp_path / "inside" / name
    path.write_bytes(content())
    assert "code" in reader.read(path)
    reader.noted()
    assert [each.name for each in tmp_path.iterdir()] == ["inside"]


def test_real_files_of_mnist_are_read_or_refused_after_an_accident(reader, figure, count, tmp_path):
    source = Path(__file__).parents[2].parent / "shared" / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not source.is_file():
        pytest.skip(f"no real MNIST at {source}")
    content, chance = source.read_bytes(), random.Random(0)
    path = tmp_path / source.name
    for _ in range(count(10, 100)):
        path.write_bytes(mutated(content, PICTURES["3/0.png"], chance))
        reader.read(path)
    figure(f"{reader.refused} refused, {reader.loaded} loaded")
    assert reader.refused > 0.3 * count(10, 100)
