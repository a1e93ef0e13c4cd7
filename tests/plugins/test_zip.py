"""Pictures inside a zip: as in a folder, without anything extracted, and a sentence for each unsafe archive."""

import io
import json
import pickle
import random
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from genframe.errors import DataError
from genframe.training.batches import batches
from genframe_datasets import FolderSettings
from genframe_datasets.folder.opening import open_folder
from genframe_datasets.folder.sources import MEMBER_LIMIT, Archive

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 8, 3), dtype=np.uint8)


def png(picture):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def pictures(*names):
    return {name: png(picture) for name, picture in zip(names, PICTURES, strict=False)}


def opened(path, **settings):
    return open_folder(FolderSettings(path=str(path), **settings))


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my Bilder.zip"


@pytest.fixture
def refused(path):
    def sentence(**settings):
        with pytest.raises(DataError) as caught:
            opened(path, **settings)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return sentence


TABLE = json.dumps({"labels": [["00000/0.png", 1], ["00000/1.png", 0]]})

LAYOUTS = {
    "flat": pictures("a.png", "b ü.png"),
    "classes": pictures("Bäume 木/0.png", "Bäume 木/1.png", "sea side/0.png", "sea side/1.png"),
    "parts": pictures("train/cat/0.png", "train/dog/0.png", "test/cat/0.png"),
    "dataset.json": pictures("00000/0.png", "00000/1.png") | {"dataset.json": TABLE},
    "metadata": pictures("0.png", "1.png") | {"metadata.csv": "file_name,label\n0.png,b\n1.png,a\n"},
    "pairs": pictures("A/0.png", "A/1.png", "B/0.png", "B/1.png"),
    "wrapped": pictures("all/cat/0.png", "all/cat/1.png", "all/dog/0.png", "__MACOSX/all/cat/._0.png", ".x/c.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("memory", ["1GB", "0"])
def test_a_zip_is_read_as_the_folder_that_it_was_made_of(path, tmp_path, layout, memory):
    packed(path, LAYOUTS[layout])
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    zipped, folder = opened(path, memory=memory), opened(tmp_path / "folder")
    assert zipped.fields == folder.fields
    assert torch.equal(zipped.heldout, folder.heldout)
    one, other = everything(zipped), everything(folder)
    assert all(torch.equal(one[name], other[name]) for name in folder.fields)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_way_of_packing_is_read(path, method):
    dataset = opened(packed(path, LAYOUTS["flat"], method))
    assert torch.equal(everything(dataset)["image"], torch.from_numpy(PICTURES[:2]).permute(0, 3, 1, 2))


def test_each_process_opens_the_zip_itself(path):
    train = opened(packed(path, pictures(*(f"{i:02}.png" for i in range(40)))), memory="0").split("train")
    alone, helped = (batches(train, batch_size=8, seed=1, workers=workers) for workers in (0, 2))
    assert all(torch.equal(next(alone)["image"], next(helped)["image"]) for _ in range(8))
    copied = pickle.loads(pickle.dumps(train))
    assert torch.equal(everything(copied)["image"], everything(train)["image"])
    assert len(pickle.dumps(Archive(str(path)))) < 1000


def test_reading_leaves_nothing_behind(path):
    everything(opened(packed(path, LAYOUTS["classes"])))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "..\\x.png", "a/.."])
def test_names_that_lead_out_of_the_zip_are_refused(path, refused, name):
    packed(path, LAYOUTS["flat"] | {name: png(PICTURES[5])})
    sentence = refused(skip_bad_images=True)
    assert f"{name.replace(chr(92), '/')} is a path that leads out of the zip" in sentence


def test_a_name_that_occurs_twice_is_refused(path, refused):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for picture in PICTURES[:3]:
            archive.writestr("a.png", png(picture))
    assert "holds the name a.png twice" in refused()


def test_a_file_without_a_name_is_refused(path, refused):
    path.write_bytes(packed(path, {"a.png": b"", "q.p": b""}).read_bytes().replace(b"q.p", b"\0.p"))
    assert "holds a file without a name; pack it anew" in refused()


def test_encrypted_members_are_refused(path, refused):
    packed(path, LAYOUTS["flat"])
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 8] |= 1
    path.write_bytes(content)
    assert "a.png is encrypted; pack it anew without a password" in refused()


def test_a_member_that_announces_too_much_is_refused_unread(path, refused):
    packed(path, LAYOUTS["flat"])
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (MEMBER_LIMIT + 1).to_bytes(4, "little")
    path.write_bytes(content)
    assert "a.png unpacks to 537 MB; no file may have more than 537 MB" in refused()


def test_a_bomb_of_zeros_is_no_picture(path, refused):
    packed(path, LAYOUTS["flat"] | {"c.png": bytes(30_000_000)})
    assert "c.png cannot be read: not a picture" in refused()


def test_other_large_members_do_not_matter(path):
    packed(path, LAYOUTS["flat"] | {"film.mp4": bytes(3_000_000), "Thumbs.db": b"", "deep/": b""})
    assert len(opened(path)) == 2


def test_what_is_no_zip_is_refused(path, refused):
    path.write_text("no zip")
    assert "cannot be opened as a zip: File is not a zip file" in refused()
    path.write_bytes(b"")
    assert "cannot be opened as a zip" in refused()
    path.write_bytes(packed(path, LAYOUTS["flat"]).read_bytes()[:-30])
    assert "cannot be opened as a zip" in refused()
    packed(path, {})
    assert "has no pictures, no files at all" in refused()
    packed(path, {"images.npy": b"", "labels.npy": b""})
    assert "has no pictures, none among its 2 files (images.npy, labels.npy)" in refused()


def test_damage_inside_is_named_or_skipped(path, refused, capsys):
    packed(path, pictures("a.png", "b.png", "c.png"), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 0xFF
    path.write_bytes(content)
    assert "a.png cannot be read: damaged (" in refused()
    assert len(opened(path, skip_bad_images=True)) == 2
    assert "skipped 1 of 3 pictures that cannot be read: a.png (damaged" in capsys.readouterr().err


def test_mutated_zips_are_datasets_or_sentences(path):
    whole = packed(path, LAYOUTS["dataset.json"]).read_bytes()
    chance, refusals = random.Random(0), []
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: len(content) if chance.random() < 0.8 else chance.randrange(len(content))])
        try:
            everything(opened(path))
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert not any("\n" in sentence for sentence in refusals)
