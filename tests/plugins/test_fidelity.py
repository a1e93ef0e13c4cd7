"""torch-fidelity is asked for the right thing, and what it lacks is said in a sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from genframe.errors import ConfigError, DataError
from genframe.shapes import Field, Problem
from genframe_datasets import ImageSettings
from genframe_datasets.digits import open_digits
from genframe_metrics import FidelitySettings
from genframe_metrics.fidelity import InceptionDistance, InceptionKernelDistance, InceptionScore

FIGURES = {
    "frechet_inception_distance": 12.5,
    "kernel_inception_distance_mean": 0.25,
    "kernel_inception_distance_std": 0.125,
    "inception_score_mean": 3.5,
    "inception_score_std": 0.5,
}


@pytest.fixture
def asked(monkeypatch):
    """What a torch-fidelity that always answers the same has been asked, with all pictures of each input."""
    questions = []

    def calculate_metrics(**question):
        torch.rand(3)  # as its data loader does
        for name in ("input1", "input2"):
            if name in question:
                question[name] = torch.stack([question[name][place] for place in range(len(question[name]))])
        questions.append(question)
        return FIGURES

    module = SimpleNamespace(calculate_metrics=calculate_metrics, __version__="0.4.0")
    monkeypatch.setitem(sys.modules, "torch_fidelity", module)
    return questions


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "inception.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    return str(path)


@pytest.fixture(scope="module")
def digits():
    return open_digits(ImageSettings(image_size=8))


@pytest.fixture
def make_view(digits, pool_view):
    def make(shape=(1, 8, 8), **changes):
        pool = torch.linspace(-1, 1, 30 * shape[0] * 64).view(30, *shape)
        problem = Problem(output=Field(kind="image", shape=shape))
        return pool_view(**{"problem": problem, "pool": pool, "data": digits, **changes})

    return make


@pytest.mark.parametrize(
    ("make", "value", "wanted"),
    [
        (InceptionDistance, 12.5, {"fid": True}),
        (InceptionKernelDistance, 0.25, {"kid": True, "kid_subsets": 100, "kid_subset_size": 20}),
        (InceptionScore, 3.5, {"isc": True, "isc_splits": 10}),
    ],
)
def test_the_figure_is_torch_fidelitys(asked, weights, make_view, digits, make, value, wanted):
    measurement = make(FidelitySettings(count=20, reference=25, weights=weights)).measure(make_view())
    assert measurement.value == value
    assert measurement.protocol["samples"] == 20
    assert measurement.protocol["torch_fidelity"] == "0.4.0"
    (question,) = asked
    inputs = [question.pop(name) for name in ("input1", "input2") if name in question]
    assert question == {
        **wanted,
        "feature_extractor_weights_path": weights,
        "cuda": False,
        "cache": False,
        "save_cpu_ram": True,
        "verbose": False,
    }
    assert [(each.shape, each.dtype) for each in inputs] == [
        (torch.Size((count, 3, 8, 8)), torch.uint8) for count in ((20,) if make is InceptionScore else (20, 25))
    ]
    assert inputs[0].min() == 0
    if make is not InceptionScore:
        real = digits.split("heldout").read(range(25), epoch=0, seed=0)["image"]
        assert torch.equal(inputs[1], real.expand(-1, 3, -1, -1))
        assert measurement.protocol["reference_samples"] == 25


def test_the_score_needs_no_real_pictures(asked, weights, make_view):
    measurement = InceptionScore(FidelitySettings(count=20, weights=weights)).measure(make_view(data=None))
    assert measurement.value == 3.5
    assert "reference" not in measurement.protocol


def test_what_is_transparent_is_white(asked, weights, make_view):
    pool = torch.tensor([[0.2, -1.0, 1.0, opacity] for opacity in (-1.0, 1.0)]).view(2, 4, 1, 1).expand(-1, -1, 8, 8)
    InceptionScore(FidelitySettings(count=10, weights=weights)).measure(make_view((4, 8, 8), pool=pool))
    pictures = asked[0]["input1"][:, :, 0, 0].tolist()
    assert pictures[:2] == [[255, 255, 255], [153, 0, 255]]


def test_the_global_generator_is_left_alone(asked, weights, make_view):
    state = torch.random.get_rng_state()
    InceptionScore(FidelitySettings(count=10, weights=weights)).measure(make_view())
    assert torch.equal(torch.random.get_rng_state(), state)


MAKERS = [InceptionDistance, InceptionKernelDistance, InceptionScore]


@pytest.mark.parametrize("make", MAKERS)
def test_a_missing_package_is_told(monkeypatch, weights, make_view, make):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ConfigError, match=r"needs the extra 'fidelity': pip install 'genframe\[fidelity\]'"):
        make(FidelitySettings(weights=weights)).measure(make_view())


@pytest.mark.parametrize("make", MAKERS)
def test_missing_weights_are_not_downloaded(asked, monkeypatch, tmp_path, make_view, make):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        DataError, match=r"checkpoints.weights-inception-2015-12-05-6726825d.pth is not there: download"
    ):
        make(FidelitySettings()).measure(make_view())
    with pytest.raises(DataError, match=r"nowhere\.pth is not there"):
        make(FidelitySettings(weights=str(tmp_path / "nowhere.pth"))).measure(make_view())
    assert asked == []


def test_weights_are_found_where_torch_fidelity_keeps_them(asked, monkeypatch, tmp_path, make_view):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    torch.save({}, path)
    InceptionScore(FidelitySettings(count=10)).measure(make_view())
    assert asked[0]["feature_extractor_weights_path"] == str(path)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("code in the file has run",)


@pytest.mark.parametrize("content", [b"", b"no weights", "trap"])
def test_damaged_weights_and_those_that_run_code_are_refused(asked, tmp_path, make_view, content):
    path = tmp_path / "weights.pth"
    if content == "trap":
        torch.save(Trap(), path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match="does not hold the weights of Inception or is damaged"):
        InceptionScore(FidelitySettings(weights=str(path))).measure(make_view())
    assert asked == []


@pytest.mark.parametrize("make", MAKERS)
def test_what_inception_cannot_see_is_refused(asked, weights, make_view, digits, make):
    metric = make(FidelitySettings(count=20, weights=weights))
    for field in (Field(kind="points", shape=(2,)), Field(kind="image", shape=(2, 8, 8))):
        with pytest.raises(ConfigError, match="shows Inception pictures in grey, RGB or RGBA"):
            metric.measure(make_view(problem=Problem(output=field)))
    view = make_view()
    pool = view.pool.clone()
    pool[3] = float("inf")
    with pytest.raises(DataError, match="sample 3 holds what is no number"):
        metric.measure(replace(view, pool=pool))
    with pytest.raises(ConfigError, match="count = 9; at least 10 are needed"):
        make(FidelitySettings(count=9))


def test_too_few_held_out_pictures_are_refused(asked, weights, make_view, digits):
    heldout = digits.heldout.clone()
    heldout[heldout.nonzero()[5:, 0]] = False
    with pytest.raises(DataError, match="'fid' needs 10 held-out pictures; the data has 5"):
        InceptionDistance(FidelitySettings(count=20, weights=weights)).measure(
            make_view(data=replace(digits, heldout=heldout))
        )
