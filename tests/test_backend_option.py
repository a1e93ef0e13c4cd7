"""``--backend``: what serves the blocks of a run's networks."""

import json

import pytest
import torch

TINY = ["--plugin", "cdcgan", "--steps", "2", "--batch-size", "8", "--set", "architecture.width=8", "--device", "cpu"]


def test_a_run_writes_down_which_backend_was_asked_for(cli, tmp_path):
    result = cli("run", *TINY, "--backend", "torch", "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["backend"], written["cuda_graphs"]) == ("torch", "none: the device is cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the interpreter is for machines without a GPU")
def test_a_whole_run_by_the_triton_kernels_has_the_losses_of_torch(genframe_process, tmp_path):
    pytest.importorskip("triton", reason="the kernels need Triton")
    losses = []
    for backend in ("torch", "triton"):
        folder = tmp_path / backend
        shown = ("--log-every", "1", "--set", "metrics=[]", "--set", "architecture.hidden=32")
        words = ("-m", "genframe", "run", *TINY, *shown, "--backend", backend, "--output-dir", folder)
        result = genframe_process(*words, TRITON_INTERPRET="1")
        assert result.returncode == 0, result.stderr
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        losses.append([line["critic_loss"] for line in lines if "critic_loss" in line])
    assert len(losses[0]) == 2
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_a_backend_that_cannot_serve_the_device_is_refused_with_the_reason_before_anything_is_written(
    genframe_process, tmp_path
):
    pytest.importorskip("triton", reason="without Triton the reason is another one")
    words = ("-m", "genframe", "run", *TINY, "--backend", "triton", "--output-dir", tmp_path / "run")
    result = genframe_process(*words, TRITON_INTERPRET="0")
    assert result.returncode == 2
    assert "--backend triton" in result.stderr
    assert "CUDA" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
