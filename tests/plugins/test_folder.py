"""Folders of pictures: every layout, in memory and from disk, and a sentence for whatever does not fit."""

import errno
import json
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from genframe.errors import ConfigError, DataError
from genframe.training.batches import batches
from genframe_datasets import FolderSettings, genframe_datasets
from genframe_datasets.folder import opens_folder, sources
from genframe_datasets.folder.opening import open_folder
from genframe_datasets.memory import parse_memory

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 8, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "my Bilder 写真"
    folder.mkdir()
    return folder


def save(root, *names, pictures=PICTURES):
    """PNGs of these names, each the next of the pictures."""
    for name, picture in zip(names, pictures, strict=False):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / name)
    return root


def numbered(pattern, count):
    return [pattern.format(i) for i in range(count)]


def opened(root, **settings):
    return open_folder(FolderSettings(path=str(root), **settings))


def everything(dataset, **how):
    return dataset.read(range(len(dataset)), **{"epoch": 0, "seed": 0, **how})


def labels_in(dataset):
    classes = dataset.fields["label"].classes
    return [classes[label] for label in everything(dataset)["label"].tolist()]


def refused(root, **settings):
    with pytest.raises(DataError) as caught:
        opened(root, **settings)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)
    return str(caught.value)


# layouts


def test_a_flat_folder_has_pictures_in_the_order_of_their_names_and_no_labels(root):
    dataset = opened(save(root, *numbered("{:02}.png", 20)))
    assert {name: field.kind for name, field in dataset.fields.items()} == {"image": "image"}
    assert torch.equal(everything(dataset)["image"], torch.from_numpy(PICTURES[:20]).permute(0, 3, 1, 2))
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (18, 2)


def test_folders_are_classes_whatever_their_names(root, capsys):
    names = ["sea side", "Bäume 木", "a.b"]
    save(root, *(f"{name}/deeper/{i} ü.PNG" for name in names for i in range(10)))
    (root / "nothing").mkdir()
    dataset = opened(root)
    assert dataset.fields["label"].classes == ("Bäume 木", "a.b", "sea side")
    assert labels_in(dataset) == ["Bäume 木"] * 10 + ["a.b"] * 10 + ["sea side"] * 10
    assert sorted(labels_in(dataset.split("heldout"))) == ["Bäume 木", "a.b", "sea side"]
    assert "folders without pictures are no classes: nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "val"), ("train", "valid")])
def test_a_test_folder_is_held_out(root, train, test):
    dataset = opened(save(root, *numbered(train + "/{}.png", 5), *numbered(test + "/{}.png", 3)))
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (5, 3)
    heldout = everything(dataset.split("heldout"))["image"]
    assert torch.equal(heldout, torch.from_numpy(PICTURES[5:8]).permute(0, 3, 1, 2))


def test_parts_may_have_classes_and_share_their_numbers(root):
    save(root, *numbered("train/dog/{}.png", 4), *numbered("train/cat/{}.png", 4), *numbered("test/dog/{}.png", 2))
    dataset = opened(root)
    assert dataset.fields["label"].classes == ("cat", "dog")
    assert labels_in(dataset.split("heldout")) == ["dog", "dog"]


def test_a_test_part_without_labels_is_left_out_where_the_training_part_has_them(root, capsys):
    save(root, *numbered("train/dog/{}.png", 10), *numbered("train/cat/{}.png", 10), *numbered("test/{}.png", 9))
    dataset = opened(root)
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (18, 2)
    assert "left out, since it lacks the labels of the training part: test" in capsys.readouterr().err


def test_a_single_folder_around_everything_is_stepped_into(root):
    save(root, *numbered("download/pictures/cat/{}.png", 4), *numbered("download/pictures/dog/{}.png", 4))
    (root / "download" / "README.txt").write_text("hello")
    assert opened(root).fields["label"].classes == ("cat", "dog")


