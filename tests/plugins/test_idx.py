"""IDX files: the real ones, everything that belongs together by name, and a sentence for each fault."""

import contextlib
import gzip
import random
import shutil
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from genframe.errors import ConfigError, DataError
from genframe_datasets import IdxSettings
from genframe_datasets.idx import LIMIT, inspect, open_idx
from genframe_datasets.idx_paths import opens_idx

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 5, 7), dtype=np.uint8)
LABELS = (np.arange(40) % 4).astype(np.uint8)


def idx(array, *, kind=8, shape=None):
    shape = array.shape if shape is None else shape
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


def everything(dataset):
    return dataset.read(range(len(dataset)), epoch=0, seed=0)


@pytest.fixture
def folder(tmp_path):
    """Training and test files as MNIST has them, one pair packed and the other not."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(PIXELS))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(255 - PIXELS[:8])))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:8]))
    return tmp_path


@pytest.fixture
def refused():
    """What is said of a path that cannot be read; it names the path, or the file beside it that is at fault."""

    def sentence(path, named=None):
        with pytest.raises(DataError) as caught:
            open_idx(IdxSettings(path=str(path)))
        assert str(named or path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return sentence


# the real ones


@pytest.fixture(scope="module")
def real(shared_data):
    return open_idx(IdxSettings(path=str(shared_data / "mnist")))


def test_mnist_comes_with_its_own_test_part_and_its_counts(real):
    train, heldout = real.split("train"), real.split("heldout")
    assert torch.bincount(everything(train)["label"]).tolist() == TRAIN_COUNTS
    assert torch.bincount(everything(heldout)["label"]).tolist() == TEST_COUNTS
    assert real.fields["image"].shape == (1, 28, 28)


def test_the_test_file_alone_is_a_set_of_which_a_tenth_is_held_out(shared_data):
    dataset = open_idx(IdxSettings(path=str(shared_data / "mnist" / "t10k-images-idx3-ubyte.gz")))
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (9000, 1000)
    assert torch.bincount(everything(dataset)["label"]).tolist() == TEST_COUNTS


def test_the_command_line_opens_real_files_by_their_path(cli, shared_data):
    shown = cli("run", "--plugin", "cdcgan", "--data", shared_data / "mnist" / "t10k-images-idx3-ubyte.gz", "--dry-run")
    assert shown.code == 0, shown.err
    assert 'name = "idx"' in shown.out


# what belongs together


def test_a_folder_the_training_file_and_the_packed_one_are_the_same_set(folder):
    wanted = everything(open_idx(IdxSettings(path=str(folder))))
    assert torch.equal(wanted["image"][:40, 0], torch.from_numpy(PIXELS))
    assert torch.equal(wanted["image"][40:, 0], 255 - torch.from_numpy(PIXELS[:8]))
    assert wanted["label"].tolist() == [*LABELS, *LABELS[:8]]
    again = open_idx(IdxSettings(path=str(folder / "train-images-idx3-ubyte")))
    assert torch.equal(everything(again)["image"], wanted["image"])
    assert again.heldout.tolist() == [False] * 40 + [True] * 8


def test_without_labels_there_are_pictures_alone(tmp_path):
    (tmp_path / "my pictures é").write_bytes(idx(PIXELS))
    dataset = open_idx(IdxSettings(path=str(tmp_path / "my pictures é")))
    assert set(dataset.fields) == {"image"}
    assert len(dataset.split("heldout")) == 4


def test_a_file_of_several_gzip_members_is_one_file(tmp_path):
    content = idx(PIXELS)
    (tmp_path / "a").write_bytes(gzip.compress(content[:100]) + gzip.compress(content[100:]))
    image = everything(open_idx(IdxSettings(path=str(tmp_path / "a"))))["image"]
    assert torch.equal(image[:, 0], torch.from_numpy(PIXELS))


def test_emnist_calls_its_test_part_test(tmp_path):
    for part, count in (("train", 40), ("test", 10)):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(PIXELS[:count]))
    dataset = open_idx(IdxSettings(path=str(tmp_path / "emnist-letters-train-images-idx3-ubyte")))
    assert len(dataset.split("heldout")) == 10


def test_size_channels_and_mirror_apply(folder):
    dataset = open_idx(IdxSettings(path=str(folder), image_size="6x8", channels=3, mirror=True))
    assert dataset.fields["image"].shape == (3, 6, 8)
    assert dataset.augment.mirror


# recognising


def test_files_are_recognised_by_their_first_bytes_packed_or_not(folder, tmp_path):
    (tmp_path / "plain").write_bytes(idx(PIXELS))
    (tmp_path / "packed.bin").write_bytes(gzip.compress(idx(LABELS)))
    assert opens_idx(tmp_path / "plain")
    assert opens_idx(tmp_path / "packed.bin")
    assert opens_idx(folder)


def test_a_file_that_is_called_idx_is_claimed_so_that_its_fault_is_said(cli, tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(b"")
    assert opens_idx(path)
    result = cli("run", "--plugin", "cdcgan", "--data", path)
    assert result.code == 3
    assert result.err.count("\n") == 1
    assert "begins with nothing" in result.err


def test_other_things_are_left_to_others(tmp_path, shared_data):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "zeros").write_bytes(bytes(100))
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08\x00garbage")
    (tmp_path / "empty").mkdir()
    for path in ("text", "zeros", "broken.gz", "empty", "missing", "a" * 5000, "nul\0"):
        assert not opens_idx(tmp_path / path)
    assert not opens_idx(shared_data / "cifar10-subset" / "cifar10_subset.npz")


# faults


def test_a_path_is_needed():
    with pytest.raises(ConfigError, match="give its path"):
        open_idx(IdxSettings())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG\r\n\x1a\n", "begins with 89 50 4e 47"),
        (idx(PIXELS)[:9], "cut off in its header"),
        (idx(PIXELS)[:-1], "announces 40 x 5 x 7 = 1,400 bytes and holds 1,399"),
        (idx(PIXELS) + b"!", "holds 1,401"),
        (gzip.compress(idx(PIXELS)[:-1], mtime=0), "holds 1,399"),
        (gzip.compress(idx(PIXELS) + b"!", mtime=0), "and holds more"),
        (gzip.compress(idx(PIXELS), mtime=0)[:-12], "cannot be read: Compressed file ended"),
        (gzip.compress(idx(PIXELS), mtime=0)[:-8] + bytes(8), "cannot be read: CRC check failed"),
        (idx(PIXELS, shape=(40, 0, 7)), "is empty"),
        (idx(PIXELS, shape=(2**32 - 1,) * 3), "at most 4,294,967,296 are read"),
        (idx(PIXELS, kind=13), "holds floats along 3 axes, not pictures"),
        (idx(PIXELS, shape=(40, 35)), "holds bytes along 2 axes, not pictures"),
        (idx(PIXELS[:1]), "has 1 picture"),
        (idx(LABELS), "holds labels, not pictures"),
    ],
)
def test_each_fault_has_its_sentence(content, said, tmp_path, refused):
    (tmp_path / "file").write_bytes(content)
    assert said in refused(tmp_path / "file")


def test_labels_given_as_pictures_name_the_pictures_beside_them(folder, refused):
    assert f"give {folder / 'train-images-idx3-ubyte'}" in refused(folder / "train-labels-idx1-ubyte.gz")


def test_counts_that_differ_are_both_said(folder, refused):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:39])))
    assert "has 40 pictures and" in refused(folder / "train-images-idx3-ubyte")


def test_pictures_where_labels_should_be(folder, refused):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(PIXELS))
    said = refused(folder / "train-images-idx3-ubyte", named=folder / "train-labels-idx1-ubyte.gz")
    assert "holds bytes along 3 axes, not labels" in said


def test_labels_of_one_part_only(folder, refused):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    said = refused(folder / "train-images-idx3-ubyte", named=folder / "train-labels-idx1-ubyte.gz")
    assert "labels one part only" in said


def test_parts_of_two_sizes(folder, refused):
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(idx(PIXELS[:8, :4]))
    assert "5x7" in refused(folder / "train-images-idx3-ubyte")


def test_missing_files_and_folders_without_pictures(tmp_path, refused):
    assert "there is no file" in refused(tmp_path / "missing")
    assert "has no train-images-idx3-ubyte" in refused(tmp_path)


# bombs


@pytest.fixture
def frugal():
    """Fails where what is inside takes a megabyte or more."""

    @contextlib.contextmanager
    def measured():
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()

    return measured


@pytest.mark.parametrize("announced", [2**22, 2**31, LIMIT - 2**10])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_header_that_announces_more_than_the_file_can_hold_takes_no_memory(
    announced, pack, tmp_path, refused, frugal
):
    (tmp_path / "file").write_bytes(pack(idx(PIXELS, shape=(announced // 2**10, 32, 32))))
    with frugal():
        assert "announces" in refused(tmp_path / "file")


def test_a_packed_file_is_unpacked_no_further_than_its_header_announces(tmp_path, refused, frugal):
    (tmp_path / "bomb").write_bytes(gzip.compress(idx(PIXELS) + bytes(100 * 2**20), 1))
    with frugal():
        assert "holds more" in refused(tmp_path / "bomb")


# a hundred mutations


def mutated(content, rng):
    """The content after one accident: bytes changed, cut off, repeated, or inserted."""
    content, place = bytearray(content), rng.randrange(len(content))
    accident = rng.randrange(4)
    if accident == 0:
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(rng.choice((20, len(content))))] = rng.randrange(256)
    elif accident == 1:
        del content[place:]
    elif accident == 2:
        content += content[place:]
    else:
        content[place:place] = rng.randbytes(rng.randint(1, 30))
    return bytes(content)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_mutated_files_are_refused_or_read_right(packed, folder):
    rng = random.Random(5)
    path, labels = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte.gz"
    intact = gzip.compress(idx(PIXELS), mtime=0) if packed else idx(PIXELS)
    sentences = []
    for _ in range(100):
        path.write_bytes(mutated(intact, rng))
        opens_idx(path)
        try:
            found = everything(open_idx(IdxSettings(path=str(path))))["image"]
        except DataError as error:
            sentences.append(str(error))
        else:
            assert found.shape == (48, 1, 5, 7)
            assert not packed or torch.equal(found[:40, 0], torch.from_numpy(PIXELS))
    assert len(sentences) > 60
    assert all(str(path) in sentence or str(labels) in sentence for sentence in sentences)


def test_the_shape_is_read_from_the_header(folder, tmp_path):
    shutil.copy(folder / "train-images-idx3-ubyte", tmp_path / "copy")
    assert inspect(tmp_path / "copy", 3).shape == (40, 5, 7)
