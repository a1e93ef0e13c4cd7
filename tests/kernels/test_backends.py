"""Every backend computes the same blocks; a backend that cannot serve says why; ``auto`` is torch unless measured."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from genframe_kernels import (
    ConvBlock,
    ConvTransposeBlock,
    LinearBlock,
    UnsupportedError,
    choose,
    dispatch,
    measured,
    register_backend,
    use_backend,
)
from genframe_kernels.testing import relative_error

pytest.importorskip("triton", reason="the fused backends need Triton")

BLOCKS = {
    "linear": lambda **finish: LinearBlock(5, 6, labels=3, **finish),
    "conv": lambda **finish: ConvBlock(5, 6, labels=3, **finish),
    "conv, same padding": lambda **finish: ConvBlock(
        5, 6, labels=3, kernel=(5, 5), padding=(1, 1), end_padding=(2, 2), **finish
    ),
    "conv_transpose": lambda **finish: ConvTransposeBlock(5, 6, labels=3, **finish),
    "conv_transpose, cut": lambda **finish: ConvTransposeBlock(
        5, 6, labels=3, kernel=(5, 5), padding=(1, 1), end_padding=(2, 2), **finish
    ),
    "conv_transpose, output padding": lambda **finish: ConvTransposeBlock(
        5, 6, labels=3, kernel=(5, 5), padding=(2, 2), output_padding=(1, 1), **finish
    ),
    "one pixel": lambda **finish: ConvTransposeBlock(5, 6, labels=3, stride=(1, 1), padding=(0, 0), **finish),
    "thin": lambda **finish: ConvTransposeBlock(5, 3, labels=3, **finish),
}
FINISHES = {
    "relu": {"activation": "relu"},
    "leaky, no affine": {"activation": "leaky_relu", "affine": False},
    "tanh, no norm": {"norm": False, "activation": "tanh"},
    "maxout and dropout": {"activation": "maxout", "pieces": 2, "dropout": 0.5},
}


def inputs(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (4, 5) if name == "linear" else (4, 5, 1, 1) if name == "one pixel" else (4, 5, 6, 7)
    return torch.randn(shape), torch.randn(4, 3)


@pytest.mark.parametrize("backend", ["triton", "hybrid"])
@pytest.mark.parametrize("finish", FINISHES)
@pytest.mark.parametrize("name", BLOCKS)
def test_training_is_that_of_torch_in_outputs_gradients_and_running_statistics(name, finish, backend):
    if backend == "hybrid" and finish == "tanh, no norm":
        pytest.skip("hybrid serves blocks with a norm; its refusal has a test of its own")
    torch.manual_seed(0)
    ours = BLOCKS[name](**FINISHES[finish])
    torch_block = copy.deepcopy(ours)
    x, labels = inputs(name)
    results = []
    for block, asked in ((ours, backend), (torch_block, "torch")):
        leaf, code = x.clone().requires_grad_(), labels.clone().requires_grad_()
        torch.manual_seed(1)
        with use_backend(asked):
            z = block(leaf, code)
        weights = torch.linspace(-1, 1, z.numel()).view(z.shape)
        gradients = torch.autograd.grad((z * weights).sum(), (leaf, code, *block.parameters()))
        results.append([z, *gradients, *block.buffers()])
    assert len(results[0]) == len(results[1])
    for value, expected in zip(*results, strict=True):
        assert torch.equal(value, expected) or relative_error(value.double(), expected.double()) < 1e-5


@pytest.mark.parametrize("finish", ["relu", "leaky, no affine", "tanh, no norm"])
@pytest.mark.parametrize("name", BLOCKS)
def test_inference_folds_the_running_norm_into_one_kernel(name, finish):
    torch.manual_seed(0)
    block = BLOCKS[name](**FINISHES[finish])
    x, labels = inputs(name)
    block(x, labels)
    block.eval()
    expected = copy.deepcopy(block).double()(x.double(), labels.double())
    with use_backend("triton"), torch.no_grad():
        assert relative_error(block(x, labels), expected) < 1e-5
    with use_backend("triton"):  # where a gradient may be asked for, the norm stays differentiable
        z = block(x.requires_grad_(), labels)
        assert relative_error(z, expected) < 1e-5
        assert torch.isfinite(torch.autograd.grad(z.square().sum(), x)[0]).all()


def test_autocast_takes_the_kernels_to_bfloat16_and_the_statistics_stay_in_float32():
    torch.manual_seed(0)
    block = BLOCKS["conv_transpose"]()
    x, labels = inputs("conv_transpose")
    expected = copy.deepcopy(block).double()(x.double(), labels.double())
    with use_backend("triton"), torch.autocast("cpu", torch.bfloat16):
        z = block(x, labels)
    assert z.dtype == torch.bfloat16
    assert relative_error(z, expected) < 2e-2
    assert block.norm.running_var.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": torch.float64}, "float64"),
        ({"batch": 0}, "empty"),
        ({"device": "mps"}, "CUDA"),
        ({"batch": 2**31}, "smaller batches"),
        (
            {"batch": 1, "size": (1, 1), "kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "end_padding": (0, 0)},
            "one",
        ),
    ],
)
def test_a_backend_that_was_asked_for_says_why_it_cannot_and_auto_is_torch(change, words):
    call = replace(BLOCKS["conv"]().call(torch.randn(4, 5, 6, 7)), **change)
    with pytest.raises(UnsupportedError, match=words):
        choose(call, "triton")
    assert choose(replace(call, device="cpu"), "auto").name == "torch"


def test_hybrid_refuses_a_block_without_batch_statistics():
    call = BLOCKS["conv"](norm=False).call(torch.randn(4, 5, 6, 7))
    with pytest.raises(UnsupportedError, match="has none"):
        choose(call, "hybrid")


def test_a_name_that_nobody_has_is_refused_with_the_names_that_there_are():
    with (
        pytest.raises(UnsupportedError, match=r"'cutlass'; there are auto, hybrid, torch, triton"),
        use_backend("cutlass"),
    ):
        pass
    assert dispatch.asked() == "auto"


def test_a_registered_backend_serves_and_its_name_is_taken(monkeypatch):
    monkeypatch.setattr(dispatch, "_backends", dict(dispatch._backends))

    class Zeros:
        def refusal(self, call):
            return None

        def run(self, call, x, tensors, labels):
            return x.new_zeros(len(x), call.outputs, *call.out_size)

    register_backend("zeros", Zeros())
    with pytest.raises(ValueError, match="already"):
        register_backend("zeros", Zeros())
    x, labels = inputs("conv")
    with use_backend("zeros"):
        assert BLOCKS["conv"]()(x, labels).count_nonzero() == 0


def test_a_measured_row_decides_for_its_layer_its_device_and_batches_of_its_size(monkeypatch, tmp_path):
    monkeypatch.setenv("GENFRAME_KERNELS_FILE", str(tmp_path / "rows.json"))
    call = BLOCKS["conv"]().call(torch.randn(100, 5, 6, 7))
    measured.store([measured.Row("A100", measured.layer(call), "triton", 1.5, 0.1)])
    measured.store([measured.Row("A100", measured.layer(replace(call, outputs=7)), "torch", 1.0, 0.2)])
    assert len(json.loads((tmp_path / "rows.json").read_text())) == 2
    assert measured.winner(replace(call, batch=128), "A100").backend == "triton"
    assert measured.winner(replace(call, batch=129), "A100") is None
    assert measured.winner(call, "H200") is None
    assert measured.winner(replace(call, outputs=7), "A100") is None


def test_a_damaged_file_of_rows_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GENFRAME_KERNELS_FILE", str(tmp_path / "rows.json"))
    (tmp_path / "rows.json").write_text('[{"device": 1}]')
    with pytest.raises(UnsupportedError, match=r"rows\.json"):
        measured.winner(BLOCKS["conv"]().call(torch.randn(4, 5, 6, 7)), "A100")


@pytest.mark.parametrize("name", BLOCKS)
def test_inputs_for_measuring_fit_the_call(name):
    call = BLOCKS[name]().call(inputs(name)[0])
    x, tensors, labels = measured.random_inputs(call, "cpu")
    assert dispatch.named("torch").run(call, x, tensors, labels).isfinite().all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="here there is a CUDA device")
def test_measuring_without_a_gpu_is_refused():
    with pytest.raises(UnsupportedError, match="CUDA"):
        measured.measure(BLOCKS["conv"]().call(torch.randn(4, 5, 6, 7)))
