"""Weights, activations and the course of training, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Trained
from genframe.pictures import Row, mosaic, sheet
from genframe.shapes import Field, Problem
from genframe_visualizers import ActivationsSettings, TrainingGifSettings, WeightsSettings
from genframe_visualizers.activations import Activations
from genframe_visualizers.training_gif import TrainingGif
from genframe_visualizers.weights import Weights

IMAGE = Field(kind="image", shape=(1, 8, 8))
DIGIT = Field(kind="class", classes=("nil", "one", "two"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Judge(nn.Module):
    """Two convolutions; the label is added to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(1, 5, 3, 2, 1)
        self.narrow = nn.Conv2d(5, 2, 2, 2)

    def forward(self, images: Tensor, condition: Any) -> Tensor:
        return self.narrow(self.wide(images) + condition["label"].view(-1, 1, 1, 1))


class Maker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 2, 2)
        self.out = nn.ConvTranspose2d(2, 1, 2)

    def forward(self, noise: Tensor | None, condition: Any) -> Tensor:
        return self.out(self.up(torch.ones(3, 3, 6, 6)))


class Numbered:
    """Held-out picture i is grey level 20 i and of class i % 3."""

    fields = {"image": IMAGE, "label": DIGIT}

    def __len__(self) -> int:
        return 4

    def split(self, part: str) -> Numbered:
        assert part == "heldout"
        return self

    def read(self, indices: Any, *, epoch: int, seed: int) -> dict[str, Tensor]:
        i = torch.tensor(list(indices))
        return {"image": (20 * i).byte().view(-1, 1, 1, 1).expand(-1, 1, 8, 8), "label": i % 3}


@pytest.fixture
def view(pool_view: Any) -> Any:
    """A run with a judge and a maker, whose samples come from a pool."""
    pool = torch.rand(6, 1, 8, 8) * 2 - 1
    problem = Problem(output=IMAGE, condition={"label": DIGIT})
    made = pool_view(problem=problem, pool=pool, conditions={"label": torch.arange(6) % 3}, data=Numbered())
    return Looked(made, {"critic": Judge(), "generator": Maker()})


class Looked:
    """A view with networks."""

    def __init__(self, pool: Any, networks: dict[str, nn.Module], pictures: list[Path] | None = None) -> None:
        self.pool, self.pictures, self.title, self.seed = pool, pictures or [], pool.title, 0
        self.trained = Trained(problem=pool.problem, generator=networks["generator"], networks=networks, noise=None)
        self.dataset = pool.dataset

    def samples(self, count: int, **words: Any) -> Any:
        if isinstance(self.trained.generator, Maker):
            self.trained.generator(None, {})
        return self.pool.samples(count, **words)


def same(picture: Any, rows: list[Row], title: str) -> bool:
    return picture.image.tobytes() == sheet(rows, title=title).image.tobytes()


def test_a_mosaic_sets_tiles_row_by_row_between_white_lines():
    tiles = torch.stack([torch.full((1, 2, 3), level) for level in (-1.0, -0.5, 0.0, 0.5, 0.75)])
    whole = mosaic(tiles, side=6)
    assert whole.shape == (1, 2 * 4 + 2, 3 * 6 + 2 * 2)
    assert whole[0, 0, [0, 6, 8, 16]].tolist() == [-1.0, 1.0, -0.5, 0.0]
    assert whole[0, 4].tolist() == [1.0] * 22
    assert whole[0, 6, [0, 8, 16]].tolist() == [0.5, 0.75, 1.0]


def test_weights_have_one_mosaic_an_input_and_one_scale(view):
    kernels = view.trained.networks["critic"].narrow.weight.detach()
    largest = kernels.abs().max()
    mosaics = torch.stack([mosaic(kernels[:, i, None] / largest, side=20) for i in range(5)])
    rows = [Row(label="inputs 0 to 3", images=mosaics[:4]), Row(label="input 4", images=mosaics[4:])]
    title = (
        f"a pool, step 0: critic.narrow, 5 of 5 input channels, 2 kernels of 2x2 each, "
        f"black -{largest:.2g}, white {largest:.2g}"
    )
    assert same(Weights(WeightsSettings(layer="narrow")).draw(view), rows, title)


def test_a_transposed_convolution_is_shown_by_its_inputs_too(view):
    kernels = view.trained.networks["generator"].up.weight.detach()
    largest = kernels.abs().max()
    mosaics = torch.stack([mosaic(kernels[i][:, None] / largest, side=20) for i in range(2)])
    title = (
        f"a pool, step 0: generator.up, 2 of 3 input channels, 2 kernels of 2x2 each, "
        f"black -{largest:.2g}, white {largest:.2g}"
    )
    picture = Weights(WeightsSettings(network="generator", channels=2)).draw(view)
    assert same(picture, [Row(label="inputs 0 to 1", images=mosaics)], title)


