"""One picture from a file: every mode, upright, fitted, and a sentence or a picture for whatever bytes come."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from genframe.errors import DataError
from genframe_datasets.folder.decode import BadPictureError, quietly, read_header, read_picture
from genframe_datasets.folder.sources import Directory

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


@pytest.fixture
def folder(tmp_path):
    class Folder:
        def save(self, image, name="a.png", **how):
            image.save(tmp_path / name, **how)
            return self

        def write(self, content, name="a.png"):
            (tmp_path / name).write_bytes(content)
            return self

        def read(self, *shape, name="a.png"):
            with quietly():
                return read_picture(Directory(str(tmp_path)), name, shape)

        def header(self, name="a.png"):
            with quietly():
                return read_header(Directory(str(tmp_path)), name)

        def sentence(self, name="a.png"):
            try:
                self.header(name)
            except DataError as error:
                return str(error)
            with pytest.raises(DataError) as caught:
                self.read(3, 6, 8, name=name)
            return str(caught.value)

    return Folder()


def png(width, height, *, depth=8, colour=2, pixels=b""):
    """A PNG's bytes by hand: a header that announces what it likes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


# modes


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_colours_come_back_as_they_were_saved(folder, ending):
    folder.save(Image.fromarray(COLOUR), f"a.{ending}", **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(folder.read(3, 6, 8, name=f"a.{ending}"), COLOUR.transpose(2, 0, 1))
    assert folder.header(f"a.{ending}").size == (6, 8)


def test_grey_stays_grey_and_becomes_colour_on_request(folder):
    folder.save(Image.fromarray(GREY))
    assert folder.header().grey
    np.testing.assert_array_equal(folder.read(1, 6, 8), GREY[None])
    np.testing.assert_array_equal(folder.read(3, 6, 8), np.stack([GREY] * 3))


def test_sixteen_bits_of_grey_are_scaled_to_eight(folder):
    levels = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)
    for name in ("a.png", "a.tif"):
        folder.save(Image.fromarray(levels), name)
        assert folder.header(name).grey
        np.testing.assert_array_equal(folder.read(1, 6, 8, name=name)[0], (levels / 257.0).round())


def test_floats_are_from_0_to_1(folder):
    levels = np.array([[0.0, 0.5, 1.0, 7.0, -1.0, np.nan, np.inf, -np.inf]], dtype=np.float32)
    folder.save(Image.fromarray(levels), "a.tif")
    assert folder.read(1, 1, 8, name="a.tif")[0].tolist() == [[0, 128, 255, 255, 0, 0, 255, 0]]


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_what_is_transparent_is_white_unless_transparency_is_wanted(folder, name):
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (90, 90, 90, 0))
    folder.save(image, name, **({"lossless": True, "exact": True} if name == "a.webp" else {}))
    assert folder.read(3, 1, 2, name=name)[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]
    assert folder.read(4, 1, 2, name=name)[:, 0].T.tolist() == [[10, 20, 30, 255], [90, 90, 90, 0]]


def test_transparent_grey_is_grey_over_white(folder):
    folder.save(Image.merge("LA", [Image.new("L", (2, 2), 100), Image.new("L", (2, 2), 0)]))
    assert folder.header().grey
    assert folder.read(1, 2, 2).ravel().tolist() == [255] * 4


def test_a_palette_is_looked_up_and_its_transparent_entry_is_white(folder):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 250])
    image.putpixel((1, 0), 1)
    folder.save(image)
    assert not folder.header().grey
    assert folder.read(3, 1, 2)[:, 0].T.tolist() == [[200, 0, 0], [0, 0, 250]]
    folder.save(image, transparency=1)
    assert folder.read(3, 1, 2)[:, 0].T.tolist() == [[200, 0, 0], [255, 255, 255]]
    assert folder.read(4, 1, 2)[3, 0].tolist() == [255, 0]


def test_a_palette_of_greys_is_grey(folder):
    assert folder.save(Image.fromarray(GREY).convert("P")).header().grey


