"""Datasets: real digits, users' arrays, a division that never changes, and a sentence for each fault."""

import hashlib
import zipfile

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from genframe.errors import ConfigError, DataError
from genframe.settings import validated
from genframe.shapes import Field
from genframe_datasets import ImageSettings, NpzSettings, genframe_datasets
from genframe_datasets.augment import Augment
from genframe_datasets.digits import open_digits
from genframe_datasets.npz import open_npz
from genframe_datasets.sizes import parse_size, resized

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 8, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings())


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "pictures.npz", **arrays)
        return NpzSettings(path=str(tmp_path / "pictures.npz"))

    return save


def everything(dataset, **how):
    return dataset.read(range(len(dataset)), **{"epoch": 0, "seed": 0, **how})


# sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (16, (16, 16)),
        ("16", (16, 16)),
        ("12x20", (12, 20)),
        ("12X20", (12, 20)),
        (" 12 × 20 ", (12, 20)),
        (None, (3, 5)),
    ],
)
def test_a_size_is_one_number_or_height_x_width(text, size):
    assert parse_size(text, (3, 5)) == size


@pytest.mark.parametrize("text", ["", "big", "12x", "12x20x3", "-4", -4, 0, "0x8", "8.5", 5000, "9" * 30, "１６x"])
def test_a_size_that_makes_no_sense_is_refused_as_it_was_written(text):
    with pytest.raises(ConfigError, match="image_size is a number of pixels") as caught:
        parse_size(text, (3, 5))
    assert repr(text) in str(caught.value)


def test_a_picture_of_the_wanted_size_is_left_alone():
    images = torch.from_numpy(PICTURES).permute(0, 3, 1, 2)
    assert resized(images, (6, 8)) is images


def test_pictures_that_would_fill_the_memory_are_refused_before_they_are_made():
    many = torch.zeros(1, 1, 8, 8, dtype=torch.uint8).expand(2**20, 1, 8, 8)
    with pytest.raises(ConfigError, match=r"image_size: 1,048,576 pictures of 4096x4096 take 16,384 GiB"):
        resized(many, (4096, 4096))


def test_large_pictures_are_resized_as_small_parts(monkeypatch):
    images = torch.randint(0, 256, (7, 3, 9, 5), dtype=torch.uint8)
    whole = resized(images, (16, 12))
    monkeypatch.setattr("genframe_datasets.sizes._CHUNK_NUMBERS", 1000)
    assert torch.equal(resized(images, (16, 12)), whole)


def test_resizing_keeps_flat_pictures_flat_in_both_directions():
    images = torch.full((2, 3, 10, 10), 200, dtype=torch.uint8)
    for size in ((3, 5), (64, 31)):
        assert torch.equal(resized(images, size), torch.full((2, 3, *size), 200, dtype=torch.uint8))


# digits


def test_digits_are_the_1797_real_ones(digits):
    native = open_digits(ImageSettings(image_size=8))
    batch = everything(native)
    images, labels = load_digits(return_X_y=True)
    assert torch.equal(batch["label"], torch.from_numpy(labels))
    np.testing.assert_array_equal(batch["image"].flatten(1).numpy(), np.rint(images * 255 / 16))
    assert everything(digits)["image"].shape == (1797, 1, 8, 8)


def test_digits_name_their_classes_and_their_shape(digits):
    assert digits.fields["image"].shape == (1, 8, 8)
    assert digits.fields["label"].classes == tuple("0123456789")


def test_digits_come_in_any_size():
    dataset = open_digits(ImageSettings(image_size="12x20"))
    assert dataset.fields["image"].shape == (1, 12, 20)
    assert everything(dataset)["image"].shape == (1797, 1, 12, 20)


def test_297_digits_are_held_out_and_1500_remain_from_every_class_alike(digits):
    train, heldout = digits.split("train"), digits.split("heldout")
    assert (len(train), len(heldout)) == (1500, 297)
    assert torch.bincount(everything(heldout)["label"]).tolist() == [29, 30, 29, 30, 30, 30, 30, 30, 29, 30]