def test_pictures_beside_folders_of_pictures_have_no_labels_and_that_is_said(root, capsys):
    assert list(opened(save(root, "a.png", "cat/b.png", "dog/c.png")).fields) == ["image"]
    assert "both in itself and in folders" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "kind", "classes", "values"),
    [
        ([3, 0, 3, 10], "class", ("0", "3", "10"), [1, 0, 1, 2]),
        ([[3], [0], [3], [10]], "class", ("0", "3", "10"), [1, 0, 1, 2]),
        (
            [[0.5, 1], [0, 2.0], [3, 4], [5, 6]],
            "vector",
            (),
            [[0.5, 1.0], [0.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        ),
    ],
)
def test_stylegans_dataset_json(root, labels, kind, classes, values):
    names = numbered("00000/img{}.png", 4)
    save(root, *names)
    pairs = [[name, label] for name, label in zip(names, labels, strict=True)]
    (root / "dataset.json").write_text(json.dumps({"labels": pairs[::-1]}))
    dataset = opened(root)
    assert (dataset.fields["label"].kind, dataset.fields["label"].classes) == (kind, classes)
    assert everything(dataset)["label"].tolist() == values


@pytest.mark.parametrize("value", ["1" + "0" * 400, "9" * 5000, "NaN", "1e999"])
def test_numbers_that_no_float_holds_are_refused(root, value):
    save(root, "a.png", "b.png")
    (root / "dataset.json").write_text(
        '{"labels": [["a.png", [0.5, 1.0]], ["b.png", [0.5, VALUE]]]}'.replace("VALUE", value)
    )
    with pytest.raises(DataError, match=r"finite numbers|cannot be read"):
        opened(root)


def test_dataset_json_without_labels(root):
    save(root, *numbered("00000/img{}.png", 4))
    (root / "dataset.json").write_text('{"labels": null}')
    assert list(opened(root).fields) == ["image"]


CSV = 'file_name,text,class\n1.png,a tree,oak\n0.png,"a, tree",fir\n2.png,x,oak\n'
SEVERAL = "file_name,hat,smile,age\n0.png,1,0,20\n1.png,0,0,30\n2.png,1,1,40\n"
SIGNED = "file_name,hat,smile\n0.png,1,-1\n1.png,-1,-1\n2.png,1,1\n"
WORDS = "\ufefffile_name,hat,smile\r\n0.png,True,False\r\n1.png,false,False\r\n2.png,true,TRUE\r\n"
FLOATS = "file_name,x,y\n0.png,0.5,1.0\n1.png,-1,2e-1\n2.png,0,0\n"


@pytest.mark.parametrize(
    ("table", "kind", "classes", "values"),
    [
        (CSV, "class", ("fir", "oak"), [0, 1, 1]),
        (SEVERAL, "multilabel", ("hat", "smile"), [[1, 0], [0, 0], [1, 1]]),
        (SIGNED, "multilabel", ("hat", "smile"), [[1, 0], [0, 0], [1, 1]]),
        (WORDS, "multilabel", ("hat", "smile"), [[1, 0], [0, 0], [1, 1]]),
        (FLOATS, "vector", (), [[0.5, 1.0], [-1.0, pytest.approx(0.2)], [0.0, 0.0]]),
    ],
)
def test_a_metadata_table(root, table, kind, classes, values):
    save(root, *numbered("{}.png", 3))
    (root / "metadata.csv").write_bytes(table.encode())
    dataset = opened(root)
    assert (dataset.fields["label"].kind, dataset.fields["label"].classes) == (kind, classes)
    assert everything(dataset)["label"].tolist() == values


def test_metadata_in_lines_of_json_with_parts(root):
    names = ["train/0.png", "train/1.png", "test/2.png"]
    save(root, *names)
    rows = [{"file_name": f"./{name}", "label": i % 2} for i, name in enumerate(names)]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    dataset = opened(root)
    assert dataset.fields["label"].classes == ("0", "1")
    assert everything(dataset.split("heldout"))["label"].tolist() == [0]


def test_each_part_may_have_its_own_table(root):
    save(root, "train/0.png", "train/1.png", "test/0.png")
    (root / "train" / "metadata.csv").write_text("file_name,label\n0.png,b\n1.png,a\n")
    (root / "test" / "metadata.csv").write_text("file_name,label\n0.png,b\n")
    dataset = opened(root)
    assert labels_in(dataset.split("train")) == ["b", "a"]
    assert labels_in(dataset.split("heldout")) == ["b"]


def test_labels_can_be_chosen_or_left_aside(root, capsys):
    save(root, *numbered("{}.png", 3))
    (root / "metadata.csv").write_text(SEVERAL)
    assert list(opened(root, labels="none").fields) == ["image"]
    assert opened(root, labels="age").fields["label"].classes == ("20", "30", "40")
    assert opened(root, labels="age, hat").fields["label"].kind == "vector"
    capsys.readouterr()
    opened(root)
    assert "columns that are not used as labels: age" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="has 'hat', 'smile', 'age'; got 'hut'"):
        opened(root, labels="hut")


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_paired_folders_are_source_and_image(root, direction):
    save(root, *numbered("A/{}.png", 4))
    save(root, *numbered("B/{}.bmp", 4), pictures=PICTURES[10:])
    dataset = opened(root, direction=direction)
    a, b = ("source", "image") if direction == "AtoB" else ("image", "source")
    assert set(dataset.fields) == {"image", "source"}
    assert torch.equal(everything(dataset)[a], torch.from_numpy(PICTURES[:4]).permute(0, 3, 1, 2))
    assert torch.equal(everything(dataset)[b], torch.from_numpy(PICTURES[10:14]).permute(0, 3, 1, 2))


