"""Named sets: read where they lie, recognised by what they contain, and a sentence where it is something else."""

import dataclasses
import gzip
import hashlib
import io
import os
import shutil
import tarfile

import numpy as np
import pytest
import torch
from scipy.io import savemat

from genframe.errors import DataError
from genframe_datasets import NamedSettings, named, published
from genframe_datasets.named import open_cifar10, open_fashion_mnist, open_mnist, open_svhn
from genframe_datasets.published import CIFAR10, FASHION_MNIST, IDX_NAMES, MNIST, SETS, SVHN

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

RNG = np.random.default_rng(0)


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


def described(file, content, **what):
    """The record of a made-up file."""
    return dataclasses.replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest(), **what)


@pytest.fixture
def publish(monkeypatch):
    """Puts a record into the table for this test, without mirrors."""

    def put(constant, record, **changes):
        changed = dataclasses.replace(record, mirrors=(), **changes)
        monkeypatch.setitem(SETS, record.name, changed)
        for module in (published, named):
            monkeypatch.setattr(module, constant, changed)
        return changed

    return put


@pytest.fixture
def no_mirrors(publish):
    publish("MNIST", MNIST)
    publish("FASHION_MNIST", FASHION_MNIST)


@pytest.fixture(scope="module")
def mnist_files(shared_data):
    return shared_data / "mnist"


@pytest.fixture(scope="module")
def mnist(mnist_files):
    return open_mnist(NamedSettings(data_dir=str(mnist_files)))


