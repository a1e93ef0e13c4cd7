"""What strangers' parts do wrong is told as theirs, and where they share a name with ours, ours still work."""

from __future__ import annotations

import pytest

PARTS = """
import genframe
import torch
from genframe.shapes import Field
from genframe.specs import DatasetSpec, NoiseSpec, ObjectiveSpec
from genframe_noise import UniformSettings
from genframe_noise.laws import Uniform


class Pictures:
    fields = {{
        "image": Field(kind="image", shape=(1, 8, 8)),
        "label": Field(kind="class", classes=("a", "b")),
    }}

    def __len__(self):
        return 64

    def split(self, part):
        return self

    def read(self, indices, *, epoch, seed):
        count = len(indices)
        return {{"image": {image}, "label": torch.arange(count) % {classes}}}


class OneSided:
    pairs = False

    def __init__(self, settings):
        pass

    def critic(self, real, fake):
        return fake.logits[0] - real.logits[0]


class PerSample(OneSided):
    def generator(self, real, fake):
        return -fake.logits[0]


@genframe.hookimpl
def genframe_datasets():
    yield DatasetSpec(name="pictures", summary="s", factory=lambda settings: Pictures())


@genframe.hookimpl
def genframe_objectives():
    yield ObjectiveSpec(name="one-sided", summary="s", factory=OneSided)
    yield ObjectiveSpec(name="per-sample", summary="s", factory=PerSample)


@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="uniform", summary="Of a stranger", factory=Uniform, settings=UniformSettings)
"""

RUN = ("run", "--plugin", "cdcgan", "--steps", 1, "--set", "architecture.width=4", "--set", "architecture.hidden=0")
QUIET = ("--set", "metrics=[]", "--set", "observers=[]")


@pytest.fixture
def strangers(tmp_path, cli):
    """Runs a command beside a stranger's parts."""

    def run(*words, image="torch.zeros(count, 1, 8, 8, dtype=torch.uint8)", classes=2):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "stranger.py").write_text(PARTS.format(image=image, classes=classes))
        return cli(*words, "--plugins-dir", folder)

    return run


def test_a_part_without_a_method_of_its_kind_is_refused_before_training(strangers, tmp_path):
    result = strangers(*RUN, *QUIET, "--objective", "one-sided", "--output-dir", tmp_path / "run")
    assert result.code == 1
    assert "objective 'one-sided' of plugin 'stranger'" in result.err
    assert "has no generator" in result.err
    assert not (tmp_path / "run").exists()


def test_a_loss_for_each_sample_is_told_as_such(strangers, tmp_path):
    result = strangers(*RUN, *QUIET, "--objective", "per-sample", "--output-dir", tmp_path / "run")
    assert result.code == 1
    assert "what is minimised for 'critic' has the shape (64,) and is to be one number" in result.err


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"image": "torch.zeros(count, 1, 9, 9, dtype=torch.uint8)"}, "'image' of the shape (1, 9, 9)"),
        ({"image": "torch.zeros(count, 1, 8, 8)"}, "'image' of the shape (1, 8, 8) and torch.float32"),
        ({"classes": 3}, "'label' from 0 to 2 and declares 2 classes"),
    ],
)
def test_a_dataset_that_is_not_as_it_declares_is_refused(strangers, tmp_path, wrong, sentence):
    for words in ((*RUN, *QUIET, "--data", "pictures", "--output-dir", tmp_path / "run"), ("data", "info", "pictures")):
        result = strangers(*words, **wrong)
        assert result.code == 3, result.err
        assert sentence in result.err


def test_a_name_that_a_stranger_shares_leaves_our_recipes_and_runs_alone(strangers, cli, tmp_path):
    before, beside = tmp_path / "before", tmp_path / "beside"
    assert cli(*RUN, *QUIET, "--output-dir", before).code == 0
    assert strangers(*RUN, *QUIET, "--output-dir", beside).code == 0
    for run in (before, beside):
        assert strangers("sample", run, "-n", 2, "--output", run / "a.npz").code == 0
        assert strangers("evaluate", run, "--metric", "nn1").code == 0
    words = ("sample", before, "-n", 2, "--noise", "genframe/uniform", "--output", before / "b.npz")
    assert strangers(*words).code == 0
    result = strangers(*RUN, *QUIET, "--noise", "uniform", "--output-dir", tmp_path / "named")
    assert result.code == 4
    assert "write 'genframe/uniform' or 'plugins-dir/uniform'" in result.err


def test_a_run_whose_plugin_is_gone_says_what_it_was_made_with(strangers, cli, tmp_path):
    run = tmp_path / "run"
    assert strangers(*RUN, *QUIET, "--noise", "plugins-dir/uniform", "--output-dir", run).code == 0
    result = cli("sample", run, "-n", 1)
    assert result.code == 4
    assert "The run was made with genframe " in result.err
    assert "plugins-dir" in result.err