@pytest.mark.parametrize("pattern", ["{part}{side}/{i}.png", "{part}/{side}/{i}.png", "{side}/{part}/{i}.png"])
def test_pairs_may_have_parts(root, pattern):
    for part, count in (("train", 5), ("test", 2)):
        save(root, *(pattern.format(part=part, side=side, i=i) for side in "AB" for i in range(count)))
    dataset = opened(root)
    assert set(dataset.fields) == {"image", "source"}
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (5, 2)


def test_pairs_are_mirrored_together(root):
    save(root, *numbered("A/{}.png", 20))
    save(root, *numbered("B/{}.png", 20))
    batch = everything(opened(root, mirror=True).split("train"))
    assert torch.equal(batch["image"], batch["source"])


def test_other_files_are_ignored(root):
    save(root, "a.png", "b.PNG", ".hidden.png", "__MACOSX/._a.png", ".git/x.png")
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "info.json", "film.mp4"):
        (root / name).write_bytes(b"no picture")
    assert len(opened(root)) == 2


def test_links_are_followed_but_never_in_a_circle(root, tmp_path):
    save(tmp_path / "elsewhere", "0.png", "1.png")
    save(root, "cat/0.png", "cat/1.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "around").symlink_to(root)
    assert opened(root).fields["label"].classes == ("cat", "dog")
    assert len(opened(root)) == 4


def test_names_that_no_terminal_can_show_are_escaped(root):
    for name in (b"caf\xe9", b"new\nline"):
        try:
            os.mkdir(os.path.join(os.fsencode(root), name))
        except OSError:
            pytest.skip("this file system takes UTF-8 only")
        for i in range(2):
            Image.fromarray(PICTURES[i]).save(
                os.path.join(os.fsencode(root), name, b"%d.png" % i).decode(errors="surrogateescape")
            )
    dataset = opened(root)
    assert dataset.fields["label"].classes == ("caf\\udce9", "new\\nline")
    assert everything(dataset)["label"].tolist() == [0, 0, 1, 1]


def test_a_link_to_itself_is_a_bad_picture(root):
    save(root, "a.png", "b.png")
    (root / "c.png").symlink_to(root / "c.png")
    assert "c.png cannot be read: too many levels" in refused(root)
    assert len(opened(root, skip_bad_images=True)) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(root):
    save(root, "a.png", "b.png")
    os.mkfifo(root / "c.png")
    assert len(opened(root)) == 2


# size and channels


def test_pictures_of_one_size_keep_it_and_of_many_are_fitted_to_one(root, capsys):
    save(root, "a.png", "b.png")
    assert opened(root).fields["image"].shape == (3, 6, 8)
    assert capsys.readouterr().err == ""
    Image.new("L", (5, 90)).save(root / "c.png")
    assert opened(root).fields["image"].shape == (3, 5, 5)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "sizes from 6x8 to 90x5: each is cropped to its centre and resized to 5x5" in said


def test_large_pictures_of_many_sizes_become_64_pixels_wide(root):
    for name, size in (("a.png", (200, 100)), ("b.png", (100, 200))):
        Image.new("L", size).save(root / name)
    assert opened(root).fields["image"].shape == (1, 64, 64)
    assert opened(root, image_size="12x20", channels=4).fields["image"].shape == (4, 12, 20)


# memory


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 2**29), ("2GB", 2**31), ("1.5 gib", 3 * 2**29), ("100k", 102400), ("7", 7), ("0", 0)]
)
def test_amounts_of_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["big", "-1GB", "1e9", "GB", "1PB", "9" * 20])
def test_amounts_that_make_no_sense(text):
    with pytest.raises(ConfigError, match=f"512MB or 2GB; got '{text}'"):
        parse_memory(text)


