"""Compiled networks: prepared once, the same results, apart from the network that they were made of."""

import copy
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from genframe_kernels import ConvTransposeBlock, LinearBlock, compile_inference, graphs, use_backend
from genframe_kernels.graphs import Graphed
from genframe_kernels.testing import relative_error

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


BACKENDS = [
    "torch",
    pytest.param(
        "triton",
        marks=[
            pytest.mark.skipif(find_spec("triton") is None, reason="the kernels need Triton"),
            pytest.mark.skipif(torch.cuda.is_available(), reason="the interpreter is for machines without a GPU"),
        ],
    ),
]


class Generator(nn.Module):
    """A generator with labels in every block, called as genframe's are."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = LinearBlock(7, 16, labels=3)
        self.blocks = nn.ModuleList(
            [
                ConvTransposeBlock(16, 12, stride=(1, 1), padding=(0, 0), labels=3),
                ConvTransposeBlock(12, 6, kernel=(5, 5), padding=(2, 2), output_padding=(1, 1), labels=3),
                ConvTransposeBlock(6, 8, labels=3, activation="maxout", pieces=2, dropout=0.5),
                ConvTransposeBlock(8, 2, labels=3, norm=False, activation="tanh"),
            ]
        )

    def forward(self, z, condition):
        labels = condition["label"]
        x = self.entry(z, labels)[:, :, None, None]
        for block in self.blocks:
            x = block(x, labels)
        return x


@pytest.fixture
def generator():
    torch.manual_seed(0)
    made = Generator()
    for _ in range(3):  # running statistics that are not those of the beginning
        made(torch.randn(16, 7), {"label": torch.randn(16, 3)})
    return made.eval()


def inputs(batch):
    return torch.randn(batch, 7), {"label": torch.randn(batch, 3)}


def test_by_pytorch_the_results_are_the_networks_own_to_the_bit(generator):
    z, condition = inputs(5)
    with use_backend("torch"), torch.inference_mode():
        assert torch.equal(compile_inference(generator)(z, condition), generator(z, condition))


@pytest.mark.skipif(torch.cuda.is_available(), reason="the interpreter is for machines without a GPU")
def test_prepared_kernels_agree_with_double_precision_at_every_batch_size(generator):
    pytest.importorskip("triton", reason="the kernels need Triton")
    exact = copy.deepcopy(generator).double()
    with use_backend("triton"):
        compiled = compile_inference(generator)
        for batch in (1, 5, 5, 3):
            z, condition = inputs(batch)
            with use_backend("torch"):
                expected = exact(z.double(), {"label": condition["label"].double()})
            assert relative_error(compiled(z, condition), expected) < 1e-5


@pytest.mark.skipif(torch.cuda.is_available(), reason="the interpreter is for machines without a GPU")
def test_weights_are_packed_and_norms_folded_once(generator, monkeypatch):
    triton = pytest.importorskip("genframe_kernels.triton.backend", reason="the kernels need Triton")
    prepared = []
    whole = triton.Triton.prepare

    def counted(self, call, tensors):
        prepared.append(call)
        return whole(self, call, tensors)

    monkeypatch.setattr(triton.Triton, "prepare", counted)
    monkeypatch.setattr(triton.Triton, "run", lambda *_: pytest.fail("a block was not prepared"))
    with use_backend("triton"):
        compiled = compile_inference(generator)
        for _ in range(3):
            compiled(*inputs(2))
    assert len(prepared) == 5


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_copy_keeps_what_it_was_made_of(generator, backend):
    z, condition = inputs(2)
    with use_backend(backend):
        compiled = compile_inference(generator)
        before = compiled(z, condition)
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.zero_()
        assert torch.equal(compiled(z, condition), before)
        assert not torch.equal(generator(z, condition), before)
    assert all(parameter.requires_grad for parameter in generator.parameters())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_in_training_mode_is_compiled_with_the_statistics_of_each_batch(generator, backend):
    for block in generator.blocks:
        block.train()
    generator.blocks[2][-1].eval()  # the dropout
    z, condition = inputs(4)
    with use_backend(backend):
        found = compile_inference(generator)(z, condition)
    exact = copy.deepcopy(generator).double()
    assert relative_error(found, exact(z.double(), {"label": condition["label"].double()})) < 1e-5


def test_without_a_gpu_a_graphed_function_is_the_function():
    graphed = Graphed(lambda x, y: {"sum": x + y["a"], "none": y["b"]})
    found = graphed(torch.ones(2), {"a": torch.ones(2), "b": None})
    assert torch.equal(found["sum"], torch.full((2,), 2.0))
    assert found["none"] is None


def test_what_a_recording_takes_for_given_tells_arguments_and_precisions_apart():
    x = torch.ones(2)
    assert [*map(graphs._shape, (x, None, x))] != [*map(graphs._shape, (x, x, None))]
    modes = []
    for backend in ("auto", "torch"):
        with use_backend(backend):
            modes.append(graphs._mode())
    assert modes[0] != modes[1]


@needs_cuda
@pytest.mark.parametrize("backend", ["torch", "triton"])
def test_replayed_graphs_agree_with_the_network(generator, backend):
    generator = generator.cuda()
    with use_backend(backend):
        compiled = compile_inference(generator)
        for batch in (5, 5, 64, 5):
            z, condition = inputs(batch)
            z, condition = z.cuda(), {"label": condition["label"].cuda()}
            first = compiled(z, condition)
            with torch.inference_mode(), use_backend("torch"):
                assert relative_error(first, generator(z, condition).double()) < 1e-3
            second = compiled(-z, condition)
            assert not torch.equal(first, second)  # results are copies: the first is not written over
            assert torch.equal(compiled(z, condition), first)