def test_the_parts_are_disjoint_and_complete(digits):
    members = torch.cat([digits.split("train").members, digits.split("heldout").members])
    assert members.sort().values.tolist() == list(range(1797))
    assert len(digits.split("train").split("heldout")) == 0


def test_the_division_of_the_digits_never_changes(digits):
    members = digits.split("heldout").members.numpy().astype("<i8").tobytes()
    assert hashlib.sha256(members).hexdigest()[:16] == "94aced3043f04b3e"


def test_reading_is_a_pure_function_of_its_arguments(digits):
    train = digits.split("train")
    batch, again = (train.read([5, 3, 5, 1499], epoch=2, seed=1) for _ in range(2))
    assert torch.equal(batch["image"], again["image"])
    assert torch.equal(batch["image"][0], batch["image"][2])
    assert (batch["image"].dtype, batch["label"].dtype) == (torch.uint8, torch.int64)
    assert train.read([], epoch=0, seed=0)["image"].shape == (0, 1, 8, 8)


# mirror


def test_half_of_the_training_pictures_are_mirrored_anew_each_epoch_and_seed():
    plain = everything(open_digits(ImageSettings(image_size=8)).split("train"))["image"]
    train = open_digits(ImageSettings(image_size=8, mirror=True)).split("train")

    def flipped(**how):
        images = everything(train, **how)["image"]
        is_flipped = (images == plain.flip(-1)).flatten(1).all(1)
        assert ((images == plain).flatten(1).all(1) | is_flipped).all()
        return is_flipped

    first = flipped()
    assert 0.45 < first.float().mean() < 0.55
    assert torch.equal(first, flipped())
    assert not torch.equal(first, flipped(epoch=1))
    assert not torch.equal(first, flipped(seed=1))


def test_a_picture_is_mirrored_alike_whatever_batch_it_is_in():
    train = open_digits(ImageSettings(mirror=True)).split("train")
    whole = everything(train, epoch=3)["image"]
    assert all(torch.equal(train.read([i], epoch=3, seed=0)["image"][0], whole[i]) for i in range(20))


def test_held_out_pictures_are_never_mirrored_and_the_stored_ones_stay_as_they_are():
    dataset, plain = open_digits(ImageSettings(mirror=True)), open_digits(ImageSettings())
    everything(dataset.split("train"))
    assert torch.equal(everything(dataset.split("heldout"))["image"], everything(plain.split("heldout"))["image"])
    assert torch.equal(dataset.store.tensors["image"], plain.store.tensors["image"])


# npz


def test_images_and_labels_are_read(saved):
    dataset = open_npz(saved(images=PICTURES, labels=LABELS))
    assert torch.equal(everything(dataset)["image"], torch.from_numpy(PICTURES).permute(0, 3, 1, 2))
    assert everything(dataset)["label"].tolist() == LABELS.tolist()
    assert dataset.fields["label"].classes == ("0", "1", "2", "3")


def test_grey_pictures_need_no_channel_axis(saved):
    assert open_npz(saved(images=PICTURES[..., 0])).fields["image"].shape == (1, 6, 8)


@pytest.mark.parametrize("labels", [{}, {"labels": np.full(40, -1)}])
def test_labels_that_are_absent_or_minus_one_everywhere_are_none(saved, labels):
    dataset = open_npz(saved(images=PICTURES, class_names=np.array([]), metadata=np.array("{}"), **labels))
    assert list(dataset.fields) == ["image"]
    assert list(everything(dataset)) == ["image"]
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (36, 4)


def test_classes_without_a_picture_are_left_out(saved):
    names = np.array(["fog", "snow", "rain", "hail", "sun"])
    dataset = open_npz(saved(images=PICTURES, labels=np.arange(40) % 2 * 3, class_names=names))
    assert dataset.fields["label"].classes == ("fog", "hail")
    assert dataset.read([0, 1], epoch=0, seed=0)["label"].tolist() == [0, 1]
    nameless = open_npz(saved(images=PICTURES, labels=np.arange(40) % 2 * 5))
    assert nameless.fields["label"].classes == ("0", "5")


