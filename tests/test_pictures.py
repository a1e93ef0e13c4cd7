"""Pictures: pixels come out as they were generated, pages stay legible, files are whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genframe.errors import ConfigError, StorageError
from genframe.pictures import Raster, Row, sheet, to_uint8

MARGIN = 12
PAGE = 250


def pixels(raster: Raster) -> np.ndarray:
    return np.asarray(raster.image)


def random_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_every_grey_level_survives_the_way_to_floats_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(levels.float() / 127.5 - 1), levels)


@pytest.mark.parametrize(
    ("value", "level"),
    [(-1.0, 0), (0.0, 128), (1.0, 255), (-9.0, 0), (1.004, 255), (float("inf"), 255), (float("nan"), 0)],
)
def test_pixels_round_to_even_and_are_clamped(value, level):
    assert to_uint8(torch.tensor([value])).tolist() == [level]


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (16, 4), (28, 3), (32, 2), (63, 2), (64, 1), (100, 1)])
def test_pictures_are_enlarged_by_whole_pixels_to_at_least_64(side, factor):
    images = random_images(1, 3, side, side)
    page = pixels(sheet([Row(images=images)]))
    shown = page[MARGIN : MARGIN + side * factor, MARGIN : MARGIN + side * factor]
    expected = to_uint8(images)[0].permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)
    np.testing.assert_array_equal(shown, expected)
    assert page.shape == (side * factor + 2 * MARGIN,) * 2 + (3,)


def test_a_smooth_sheet_has_the_same_size_and_no_steps():
    ramp = torch.linspace(-1, 1, 8).expand(1, 1, 8, 8)
    squares, smooth = (pixels(sheet([Row(images=ramp)], smooth=each)) for each in (False, True))
    assert squares.shape == smooth.shape
    line = smooth[MARGIN + 32, MARGIN : MARGIN + 64, 0].astype(int)
    assert (
        np.abs(np.diff(line)).max()
        < np.abs(np.diff(squares[MARGIN + 32, MARGIN : MARGIN + 64, 0].astype(int))).max() / 4
    )
    assert (np.diff(line) >= 0).all()


def test_the_longer_side_decides_for_oblong_pictures():
    page = pixels(sheet([Row(images=random_images(1, 1, 12, 20))]))
    assert page.shape == (12 * 4 + 2 * MARGIN, 20 * 4 + 2 * MARGIN, 3)


def test_rows_run_down_and_pictures_run_right():
    values = torch.tensor([[-1.0, -0.5, 0.0], [0.5, 0.75, 1.0]])
    rows = [Row(images=row.reshape(3, 1, 1, 1).expand(3, 1, 8, 8)) for row in values]
    page = pixels(sheet(rows))
    centres = page[[MARGIN + 32, MARGIN + 68 + 32]][:, [MARGIN + 32 + 68 * column for column in range(3)], 0]
    assert centres.tolist() == to_uint8(values).tolist()
    assert (page[MARGIN + 32, MARGIN + 64 : MARGIN + 68] == PAGE).all()


def test_rows_of_different_length_and_size_share_a_page():
    rows = [Row(label="a", images=random_images(5, 3, 16, 16)), Row(label="b", images=random_images(2, 1, 90, 70))]
    page = sheet(rows, column_labels=["one", "two"])
    assert page.image.height > 64 + 90


def test_what_is_transparent_shows_white_and_what_is_opaque_its_colour():
    colour = torch.tensor([0.2, -0.4, 0.9]).reshape(3, 1, 1).expand(3, 64, 64)
    images = torch.stack([torch.cat([colour, torch.full((1, 64, 64), alpha)]) for alpha in (-1.0, 1.0)])
    page = pixels(sheet([Row(images=images)]))
    assert page[MARGIN + 9, MARGIN + 9].tolist() == [255, 255, 255]
    assert page[MARGIN + 9, MARGIN + 68 + 9].tolist() == to_uint8(colour)[:, 0, 0].tolist()


@pytest.mark.parametrize("channels", [2, 5])
def test_other_numbers_of_channels_are_refused_with_a_way_out(channels):
    with pytest.raises(ConfigError, match=rf"these have {channels}.*\.npz"):
        sheet([Row(images=torch.zeros(1, channels, 8, 8))])
    with pytest.raises(ConfigError, match="RGBA"):
        Raster.of(torch.zeros(channels, 8, 8))


def test_a_long_label_is_shortened_and_takes_no_more_than_its_column():
    images = torch.zeros(1, 1, 64, 64)
    narrow = sheet([Row(label="7", images=images)]).image.width
    wide = sheet([Row(label="ornithorhynchus " * 30, images=images)])
    assert narrow < wide.image.width <= 64 + 2 * MARGIN + 150 + 10
    ink = np.flatnonzero((pixels(wide)[:, :-76] < 200).any((0, 2)))
    assert ink.min() >= MARGIN - 1, "the label must not be cut off at the edge of the page"


def test_no_labels_take_no_room():
    assert sheet([Row(images=torch.zeros(1, 1, 64, 64))]).image.width == 64 + 2 * MARGIN


@pytest.mark.parametrize("label", ["数字", "Ünïcödé ß", "🙂", "two\nlines", "bad \udcff bytes", "tab\tbell\x07", " "])
def test_any_name_can_be_a_label_a_heading_and_a_title(label, tmp_path):
    page = sheet([Row(label=label, images=torch.zeros(2, 1, 8, 8))], title=label, column_labels=[label])
    page.save(tmp_path / "page.png", {"class": label})
    with Image.open(tmp_path / "page.png") as saved:
        assert saved.size == page.image.size
        assert "class" in saved.info


def test_a_title_is_written_in_full_on_a_narrow_page():
    row = Row(images=torch.ones(1, 1, 64, 64))
    short, long = sheet([row], title="word"), sheet([row], title="word " * 40)
    assert long.image.width <= 420 + 2 * MARGIN
    assert long.image.height > short.image.height + 3 * 16
    assert (pixels(short)[: MARGIN + 20] < 100).any()


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        page = sheet([Row(label="x", images=random_images(3, 3, 16, 16))], title="t")
        page.save(tmp_path / name, {"seed": "1", "class": "é"} if name == "a.png" else {"class": "é", "seed": "1"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_information_is_found_again_in_a_png(tmp_path):
    info = {"seed": "3", "class": "数字 é", "note": "plain"}
    Raster.of(random_images(3, 16, 16)).save(tmp_path / "one.png", info)
    with Image.open(tmp_path / "one.png") as image:
        assert dict(image.text) == info


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_single_sample_keeps_its_size_and_its_bytes(channels, mode, tmp_path):
    sample = random_images(channels, 12, 20)
    Raster.of(sample).save(tmp_path / "one.PNG", {})
    with Image.open(tmp_path / "one.PNG") as image:
        assert (image.mode, image.size) == (mode, (20, 12))
        stored = torch.from_numpy(np.array(image)).reshape(12, 20, channels).permute(2, 0, 1)
    assert torch.equal(stored, to_uint8(sample))


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "webp"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_other_formats_show_the_same_picture(ending, channels, tmp_path):
    sample = torch.zeros(channels, 16, 24)
    sample[3:] = 1.0
    Raster.of(sample).save(tmp_path / f"one.{ending}", {"seed": "0"})
    with Image.open(tmp_path / f"one.{ending}") as image:
        assert image.size == (24, 16)
        assert abs(int(np.asarray(image.convert("RGB"))[8, 8, 0]) - 128) <= 2


@pytest.mark.parametrize("name", ["picture.gif", "picture", "picture.png.txt"])
def test_an_unknown_ending_is_refused_with_those_that_are_known(name, tmp_path):
    with pytest.raises(ConfigError, match=r"'\.png', '\.jpg', '\.jpeg', '\.webp'"):
        Raster.of(torch.zeros(1, 8, 8)).save(tmp_path / name, {})
    assert not list(tmp_path.iterdir())


def test_a_picture_too_large_for_its_format_is_refused_with_one_that_fits(tmp_path):
    with pytest.raises(ConfigError, match=r"16400x1 pixels does not fit \.webp.*choose \.png"):
        Raster.of(torch.zeros(1, 1, 16400)).save(tmp_path / "wide.webp", {})


def test_a_missing_folder_is_a_storage_error_that_names_the_file(tmp_path):
    path = tmp_path / "nowhere" / "one.png"
    with pytest.raises(StorageError) as caught:
        Raster.of(torch.zeros(1, 8, 8)).save(path, {})
    assert str(path) in str(caught.value)


def test_a_failed_save_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(StorageError, match="taken"):
        Raster.of(torch.zeros(1, 8, 8)).save(tmp_path / "taken.png", {})
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]