def test_black_and_white_and_cmyk(folder):
    folder.save(Image.fromarray(GREY > 127))
    np.testing.assert_array_equal(folder.read(1, 6, 8)[0], (GREY > 127) * 255)
    folder.save(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), "a.tif")
    assert folder.read(3, 6, 8, name="a.tif")[:, 0, 0].tolist() == [255, 0, 0]
    folder.save(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), "a.jpg")
    assert folder.read(3, 6, 8, name="a.jpg")[:, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_of_an_animation_the_first_picture_is_taken(folder):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    for name in ("a.gif", "a.webp", "a.png"):
        folder.save(first, name, save_all=True, append_images=[second])
        red, _, blue = folder.read(3, 4, 4, name=name)[:, 0, 0].tolist()
        assert red > 250
        assert blue < 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_as_their_camera_says(folder, orientation):
    upright = np.zeros((8, 16), dtype=np.uint8)
    upright[:4, :8] = 255  # only the upper left quarter is bright
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        folder.save(stored, name, exif=exif)
        assert folder.header(name).size == (8, 16)
        np.testing.assert_allclose(folder.read(1, 8, 16, name=name)[0], upright, atol=8)


# size


def test_the_middle_is_kept_and_resizing_antialiases(folder):
    stripes = np.zeros((30, 90), dtype=np.uint8)
    stripes[:, 30:60] = 200
    stripes[::2, 30:60] = 0  # alternating rows, the mean of which is 100
    folder.save(Image.fromarray(stripes))
    assert abs(folder.read(1, 10, 10)[0, 2:-2, 2:-2].astype(int) - 100).max() < 12


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 31), (6, 8), (1, 40)])
def test_flat_pictures_stay_flat_whatever_their_size(folder, size):
    folder.save(Image.new("RGB", (37, 20), (7, 77, 177)))
    assert folder.read(3, *size).reshape(3, -1).T.tolist() == [[7, 77, 177]] * (size[0] * size[1])


def test_a_large_photograph_is_decoded_small_and_looks_the_same(folder):
    photo = Image.fromarray(COLOUR).resize((1600, 1200), Image.Resampling.BICUBIC)
    folder.save(photo, "a.jpg", quality=95).save(photo, "a.png")
    np.testing.assert_allclose(folder.read(3, 48, 64, name="a.jpg"), folder.read(3, 48, 64).astype(int), atol=6)


# faults


def test_faults_are_named_with_their_file(folder):
    whole = io.BytesIO()
    Image.fromarray(COLOUR.repeat(20, 0).repeat(20, 1)).save(whole, "PNG")
    assert "a.png cannot be read: empty; repair" in folder.write(b"").sentence()
    assert "not a picture (PNG, JPEG" in folder.write(b"hello").sentence()
    assert "not a picture" in folder.write(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n").sentence()
    assert "truncated" in folder.write(whole.getvalue()[: len(whole.getvalue()) // 2]).sentence()
    assert "no such file" in folder.sentence("absent.png")
    assert "--skip-bad-images" in folder.sentence("absent.png")


def test_more_than_40_megapixels_are_refused_before_anything_is_unpacked(folder):
    assert "it has more than 40 megapixels" in folder.write(png(8000, 5001)).sentence()
    assert "it has more than 40 megapixels" in folder.write(png(2**31 - 1, 2**31 - 1)).sentence()
    assert folder.write(png(8000, 5000)).header().size == (5000, 8000)


def test_a_bad_picture_keeps_its_name_and_its_reason(folder):
    with pytest.raises(BadPictureError) as caught:
        folder.write(b"").header()
    assert (caught.value.file, caught.value.reason, caught.value.exit_code) == ("a.png", "empty", 3)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "webp", "tif"])
def test_mutated_files_are_pictures_or_sentences(folder, ending):
    name = f"a.{ending}"
    content = io.BytesIO()
    Image.fromarray(COLOUR).save(content, {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper()))
    chance, refusals = random.Random(ending), []
    for _ in range(100):
        folder.write(mutated(content.getvalue(), chance), name)
        try:
            assert min(folder.header(name).size) > 0
            assert folder.read(3, 6, 8, name=name).shape == (3, 6, 8)
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert all(name in sentence and "\n" not in sentence for sentence in refusals)


def mutated(content, chance):
    """A few bytes changed, or a piece cut out, repeated or cut off."""
    changed = bytearray(content)
    start, length = chance.randrange(len(changed)), chance.randrange(1, 32)
    way = chance.choice(["flip", "flip", "cut", "repeat", "end"])
    if way == "flip":
        for _ in range(chance.randrange(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif way == "cut":
        del changed[start : start + length]
    elif way == "repeat":
        changed[start:start] = changed[start : start + length] * 3
    else:
        del changed[start:]
    return bytes(changed)