def test_a_quarter_of_the_machine_by_default():
    assert 2**26 < parse_memory("") < 2**44


@pytest.fixture
def mixed(root):
    """Classes of pictures of many sizes and formats."""
    for i, picture in enumerate(PICTURES):
        image = Image.fromarray(picture).resize((8 + i, 50 - i))
        path = root / f"class {i % 3}" / f"{i}.{('png', 'jpg', 'webp', 'bmp')[i % 4]}"
        path.parent.mkdir(exist_ok=True)
        image.save(path)
    return root


def test_from_disk_come_the_same_bytes_as_from_memory(mixed):
    kept, streamed = (opened(mixed, memory=memory, mirror=True, crop=0.8) for memory in ("1GB", "1KB"))
    assert type(kept.store) is not type(streamed.store)
    assert streamed.fields == kept.fields
    assert len(streamed) == len(kept)
    streams = [
        batches(pickle.loads(pickle.dumps(data.split("train"))), batch_size=9, seed=3) for data in (kept, streamed)
    ]
    for _, (one, other) in zip(range(9), zip(*streams, strict=False), strict=False):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(everything(kept.split("heldout"))["image"], everything(streamed.split("heldout"))["image"])
    nothing = streamed.split("heldout").read([], epoch=0, seed=0)
    assert nothing["image"].shape == (0, *kept.fields["image"].shape)


def test_reading_processes_bring_the_same_batches(mixed):
    train = opened(mixed, memory="1KB").split("train")
    alone, helped = (batches(train, batch_size=9, seed=3, workers=workers) for workers in (0, 2))
    for _ in range(5):
        one, other = next(alone), next(helped)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_opening_twice_gives_the_same_and_changes_nothing(mixed):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [mixed, *mixed.rglob("*")]}

    before = state()
    one, other = (everything(opened(mixed))["image"] for _ in range(2))
    everything(opened(mixed, memory="1KB"))
    assert torch.equal(one, other)
    assert state() == before


# faults


def test_a_bad_picture_stops_there_or_is_skipped_and_counted(root, capsys):
    save(root, *numbered("{}.png", 8))
    (root / "3.png").write_bytes((root / "3.png").read_bytes()[:60])
    (root / "5.png").write_bytes(b"")
    (root / "9.png").symlink_to(root / "gone")
    assert "cannot be read" in refused(root)
    dataset = opened(root, skip_bad_images=True)
    assert len(dataset) == 6
    said = capsys.readouterr().err
    assert "skipped 3 of 9 pictures that cannot be read: 3.png (" in said
    assert "5.png (empty), 9.png (no such file or directory)" in said
    good = torch.from_numpy(PICTURES[[0, 1, 2, 4, 6, 7]]).permute(0, 3, 1, 2)
    assert torch.equal(everything(dataset)["image"], good)