def test_a_class_that_only_the_test_part_has_is_refused(saved):
    y_test = np.full(10, 3)
    with pytest.raises(DataError, match="class '3' and none to train on"):
        open_npz(saved(x_train=PICTURES[:30], y_train=np.arange(30) % 2, x_test=PICTURES[30:], y_test=y_test))


def test_a_tenth_is_held_out_where_the_file_has_no_test_part(saved):
    dataset = open_npz(saved(images=PICTURES, labels=LABELS))
    heldout = everything(dataset.split("heldout"))["label"]
    assert heldout.sort().values.tolist() == [0, 1, 2, 3]


def test_two_pictures_are_enough(saved):
    dataset = open_npz(saved(images=PICTURES[:2]))
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (1, 1)


def test_the_files_own_test_part_is_held_out(saved):
    dataset = open_npz(
        saved(x_train=PICTURES[:30], y_train=LABELS[:30, None], x_test=PICTURES[30:], y_test=LABELS[30:])
    )
    assert len(dataset.split("train")) == 30
    assert everything(dataset.split("heldout"))["label"].tolist() == LABELS[30:].tolist()


def test_pictures_are_resized_on_request(saved):
    settings = validated(NpzSettings, {"path": saved(images=PICTURES).path, "image_size": "16x24"}, "data")
    assert open_npz(settings).fields["image"].shape == (3, 16, 24)


def test_real_photographs_are_read_with_their_names(shared_data):
    dataset = open_npz(NpzSettings(path=str(shared_data / "cifar10-subset" / "cifar10_subset.npz")))
    train, heldout = dataset.split("train"), dataset.split("heldout")
    assert (len(train), len(heldout), dataset.fields["image"].shape) == (5000, 1000, (3, 32, 32))
    assert train.fields["label"].classes[6] == "frog"
    assert everything(train)["label"][:3].tolist() == [6, 9, 9]
    assert torch.bincount(everything(heldout)["label"]).tolist() == [103, 89, 100, 103, 90, 86, 112, 102, 106, 109]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "none of 'images' or 'x_train' .*, but none"),
        ({"labels": LABELS}, "none of 'images' or 'x_train' .*, but 'labels'"),
        ({"x_test": PICTURES}, "none of 'images' or 'x_train' .*, but 'x_test'"),
        ({"images": PICTURES.astype(np.float32)}, r"'images' in .* is float32 \(40, 6, 8, 3\); pictures are uint8"),
        ({"images": PICTURES[0, 0]}, r"is uint8 \(8, 3\); pictures"),
        ({"images": PICTURES.transpose(0, 3, 1, 2)}, r"\(40, 3, 6, 8\); pictures .* with 1, 3 or 4 channels"),
        ({"images": PICTURES[:0]}, r"\(0, 6, 8, 3\); pictures"),
        ({"images": PICTURES[:1]}, "has 1 picture; at least 2"),
        ({"images": np.array([{}, {}])}, "cannot be read: Object arrays"),
        ({"images": PICTURES, "labels": np.array([None] * 40)}, "cannot be read: Object arrays"),
        ({"images": PICTURES, "labels": LABELS[:39]}, r"'labels' in .* has the shape \(39,\) for 40 pictures"),
        ({"images": PICTURES, "labels": LABELS * 1.0}, r"the labels in .* are float64 \(40,\); labels are integers"),
        ({"images": PICTURES, "labels": LABELS - 1}, "has the label -1; labels count from 0"),
        ({"images": PICTURES, "labels": LABELS + 10**9}, "has the label 1000000003 and 40 pictures"),
        ({"images": PICTURES, "labels": LABELS, "class_names": np.array(["a", "b"])}, "it names every class, 0 to 3"),
        ({"images": PICTURES, "labels": LABELS, "class_names": np.arange(4)}, "'class_names' in .* in text"),
        ({"x_train": PICTURES, "x_test": PICTURES[:, :5]}, r"differ in size .* \(40, 6, 8, 3\) and \(40, 5, 8, 3\)"),
        ({"x_train": PICTURES, "y_train": LABELS, "x_test": PICTURES}, "'y_train' for one part only"),
    ],
)
def test_a_fault_in_a_file_is_a_sentence_that_names_the_file(saved, arrays, sentence):
    settings = saved(**arrays)
    with pytest.raises(DataError, match=sentence) as caught:
        open_npz(settings)
    assert settings.path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_no_file_at_all_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*absent\.npz"):
        open_npz(NpzSettings(path=str(tmp_path / "absent.npz")))
    with pytest.raises(DataError, match="there is no file"):
        open_npz(NpzSettings(path=str(tmp_path)))
    with pytest.raises(ConfigError, match=r"--data pictures\.npz"):
        open_npz(NpzSettings())