def said(open_set, folder):
    with pytest.raises(DataError) as caught:
        open_set(NamedSettings(data_dir=str(folder)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# MNIST


def test_mnist_has_its_classes_and_counts(mnist):
    train, heldout = mnist.split("train"), mnist.split("heldout")
    assert torch.bincount(everything(train)["label"]).tolist() == TRAIN_COUNTS
    assert torch.bincount(everything(heldout)["label"]).tolist() == TEST_COUNTS
    assert mnist.fields["label"].classes == tuple("0123456789")
    image = everything(mnist)["image"]
    assert image.shape == (70_000, 1, 28, 28)
    assert image[:60_000].float().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_the_users_folder_is_only_read(mnist_files, mnist):
    assert {path.name for path in mnist_files.iterdir()} == {*IDX_NAMES, "README.md"}


def test_the_folder_may_be_one_for_all_sets_and_come_from_the_environment(mnist_files, tmp_path, monkeypatch):
    os.symlink(mnist_files, tmp_path / "mnist")
    monkeypatch.setenv("GENFRAME_DATA", str(tmp_path))
    assert len(open_mnist(NamedSettings())) == 70_000


def test_without_a_folder_files_lie_in_the_cache(mnist_files, tmp_path, monkeypatch):
    (tmp_path / ".cache" / "genframe").mkdir(parents=True)
    os.symlink(mnist_files, tmp_path / ".cache" / "genframe" / "mnist")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(open_mnist(NamedSettings())) == 70_000


@pytest.mark.usefixtures("no_mirrors")
def test_files_that_were_unpacked_or_packed_anew_are_still_mnist(mnist_files, tmp_path, mnist):
    for name in IDX_NAMES[1:]:
        shutil.copy(mnist_files / name, tmp_path / name)
    content = gzip.decompress((mnist_files / IDX_NAMES[2]).read_bytes())
    (tmp_path / IDX_NAMES[2]).write_bytes(gzip.compress(content, 1))
    content = gzip.decompress((mnist_files / IDX_NAMES[0]).read_bytes())
    (tmp_path / IDX_NAMES[0].removesuffix(".gz")).write_bytes(content)
    again = open_mnist(NamedSettings(data_dir=str(tmp_path)))
    assert torch.equal(everything(again)["image"], everything(mnist)["image"])


def test_the_command_line_finds_it(cli, mnist_files):
    words = ("run", "--plugin", "cdcgan", "--data", "mnist", "--data-dir", mnist_files, "--dry-run")
    result = cli(*words)
    assert result.code == 0, result.err
    assert str(mnist_files) in result.out


# something else


@pytest.mark.usefixtures("no_mirrors")
def test_fashion_mnist_is_not_what_lies_where_mnist_lies(mnist_files):
    text = said(open_fashion_mnist, mnist_files)
    assert f"{mnist_files / IDX_NAMES[0]} is not {IDX_NAMES[0]} of Fashion-MNIST: it is {IDX_NAMES[0]} of MNIST" in text
    assert "--data-dir" in text


@pytest.mark.usefixtures("no_mirrors")
def test_files_that_were_swapped_are_named(mnist_files, tmp_path):
    for name, other in zip(IDX_NAMES, (IDX_NAMES[2], IDX_NAMES[3], IDX_NAMES[0], IDX_NAMES[1]), strict=True):
        os.symlink(mnist_files / other, tmp_path / name)
    assert f"it is {IDX_NAMES[2]} of MNIST" in said(open_mnist, tmp_path)


@pytest.mark.usefixtures("no_mirrors")
def test_a_right_file_counts_even_where_a_wrong_one_lies_first(mnist_files, tmp_path):
    (tmp_path / IDX_NAMES[1]).write_bytes(b"something else")
    os.symlink(mnist_files, tmp_path / "mnist")
    assert len(open_mnist(NamedSettings(data_dir=str(tmp_path)))) == 70_000


@pytest.mark.usefixtures("no_mirrors")
@pytest.mark.parametrize("content", [b"", b"something else", gzip.compress(b"\0\0\x08\x03" + bytes(12), mtime=0)])
def test_unknown_content_is_said_to_be_unknown(content, tmp_path):
    (tmp_path / IDX_NAMES[0]).write_bytes(content)
    assert str(tmp_path / IDX_NAMES[0]) in said(open_mnist, tmp_path)


@pytest.mark.usefixtures("no_mirrors")
def test_a_damaged_file_is_named(mnist_files, tmp_path):
    content = bytearray((mnist_files / IDX_NAMES[2]).read_bytes())
    content[len(content) // 2] ^= 1
    for name in IDX_NAMES:
        os.symlink(mnist_files / name, tmp_path / name)
    (tmp_path / IDX_NAMES[2]).unlink()
    (tmp_path / IDX_NAMES[2]).write_bytes(bytes(content))
    assert str(tmp_path / IDX_NAMES[2]) in said(open_mnist, tmp_path)


@pytest.mark.usefixtures("no_mirrors")
def test_missing_files_are_named_with_the_place_where_they_belong(mnist_files, tmp_path):
    os.symlink(mnist_files / IDX_NAMES[0], tmp_path / IDX_NAMES[0])
    text = said(open_mnist, tmp_path)
    assert all(name in text for name in IDX_NAMES[1:])
    assert IDX_NAMES[0] not in text
    assert str(tmp_path / "mnist") in text
    assert not (tmp_path / "mnist").exists()


# CIFAR-10


@pytest.fixture
def cifar(publish, tmp_path):
    """Made-up batches of 20 records each: loose in a folder, and the archive of them."""
    records = RNG.integers(0, 256, (6, 20, 3073), dtype=np.uint8)
    records[:, :, 0] = np.arange(20) % 10
    loose, folder = [], tmp_path / "loose" / CIFAR10.folder
    folder.mkdir(parents=True)
    for file, part in zip(CIFAR10.loose, records, strict=True):
        content = part.tobytes()
        start = (3073, hashlib.sha256(content[:3073]).hexdigest()) if file.start else None
        loose.append(dataclasses.replace(file, size=len(content), start=start))
        (folder / file.name).write_bytes(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, arcname=CIFAR10.folder)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / CIFAR10.files[0].name).write_bytes(packed.getvalue())
    publish("CIFAR10", CIFAR10, files=(described(CIFAR10.files[0], packed.getvalue()),), loose=tuple(loose))
    return records, tmp_path


@pytest.mark.parametrize("where", ["loose", "packed", f"loose/{CIFAR10.folder}"])
def test_cifar10_is_read_packed_and_unpacked(cifar, where):
    records, folder = cifar
    dataset = open_cifar10(NamedSettings(data_dir=str(folder / where)))
    batch = everything(dataset)
    assert torch.equal(batch["image"], torch.from_numpy(records[:, :, 1:].reshape(-1, 3, 32, 32)))
    assert batch["label"].tolist() == list(range(10)) * 12
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (100, 20)
    assert dataset.fields["label"].classes[6] == "frog"


def test_cifar10_of_another_beginning_is_refused(cifar):
    _, folder = cifar
    path = folder / "loose" / CIFAR10.folder / "data_batch_1.bin"
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    assert f"{path} is not data_batch_1.bin of CIFAR-10" in said(open_cifar10, folder / "loose")


@pytest.mark.parametrize("label", [3, 200])
def test_cifar10_with_other_labels_is_refused(cifar, label):
    _, folder = cifar
    path = folder / "loose" / CIFAR10.folder / "data_batch_3.bin"
    content = bytearray(path.read_bytes())
    content[0] = label
    path.write_bytes(content)
    assert "does not hold 10 training pictures of each class" in said(open_cifar10, folder / "loose")


def test_the_beginnings_of_cifar10_are_those_of_the_real_pictures(shared_data):
    with np.load(shared_data / "cifar10-subset" / "cifar10_subset.npz") as arrays:
        for part, file in (("train", CIFAR10.loose[0]), ("test", CIFAR10.loose[-1])):
            planes = arrays[f"x_{part}"].transpose(0, 3, 1, 2).reshape(-1, 3072)
            records = np.concatenate([arrays[f"y_{part}"].astype(np.uint8)[:, None], planes], axis=1)
            assert file.start == (records.size, hashlib.sha256(records.tobytes()).hexdigest())


# SVHN


@pytest.fixture
def svhn(publish, tmp_path):
    """Two made-up files, of 30 and 10 pictures."""
    parts, files = [], []
    for file, count in zip(SVHN.files, (30, 10), strict=True):
        pixels = RNG.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        savemat(tmp_path / file.name, {"X": pixels, "y": (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]})
        files.append(described(file, (tmp_path / file.name).read_bytes()))
        parts.append(pixels)
    publish("SVHN", SVHN, files=tuple(files))
    return parts, tmp_path


def test_svhn_is_read_and_its_label_10_is_the_digit_0(svhn):
    parts, folder = svhn
    dataset = open_svhn(NamedSettings(data_dir=str(folder)))
    batch = everything(dataset)
    assert torch.equal(batch["image"], torch.from_numpy(np.concatenate(parts, axis=3)).permute(3, 2, 0, 1))
    assert batch["label"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 4
    assert len(dataset.split("heldout")) == 10


def test_a_file_of_svhn_that_is_not_the_published_one_is_not_even_parsed(svhn):
    _, folder = svhn
    (folder / "test_32x32.mat").write_bytes(b"\x80\x04cos\nsystem")
    assert "its content is unknown" in said(open_svhn, folder)


# the table


def test_every_published_file_has_a_digest_and_no_two_are_alike():
    files = [file for record in SETS.values() for file in record.files]
    digests = [file.sha256 for file in files]
    assert len({*digests}) == len(digests) == 11
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests)
    assert all(mirror.endswith("/") for record in SETS.values() for mirror in record.mirrors)


def test_the_digests_of_mnist_are_those_of_the_real_files(mnist_files):
    for file in MNIST.files:
        content = (mnist_files / file.name).read_bytes()
        unpacked = gzip.decompress(content)
        assert described(file, content, unpacked=(len(unpacked), hashlib.sha256(unpacked).hexdigest())) == file


def test_fashion_mnist_names_its_clothes():
    assert FASHION_MNIST.classes[9] == "Ankle boot"
    assert len(FASHION_MNIST.classes) == 10