def test_from_disk_the_next_of_the_same_part_stands_in_for_a_bad_picture(root, capsys):
    save(root, *numbered("train/{}.png", 4), *numbered("test/{}.png", 2))
    (root / "train" / "3.png").write_bytes(b"no")
    dataset = opened(root, memory="0", skip_bad_images=True)
    images = everything(dataset)["image"]
    assert torch.equal(images[3], images[0])
    assert len(dataset) == 6
    everything(dataset)
    assert capsys.readouterr().err.count("skipped train/3.png (not a picture") == 1
    with pytest.raises(DataError, match=r"train/3\.png cannot be read: not a picture"):
        opened(root, memory="0")


def test_folders_without_enough_pictures(root):
    assert "has no pictures, no files at all" in refused(root)
    (root / "notes.txt").write_text("hello")
    assert "has no pictures, none among its 1 files (notes.txt)" in refused(root)
    assert "has 1 picture to read; at least 2" in refused(save(root, "a.png"))
    (root / "a.png").write_bytes(b"no")
    assert "none of the pictures can be read" in refused(root, skip_bad_images=True)
    assert "there is no file or folder" in refused(root / "absent")
    with pytest.raises(ConfigError, match="give its path"):
        open_folder(FolderSettings())


def test_a_part_of_which_nothing_can_be_read(root):
    save(root, "train/0.png", "train/1.png", "test/0.png")
    (root / "test" / "0.png").write_bytes(b"no")
    assert "in its train or in its test part" in refused(root, skip_bad_images=True)