@pytest.mark.parametrize("damage", ["text", "array", "cut", "flipped", "member"])
def test_a_damaged_file_is_a_sentence(tmp_path, damage):
    path = tmp_path / "pictures.npz"
    np.savez_compressed(path, images=PICTURES)
    content = bytearray(path.read_bytes())
    if damage == "text":
        path.write_text("no pictures here")
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, PICTURES)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", b"not an array")
    with pytest.raises(DataError, match=r"pictures\.npz"):
        open_npz(NpzSettings(path=str(path)))


def test_an_npz_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros((100, 64, 64), np.uint8), film=np.zeros(10**6))
    assert len(open_npz(NpzSettings(path=str(path)))) == 100
    monkeypatch.setattr("genframe_datasets.npz.LIMIT", 100 * 64 * 64)
    with pytest.raises(DataError, match=r"bomb\.npz unpacks to 409,728 bytes; at most 409,600 are read"):
        open_npz(NpzSettings(path=str(path)))


@pytest.mark.parametrize("shape", ["(2L, 8L, 8L)", "(1, 'x", "(-1, 8, 8)", "__import__('os')", "(" * 900])
def test_an_array_with_an_odd_header_is_a_sentence(tmp_path, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    with pytest.raises(DataError, match=r"odd\.npz cannot be read: "):
        open_npz(NpzSettings(path=str(tmp_path / "odd.npz")))


def test_only_names_of_npz_files_are_claimed(tmp_path):
    (claims,) = [spec.opens for spec in genframe_datasets() if spec.name == "npz"]
    assert [name for name in ("a.npz", "b.NPZ", "c.npy", "d", "npz") if claims(tmp_path / name)] == ["a.npz", "b.NPZ"]


def test_pairs_of_pictures_are_a_picture_and_its_source(saved):
    photos, drawings = (np.random.default_rng(i).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8) for i in (0, 1))
    path = saved(photo_train=photos[:9], label_train=drawings[:9], photo_val=photos[9:], label_val=drawings[9:]).path
    dataset = open_npz(NpzSettings(path=path))
    heldout = dataset.split("heldout").read(range(3), epoch=0, seed=0)
    assert list(dataset.fields) == ["image", "source"]
    assert torch.equal(heldout["image"], torch.from_numpy(photos[9:]).movedim(-1, 1))
    assert torch.equal(heldout["source"], torch.from_numpy(drawings[9:]).movedim(-1, 1))


def test_the_facades_are_192_pairs(shared_data):
    dataset = open_npz(NpzSettings(path=str(shared_data / "facades" / "facades_128.npz")))
    assert (len(dataset.split("train")), len(dataset.split("heldout"))) == (160, 32)
    shapes = {name: field.shape for name, field in dataset.fields.items()}
    assert shapes == {"image": (3, 128, 128), "source": (3, 128, 128)}


