"""Deconvolution and guided backpropagation as pictures: which maps, which pictures, which part of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Trained
from genframe.pictures import Row, sheet
from genframe.shapes import Field, Problem
from genframe_visualizers import DeconvSettings, GuidedSettings
from genframe_visualizers.deconv import Deconv, centred
from genframe_visualizers.guided import Guided, untrained
from genframe_visualizers.responses import Layer, windows

IMAGE = Field(kind="image", shape=(1, 12, 12))


class Spots(nn.Module):
    """Map k of two is the picture's brightness (map 1: twice of it) in 3x3 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(1, 2, 3, bias=False)
        self.act = nn.LeakyReLU(0.2)
        nn.init.constant_(self.look.weight[:1], 1.0)
        nn.init.constant_(self.look.weight[1:], 2.0)

    def forward(self, images: Tensor, condition: object) -> Tensor:
        return self.act(self.look(images))


class SpotData:
    """Held-out picture i is black but for a 3x3 spot of brightness i at row and column i."""

    fields = {"image": IMAGE}

    def __init__(self, count: int = 6) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def split(self, part: str) -> SpotData:
        assert part == "heldout"
        return self

    def read(self, indices, *, epoch: int, seed: int) -> dict[str, Tensor]:
        images = torch.full((len(indices), 1, 12, 12), 127, dtype=torch.uint8)
        for place, i in enumerate(indices):
            images[place, 0, i : i + 3, i : i + 3] = 127 + 20 * i
        return {"image": images}


@pytest.fixture
def view(pool_view):
    torch.manual_seed(0)
    pool = pool_view(problem=Problem(output=IMAGE), pool=torch.rand(8, 1, 12, 12) * 2 - 1, data=SpotData())
    networks = {"critic": Spots(), "generator": nn.Identity()}
    trained = Trained(problem=pool.problem, generator=networks["generator"], networks=networks, noise=None)

    class Seen:
        title, seed, dataset, samples = pool.title, 0, pool.dataset, pool.samples

    Seen.trained = trained
    return Seen()


def pixels(count: int) -> Tensor:
    return SpotData(count).read(range(count), epoch=0, seed=0)["image"].float() / 127.5 - 1


def test_the_strongest_pictures_come_first_and_are_cut_to_what_matters(view):
    picture = Deconv(DeconvSettings(count=2, examples=3)).draw(view)
    patches, projections = [], []
    for i in (5, 4, 3):
        patches.append(pixels(6)[i][:, i : i + 3, i : i + 3])
        projections.append(torch.ones(1, 3, 3))  # equal weights, scaled to their largest
    rows = [
        Row(label=label, images=torch.stack(images))
        for number in (1, 0)  # map 1 answers twice as much
        for label, images in ((f"map {number}", patches), ("projected", projections))
    ]
    title = (
        "a pool, step 0: critic.act, 2 of 2 maps; above the parts of real pictures that excite each most, of 6; below, "
        "projected back through the network (deconvnet)"
    )
    assert picture.image.tobytes() == sheet(rows, title=title).image.tobytes()


def test_maps_can_be_named(view):
    one = Deconv(DeconvSettings(maps=(0,), examples=1)).draw(view)
    other = Deconv(DeconvSettings(maps=(1,), examples=1)).draw(view)
    assert one.image.size == other.image.size
    assert one.image.tobytes() != other.image.tobytes()


def test_generated_pictures_can_be_looked_at_without_any_data(view):
    view.dataset = None
    Deconv(DeconvSettings(images="generated", searched=8)).draw(view)
    Guided(GuidedSettings(images="generated", searched=8)).draw(view)


def test_guided_shows_the_trained_network_and_an_untrained_one_twice_alike(view):
    first, second = (Guided(GuidedSettings(count=1, examples=2)).draw(view) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()


def test_a_network_that_was_never_trained_has_other_weights_and_clean_norms():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3)).eval()
    nn.init.constant_(network[1].weight, 7.0)
    nn.init.constant_(network[1].running_mean, 7.0)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    state = torch.get_rng_state()
    fresh, again, other = untrained(network, 1), untrained(network, 1), untrained(network, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert torch.equal(fresh[0].weight, again[0].weight)
    assert not torch.equal(fresh[0].weight, other[0].weight)
    assert not torch.equal(fresh[0].weight, network[0].weight)
    assert fresh[1].weight.tolist() == [1.0] * 4
    assert fresh[1].running_mean.tolist() == [0.0] * 4
    assert fresh[2].bias.tolist() == [0.0] * 2


def test_windows_have_one_size_and_stay_inside():
    footprints = torch.zeros(3, 2, 6, 8)
    footprints[0, 1, 1:3, 2:5] = 1  # 2x3
    footprints[1, 0, 4:6, 7:8] = -1  # 2x1 at the corner
    assert windows(footprints) == [  # nothing matters in the third
        (slice(1, 3), slice(2, 5)),
        (slice(4, 6), slice(5, 8)),
        (slice(0, 2), slice(0, 3)),
    ]


def test_signals_are_centred_each_by_itself():
    signals = torch.tensor([[1.0, -4.0], [0.0, 0.0]]).view(2, 1, 1, 2)
    assert centred(signals).flatten(1).tolist() == [[0.25, -1.0], [0.0, 0.0]]


def test_all_pictures_are_searched_in_chunks(view):
    layer = Layer.look(view.trained.networks["critic"], "critic", "", pixels(6).repeat(30, 1, 1, 1), {})
    assert layer.strongest.shape == (180, 2)
    assert layer.top(0, 30).tolist() == list(range(5, 180, 6))  # equal answers in the order of the pictures


@pytest.mark.parametrize("make", [lambda **s: Deconv(DeconvSettings(**s)), lambda **s: Guided(GuidedSettings(**s))])
def test_what_cannot_be_shown_is_refused_in_a_sentence(view, make):
    with pytest.raises(ConfigError, match="no such layer 'none' to show; it has 'look', 'act'"):
        make(layer="none").draw(view)
    with pytest.raises(ConfigError, match="the layer 'act' has the maps 0 to 1; got 2"):
        make(maps=(0, 2)).draw(view)
    with pytest.raises(ConfigError, match="'generator' makes them: choose another --network"):
        make(network="generator").draw(view)
    with pytest.raises(ConfigError, match="no network 'judge'"):
        make(network="judge").draw(view)
    with pytest.raises(ConfigError, match="got count = 0; at least 1"):
        make(count=0)
    view.dataset = lambda: SpotData(0)
    with pytest.raises(DataError, match="take --set images=generated"):
        make().draw(view)


def test_a_network_without_maps_is_refused(view):
    networks = {"critic": nn.Identity(), "generator": nn.Identity()}
    flat = nn.Sequential(nn.Flatten(), nn.Linear(144, 1))
    flat.forward = lambda images, condition: flat[1](flat[0](images))
    view.trained = replace(view.trained, networks={**networks, "critic": flat}, generator=networks["generator"])
    with pytest.raises(ConfigError, match="'critic' has no layer that can be shown this way"):
        Deconv(DeconvSettings()).draw(view)