def activation_rows(images: Tensor, labels: list[int], values: Tensor) -> list[Row]:
    low, high = values.amin((1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
    scaled = (values - low) / (high - low) * 2 - 1
    rows = []
    for image, label, channels in zip(images, labels, scaled, strict=True):
        maps = mosaic(channels[:, None], side=20)
        side = max(maps.shape)
        page = torch.ones(2, 1, side, side)
        factor = side // 8
        page[0, :, : 8 * factor, : 8 * factor] = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        page[1, :, : maps.shape[1], : maps.shape[2]] = maps
        rows.append(Row(label=DIGIT.classes[label], images=page))
    return rows


def test_real_pictures_are_shown_with_their_own_labels(view):
    images = torch.tensor([0.0, 20.0, 40.0, 60.0]).view(-1, 1, 1, 1).expand(-1, 1, 8, 8) / 127.5 - 1
    labels = [0, 1, 2, 0]
    with torch.no_grad():
        values = view.trained.networks["critic"].wide(images)
    title = (
        "a pool, step 0: critic.wide on real pictures, 5 of 5 channels of 4x4, "
        "each row from its lowest value (black) to its highest (white)"
    )
    assert same(
        Activations(ActivationsSettings(layer="wide")).draw(view), activation_rows(images, labels, values), title
    )


def test_the_labels_reach_the_network_beside_the_pictures(view):
    with torch.no_grad():
        critic = view.trained.networks["critic"]
        images = view.pool.pool[:3]
        values = critic(images, {"label": torch.arange(3)})
    title = (
        "a pool, step 0: critic.narrow on generated pictures, 2 of 2 channels of 2x2, "
        "each row from its lowest value (black) to its highest (white)"
    )
    picture = Activations(ActivationsSettings(images="generated", count=3)).draw(view)
    assert same(picture, activation_rows(images, [0, 1, 2], values), title)


def test_a_generator_is_shown_at_work_and_its_picture_is_no_channel(view):
    values = view.trained.generator.up(torch.ones(3, 3, 6, 6)).detach()
    title = (
        "a pool, step 0: generator.up on generated pictures, 2 of 2 channels of 7x7, "
        "each row from its lowest value (black) to its highest (white)"
    )
    picture = Activations(ActivationsSettings(network="generator", count=3)).draw(view)
    assert same(picture, activation_rows(view.pool.pool[:3], [0, 1, 2], values), title)


@pytest.mark.parametrize(
    "drawer", [Weights(WeightsSettings(layer="nope")), Activations(ActivationsSettings(layer="nope"))]
)
def test_an_unknown_layer_is_refused_with_those_that_there_are(view, drawer):
    with pytest.raises(ConfigError, match=r"no such layer 'nope' to show; it has 'wide', 'narrow'"):
        drawer.draw(view)


def test_an_unknown_network_is_refused_with_the_nearest(view):
    with pytest.raises(ConfigError, match=r"no network 'critik'; it has 'critic', 'generator'.*critic"):
        Weights(WeightsSettings(network="critik")).draw(view)


def test_without_its_data_a_run_is_shown_on_generated_pictures_only(view, pool_view):
    bare = pool_view(problem=view.trained.problem, pool=view.pool.pool)
    with pytest.raises(DataError):
        Activations(ActivationsSettings()).draw(Looked(bare, dict(view.trained.networks)))


def test_the_hooks_are_gone_afterwards(view):
    Activations(ActivationsSettings()).draw(view)
    assert not any(module._forward_hooks for module in view.trained.networks["critic"].modules())


def test_the_animation_has_every_picture_in_order_and_lingers_on_the_last(view, tmp_path):
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (16, 12), (80 * number,) * 3).save(paths[-1])
    animation = TrainingGif(TrainingGifSettings(milliseconds=100)).draw(Looked(view.pool, view.trained.networks, paths))
    for ending in (".gif", ".webp"):
        animation.save(tmp_path / f"a{ending}", {})
        with Image.open(tmp_path / f"a{ending}") as opened:
            levels, times = [], []
            for frame in range(opened.n_frames):
                opened.seek(frame)
                opened.load()
                levels.append(opened.convert("L").getpixel((3, 3)))
                times.append(opened.info["duration"])
        assert levels == pytest.approx([0, 80, 160], abs=1)
        assert times == [100, 100, 600]
    with pytest.raises(ConfigError, match=r"ends in one of '.gif', '.webp'; got 'a.png'"):
        animation.save(tmp_path / "a.png", {})


def test_a_run_without_pictures_has_no_course(view):
    with pytest.raises(ConfigError, match="--sample-every"):
        TrainingGif(TrainingGifSettings()).draw(view)


def test_the_commands_draw_a_run_from_its_folder(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ("--set", "architecture.width=8", "--steps", "4", "--sample-every", "1", "--batch-size", "8")
    assert cli("run", "--plugin", "cdcgan", *small, "--set", "metrics=[]", "--output-dir", "a").code == 0
    for words in (
        ("weights", "--network", "generator", "--layer", "doublings.0.0"),
        ("activations", "--network", "critic", "--layer", "halvings.0"),
    ):
        result = cli("visualize", "a", *words)
        assert result.code == 0, result.err
        assert Path(f"{words[0]}.png").stat().st_size > 2000
    assert cli("visualize", "a", "training-gif").code == 0
    with Image.open("training-gif.gif") as opened:
        assert opened.n_frames == 4
    refused = cli("visualize", "a", "weights", "--layer", "nope")
    assert (refused.code, "halvings.0.0" in refused.err) == (2, True)
    refused = cli("visualize", "a", "samples", "--layer", "nope")
    assert (refused.code, "samples.layer is not a setting" in refused.err) == (2, True)