def test_attributes_are_labels_where_they_are_0_or_1_and_values_otherwise(saved):
    images = np.zeros((20, 8, 8), dtype=np.uint8)
    binary, values = np.arange(40).reshape(20, 2) % 2, np.linspace(0, 1, 60).reshape(20, 3)
    named = open_npz(NpzSettings(path=saved(images=images, attributes=binary, attribute_names=["hat", "smile"]).path))
    assert named.fields["attributes"] == Field(kind="multilabel", shape=(2,), classes=("hat", "smile"))
    assert named.read([3], epoch=0, seed=0)["attributes"].tolist() == [[0.0, 1.0]]
    plain = open_npz(NpzSettings(path=saved(images=images, attributes=values).path))
    assert plain.fields["attributes"] == Field(kind="vector", shape=(3,))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"attributes": np.full((20, 2), np.nan)}, "finite numbers"),
        ({"attributes": np.zeros(20)}, r"of the shape \(N, K\)"),
        ({"attributes": np.zeros((19, 2))}, "for 20 pictures"),
        ({"attributes": np.zeros((20, 2)), "attribute_names": np.array(["hat"])}, "names each of the 2"),
        ({"sources": np.zeros((20, 8, 8, 2), dtype=np.uint8)}, "the sources in"),
    ],
)
def test_a_fault_in_attributes_or_sources_is_a_sentence(saved, arrays, said):
    with pytest.raises(DataError, match=said):
        open_npz(NpzSettings(path=saved(images=np.zeros((20, 8, 8), dtype=np.uint8), **arrays).path))


@pytest.mark.parametrize(
    ("channels", "expected"), [(1, [154]), (3, [227, 127, 127]), (4, [200, 0, 0, 128]), (None, [227, 127, 127])]
)
def test_transparent_pictures_are_laid_over_white_or_kept(saved, channels, expected):
    pixels = np.zeros((4, 8, 8, 4), dtype=np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 128
    dataset = open_npz(NpzSettings(path=saved(images=pixels).path, channels=channels))
    image = dataset.read([0], epoch=0, seed=0)["image"][0]
    assert dataset.fields["image"].shape == (len(expected), 8, 8)
    np.testing.assert_allclose(image[:, 0, 0], expected, atol=3)


def test_crops_and_shifts_are_a_function_of_seed_epoch_and_sample():
    dataset = open_digits(ImageSettings(crop=0.7, translate=0.2)).split("train")
    batch = dataset.read([3, 4], epoch=1, seed=5)["image"]
    assert torch.equal(dataset.read([4, 9, 3], epoch=1, seed=5)["image"][[2, 0]], batch)
    others = (dataset.read([3, 4], epoch=epoch, seed=seed)["image"] for epoch, seed in ((2, 5), (1, 6)))
    assert all(not torch.equal(other, batch) for other in others)
    plain = open_digits(ImageSettings()).split("train").read([3, 4], epoch=1, seed=5)["image"]
    assert not torch.equal(batch, plain)
    assert batch.dtype == torch.uint8


def test_a_shift_moves_a_picture_by_at_most_its_fraction_and_fills_with_the_edge():
    ramp = torch.arange(16, dtype=torch.uint8).mul(10).expand(64, 1, 16, 16)
    fields = {"image": Field(kind="image", shape=(1, 16, 16))}
    moved = Augment(translate=0.25)({"image": ramp.clone()}, fields, torch.arange(64), epoch=0, seed=0)["image"]
    shift = (moved[:, 0, 8, 8].int() - 80) / 10
    assert 3 < shift.abs().max() <= 4.05
    assert shift.min() < -2
    assert shift.max() > 2
    assert (moved.int().diff(dim=-1) >= 0).all()


@pytest.mark.parametrize(
    "settings", [{"crop": 0.0}, {"crop": 1.5}, {"translate": -0.1}, {"translate": 1.0}, {"channels": 2}]
)
def test_an_impossible_change_is_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        open_digits(ImageSettings(**settings))