def test_what_may_not_be_read_is_named(root, monkeypatch):
    save(root, "a.png", "b.png", "deep/c.png")
    scandir, really_open = os.scandir, open

    def forbid(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    # The superuser, who often runs tests, may read everything.
    picky = lambda *how: forbid(*how) if "a.png" in how[0] else really_open(*how)  # noqa: E731
    monkeypatch.setattr(sources, "open", picky, raising=False)
    assert "a.png cannot be read: permission denied" in refused(root)
    assert len(opened(root, skip_bad_images=True)) == 2
    monkeypatch.setattr(os, "scandir", lambda path: forbid(path) if "deep" in str(path) else scandir(path))
    assert "deep/ cannot be listed: permission denied; make it readable" in refused(root, skip_bad_images=True)


@pytest.mark.parametrize(
    ("table", "content", "sentence"),
    [
        ("dataset.json", "{", "cannot be read; it is"),
        ("dataset.json", "[]", "cannot be read; it is"),
        ("dataset.json", '{"labels": [["0.png"]]}', "cannot be read; it is"),
        (
            "dataset.json",
            '{"labels": [["0.png", 1], ["1.png", 2], ["9.png", 1]]}',
            "1 pictures that are not there: 9.png",
        ),
        (
            "dataset.json",
            '{"labels": [["0.png", 1], ["../1.png", 2]]}',
            "are not there: ../1.png, and says nothing of 1",
        ),
        ("dataset.json", '{"labels": [["0.png", 1]]}', "says nothing of 1 pictures: 1.png; complete it"),
        ("dataset.json", '{"labels": [["0.png", 1], ["0.png", 2]]}', "names 0.png twice"),
        ("dataset.json", '{"labels": [["0.png", [1.0, 2]], ["1.png", [1.0]]]}', "the label of 1.png in"),
        ("dataset.json", '{"labels": [["0.png", [1.0, 2]], ["1.png", [1.0, NaN]]]}', "the label of 1.png in"),
        ("dataset.json", '{"labels": [["0.png", 1], ["1.png", null]]}', "has None for 1.png"),
        ("metadata.csv", "file_name,label\n0.png,a\n1.png,\n", "has None for 1.png"),
        ("metadata.csv", "file_name,label\n0.png,a\n1.png\n", "has 1 values in the row of 1.png"),
        ("metadata.csv", "name,label\n0.png,a\n", "has a row without 'file_name'"),
        ("metadata.csv", "", "cannot be read as CSV"),
        ("metadata.csv", 'file_name,label\n"0.png,a\n', "cannot be read as CSV"),
        ("metadata.csv", "file_name,label\n0.png,b\xff\n", "is not UTF-8"),
        ("metadata.csv", "file_name,label\n", "or no rows"),
        ("metadata.jsonl", '{"file_name": "0.png"}\n[]\n', "a line is no object"),
        ("metadata.jsonl", '{"file_name": "0.png"\n', "cannot be read: "),
        ("metadata.jsonl", '{"file_name": 7}\n', "has a row without 'file_name'"),
    ],
)
def test_a_table_that_does_not_fit_is_a_sentence(root, table, content, sentence):
    save(root, "0.png", "1.png")
    (root / table).write_bytes(content.encode("latin-1"))
    assert sentence in refused(root)


def test_what_a_table_lacks_can_be_skipped(root, capsys):
    save(root, *numbered("{}.png", 5))
    (root / "metadata.csv").write_text("file_name,label\n0.png,a\n1.png,b\n7.png,a\n")
    assert len(opened(root, skip_bad_images=True)) == 2
    assert "says nothing of 3 pictures: 2.png, 3.png, 4.png; these are skipped" in capsys.readouterr().err


def test_pairs_that_are_incomplete_are_named_or_skipped(root, capsys):
    save(root, *numbered("A/{}.png", 6), "B/0.png", "B/1.png", "B/x.png")
    assert "5 pictures of" in refused(root)
    assert "A/2.png, A/3.png, A/4.png and 2 more" in refused(root)
    assert len(opened(root, skip_bad_images=True)) == 2
    assert "skipped 5 pictures without a partner" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="AtoB or BtoA; got 'back'"):
        opened(root, direction="back")
    assert "has both 0.bmp and 0.png" in refused(save(root, "A/0.bmp"))


# claims


def test_folders_and_zips_are_claimed_and_folders_of_other_sets_are_not(root, tmp_path):
    (spec,) = [spec for spec in genframe_datasets() if spec.name == "folder"]
    assert spec.opens is opens_folder
    assert opens_folder(root)
    assert opens_folder(tmp_path / "A.ZIP")
    assert not opens_folder(tmp_path / "a.npz")
    assert not opens_folder(tmp_path / "absent")
    (root / "train-images-idx3-ubyte.gz").touch()
    assert not opens_folder(root)
    assert opens_folder(save(root, "a.png"))


def test_a_run_on_a_folder_ends_with_the_sentence(root, cli):
    save(root, "a.png", "b.png")
    (root / "b.png").write_bytes(b"")
    result = cli("run", "--plugin", "cdcgan", "--data", root, "--conditioning", "none", "--dry-run")
    assert result.code == 3
    assert f"{root}/b.png cannot be read: empty" in result.err


def test_a_torn_picture_met_by_a_reader_ends_the_run_in_one_sentence(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(np.full((8, 8, 3), number, dtype=np.uint8)).save(folder / f"{number:02d}.png")
    whole = (folder / "11.png").read_bytes()
    (folder / "11.png").write_bytes(whole[: len(whole) // 2 + 8])
    words = ("--data-memory", "1KB", "--workers", "2", "--batch-size", "8", "--set", "architecture.width=8")
    result = cli("run", "--plugin", "dcgan", "--data", folder, *words, "--steps", "30")
    assert result.code == 3, result.err
    assert "11.png" in result.err.splitlines()[-1]
    assert "Traceback" not in result.err
