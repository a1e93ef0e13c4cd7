"""``genframe kernels``: which backend serves each block of a run, and why."""

import json

import pytest
import torch

from genframe_kernels import dispatch, measured
from genframe_kernels.recording import Recorded

TINY = ["--batch-size", "8", "--set", "architecture.width=8", "--device", "cpu"]


class ForSmallPictures:
    """A backend that serves pictures below 8 pixels, by the reference."""

    def refusal(self, call):
        return "the picture is too large" if max(call.size) >= 8 else None


def rows(text):
    """The lines of each table, as lists of their cells."""
    return [[cell.strip() for cell in line.split("  ") if cell] for line in text.splitlines() if line.startswith("  ")]


def test_every_block_is_listed_once_with_what_serves_it_and_why(cli):
    result = cli("kernels", "explain", "cdcgan", *TINY)
    assert result.code == 0, result.err
    assert result.out.startswith("cdcgan on digits, 8 samples a step, float32 on cpu")
    for part in result.out.split("drawing samples:"):
        assert len(rows(part)) == len({tuple(row) for row in rows(part)})
    found = [row for row in rows(result.out) if row[0] != "network"]
    last = ["generator", "doublings.1", "conv_transpose 4x4x8+10 -> 8x8x1, no norm, tanh"]
    assert [row[:3] for row in found].count(last) == 2  # in training, and in drawing samples
    assert {row[3] for row in found} == {"torch"}
    assert {row[4] for row in found} == {"the device is cpu, and the other backends are for CUDA"}
    # Both networks train; samples are drawn by the generator alone, by its running statistics.
    training, sampling = result.out.split("drawing samples:")
    assert "critic" in training
    assert "critic" not in sampling
    assert "batch norm" in training
    assert "batch norm" not in sampling


def test_a_backend_asked_for_shows_what_it_refuses_and_its_reason(cli, monkeypatch):
    monkeypatch.setitem(dispatch._backends, "for-small-pictures", ForSmallPictures())
    result = cli("kernels", "explain", "cdcgan", *TINY, "--backend", "for-small-pictures")
    assert result.code == 0, result.err
    served = {row[1]: row[3:] for row in rows(result.out) if row[0] == "critic"}
    assert served["halvings.0"] == ["refused", "the picture is too large"]
    assert served["halvings.1"] == ["for-small-pictures", "for-small-pictures was asked for"]


def test_a_run_directory_is_explained_by_its_own_configuration(cli, tmp_path):
    made = cli("run", "--plugin", "cdcgan", *TINY, "--steps", "1", "--output-dir", tmp_path / "run")
    assert made.code == 0, made.err
    before = sorted((tmp_path / "run").rglob("*"))
    result = cli("kernels", "explain", tmp_path / "run")
    assert result.code == 0, result.err
    assert "8 samples a step" in result.out
    assert sorted((tmp_path / "run").rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "no recipe is called 'nothing'"),
        (["cdcgan", "--backend", "nothing"], "no kernel backend is named 'nothing'"),
        (["cdcgan", "--batch-size", "0"], "batch_size"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_sentence(cli, words, sentence):
    result = cli("kernels", "explain", *words)
    assert result.code in (2, 4)
    assert sentence in result.err
    assert result.err.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_tuning_without_a_gpu_says_so(cli):
    result = cli("kernels", "tune")
    assert result.code == 2
    assert "measuring backends needs a CUDA device, and there is none" in result.err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device to measure")
def test_tuning_remembers_the_fastest_backend_of_each_block(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("GENFRAME_KERNELS_FILE", str(tmp_path / "kernels.json"))
    result = cli("kernels", "tune", "cdcgan", "--batch-size", "8")
    assert result.code == 0, result.err
    stored = json.loads((tmp_path / "kernels.json").read_text())
    assert {row["device"] for row in stored} == {torch.cuda.get_device_name()}
    explained = cli("kernels", "explain", "cdcgan", "--batch-size", "8").out
    assert "nothing was measured" not in explained
    assert measured.path() == tmp_path / "kernels.json"


def test_calls_are_recorded_under_the_names_of_their_blocks():
    from genframe_kernels import LinearBlock
    from genframe_kernels.recording import recorded

    networks = {"a": torch.nn.Sequential(LinearBlock(3, 4), LinearBlock(4, 5)), "b": LinearBlock(3, 4)}
    x = torch.randn(6, 3)
    with recorded(networks) as calls:
        networks["a"](x)
        networks["a"](x)
        networks["b"](x)
    networks["b"](x[:2])
    assert list(calls) == [
        Recorded("a", "0", networks["a"][0].call(x)),
        Recorded("a", "1", networks["a"][1].call(torch.randn(6, 4))),
        Recorded("b", "", networks["b"].call(x)),
    ]
