"""Recomputed activations change no bit of a result and halve what is kept for the backward."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from genframe.assembly import assemble
from genframe.config import assignment
from genframe.options import configure
from genframe.registry import load_registry
from genframe.training.batches import batches
from genframe.training.device import private_randomness
from genframe_kernels import ConvBlock, ConvTransposeBlock, LinearBlock, recompute_activations, use_backend
from genframe_kernels.recompute import Recomputation, recomputes

pytest.importorskip("triton", reason="the fused backends need Triton")
from genframe_kernels.triton import interpreted

DEVICE = "cpu" if interpreted() else "cuda"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def recomputed(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Every activation that is made again; what is merely kept is not among them."""
    made: list[Tensor] = []
    make = Recomputation.__call__

    def run(self: Recomputation) -> Tensor:
        out = make(self)
        if not any(out is each for each in self._tensors):
            made.append(out)
        return out

    monkeypatch.setattr(Recomputation, "__call__", run)
    return made


class Net(nn.Module):
    """Blocks one behind the other; each gets the labels that it takes."""

    def __init__(self, *blocks: Any) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        for block in self.blocks:
            if isinstance(block, ConvTransposeBlock) and x.dim() == 2:
                x = x.unflatten(1, (-1, 2, 2))
            x = block(x, labels if block.labels else None)
        return x


LAST = {"norm": False, "activation": "tanh"}
LEAKY = {"activation": "leaky_relu"}


def generator() -> Net:
    first = ConvTransposeBlock(6, 8, stride=(1, 1), padding=(0, 0), labels=3)
    return Net(first, ConvTransposeBlock(8, 5), ConvTransposeBlock(5, 3, labels=3, **LAST))


def dense_generator() -> Net:
    """Its convolution gets a view of a linear block's output; a norm has no gain; one block has a dropout."""
    blocks = (LinearBlock(24, 24), LinearBlock(24, 20, affine=False, activation="sigmoid"))
    return Net(*blocks, ConvTransposeBlock(5, 4, dropout=0.5), ConvTransposeBlock(4, 2, labels=3, **LAST))


def discriminator() -> Net:
    blocks = (ConvBlock(6, 4, norm=False, labels=3, **LEAKY), ConvBlock(4, 5, labels=3, **LEAKY))
    kernel = {"kernel": (5, 5), "padding": (1, 1), "end_padding": (2, 2)}
    return Net(
        *blocks, ConvBlock(5, 6, **kernel, **LEAKY), ConvBlock(6, 1, stride=(1, 1), norm=False, activation="none")
    )


NETS: dict[str, tuple[Callable[[], Net], tuple[int, ...]]] = {
    "generator": (generator, (3, 6, 1, 1)),
    "dense generator": (dense_generator, (3, 24)),
    "discriminator": (discriminator, (3, 6, 16, 16)),
}
BACKENDS = ["torch", "triton", "hybrid"]


def first_derivatives(net: Net, x: Tensor, labels: Tensor) -> list[Tensor]:
    """Those of the inputs and of all parameters; the graph is used twice."""
    z = net(x, labels)
    loss = (z * torch.linspace(-1, 1, z.numel(), device=DEVICE).view(z.shape)).sum()
    inputs = (x, labels, *net.parameters())
    once = torch.autograd.grad(loss, inputs, retain_graph=True)
    again = torch.autograd.grad(loss, inputs)
    assert all(torch.equal(*pair) for pair in zip(once, again, strict=True))
    return [z, *again]


def second_derivatives(net: Net, x: Tensor, labels: Tensor) -> list[Tensor]:
    """Those of a gradient penalty."""
    (gradient,) = torch.autograd.grad(net(x, labels).pow(3).sum(), x, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().sum()
    penalty.backward()
    return [penalty, *(each.grad for each in (x, labels, *net.parameters()) if each.grad is not None)]


def results(find: Callable[..., list[Tensor]], name: str, backend: str, on: bool, dtype: torch.dtype) -> list[Tensor]:
    make, shape = NETS[name]
    torch.manual_seed(0)
    net = make().to(DEVICE, memory_format=torch.channels_last)
    x, labels = (torch.randn(size, device=DEVICE).requires_grad_() for size in (shape, (shape[0], 3)))
    # Hybrid has no layer without a norm; here these are PyTorch's.
    for block in net.blocks:
        block.forward = served(block.forward, "torch" if backend == "hybrid" and block.norm is None else backend)
    with recompute_activations(on), torch.autocast(DEVICE, dtype=dtype, enabled=dtype != torch.float32):
        found = find(net, x, labels)
    return [*found, *net.buffers()]


def served(forward: Callable[..., Tensor], backend: str) -> Callable[..., Tensor]:
    def run(*arguments: Any) -> Tensor:
        with use_backend(backend):
            return forward(*arguments)

    return run


@pytest.mark.parametrize("find", [first_derivatives, second_derivatives])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_outputs_derivatives_and_running_statistics_have_the_same_bits(name, backend, find, recomputed):
    off = results(find, name, backend, False, torch.float32)
    assert recomputed == []
    on = results(find, name, backend, True, torch.float32)
    # Inputs of blocks; PyTorch's convolution keeps one that it has to pad at one end, and one behind a dropout is kept.
    inputs = {"generator": {8 * 4 * 4, 5 * 8 * 8}, "dense generator": {24, 20}, "discriminator": {6 * 2 * 2}}
    assert {each[0].numel() for each in recomputed} >= inputs[name]
    assert all(each.isfinite().all() for each in on)
    assert all(torch.equal(*pair) for pair in zip(on, off, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_in_bfloat16_too(name, backend):
    off, on = (results(first_derivatives, name, backend, on, torch.bfloat16) for on in (False, True))
    assert all(torch.equal(*pair) for pair in zip(on, off, strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_first_and_second_derivatives_are_those_of_finite_differences(training):
    net = Net(ConvBlock(2, 3, kernel=(3, 3), activation="tanh"), ConvBlock(3, 2, kernel=(2, 2), activation="sigmoid"))
    net.double().train(training)
    weights = [block[0].weight for block in net.blocks]
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, *_: Tensor) -> Tensor:
        return net(x, None)

    with recompute_activations():
        assert torch.autograd.gradcheck(run, (x, *weights))
        assert torch.autograd.gradgradcheck(run, (x, *weights))


def kept(run: Callable[[], Any], caller_has: Iterable[Tensor] = ()) -> int:
    """Bytes of the storages that `run` made and that live as long as what it returns, which is not counted itself."""
    made: dict[int, tuple[StorageWeakRef, int]] = {}

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for tensor in pytree.tree_leaves(out):
                if isinstance(tensor, Tensor):
                    storage = tensor.untyped_storage()
                    made[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
            return out

    with Watch():
        result = run()
    for tensor in (result, *caller_has):
        made.pop(tensor.untyped_storage()._cdata, None)
    gc.collect()
    return sum(size for reference, size in made.values() if not reference.expired())


def eager(net: Net) -> nn.Sequential:
    """The same layers, called one by one."""
    return nn.Sequential(*(layer for block in net.blocks for layer in copy.deepcopy(block)))


def dcgan_generator() -> Net:
    first = ConvTransposeBlock(100, 64, stride=(1, 1), padding=(0, 0))
    return Net(
        first, *(ConvTransposeBlock(width, width // 2) for width in (64, 32, 16)), ConvTransposeBlock(8, 3, **LAST)
    )


def dcgan_discriminator() -> Net:
    first = ConvBlock(3, 8, norm=False, **LEAKY)
    last = ConvBlock(64, 1, stride=(1, 1), padding=(0, 0), norm=False, activation="none")
    return Net(first, *(ConvBlock(width, 2 * width, **LEAKY) for width in (8, 16, 32)), last)


@pytest.mark.parametrize("backend", BACKENDS[:2])
@pytest.mark.parametrize(
    ("make", "shape", "channels", "recomputed", "not_recomputed", "plain"),
    [
        # In units of 1024 numbers: y of each block with a norm, its z too, and that is what plain layers keep.
        (dcgan_generator, (100, 1, 1), 64 + 32 + 16 + 8, 1 + 2 + 4 + 8, 30, 30),
        # Besides them z of the first block, and in plain layers what each LeakyReLU begins with.
        (dcgan_discriminator, (3, 64, 64), 16 + 32 + 64, 8 + 4 + 2 + 1, 22, 37),
    ],
)
def test_what_is_kept_for_the_backward(make, shape, channels, recomputed, not_recomputed, plain, backend):
    net, x = make().to(DEVICE), torch.randn(2, *shape, device=DEVICE)
    layers = eager(net)
    there = (x, *net.parameters(), *net.buffers(), *layers.parameters(), *layers.buffers())

    def size(thousands: int) -> int:
        """Of two samples in float32; each norm also keeps two statistics a channel."""
        return 4 * (2 * 1024 * thousands + 2 * channels)

    with use_backend(backend):
        assert kept(lambda: net(x, None), there) == size(not_recomputed)
        with recompute_activations():
            found = kept(lambda: net(x, None), there)
    assert found == size(recomputed)
    before = kept(lambda: layers(x), there)
    assert before == size(plain)
    assert found <= 0.6 * before


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("changed", ["0.1.weight", "0.1.bias", "1.0.weight"])
def test_what_is_changed_between_forward_and_backward_is_noticed(changed, backend):
    net = Net(ConvBlock(2, 3), ConvBlock(3, 4)).to(DEVICE)
    with use_backend(backend), recompute_activations():
        z = net(torch.randn(2, 2, 8, 8, device=DEVICE), None)
    with torch.no_grad():
        net.blocks.get_parameter(changed).mul_(1.5)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forward_in_between_moves_the_running_statistics_alone(backend):
    def gradients(on: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = Net(ConvBlock(2, 3), ConvBlock(3, 4)).to(DEVICE)
        with use_backend(backend), recompute_activations(on):
            first, second = (net(torch.randn(2, 2, 8, 8, device=DEVICE), None) for _ in range(2))
        return [*torch.autograd.grad(first.pow(2).sum() + second.pow(3).sum(), list(net.parameters())), *net.buffers()]

    assert all(torch.equal(*pair) for pair in zip(gradients(True), gradients(False), strict=True))


def test_an_output_that_was_changed_is_kept_as_it_is():
    def gradients(on: bool) -> list[Tensor]:
        torch.manual_seed(0)
        first, second = (ConvBlock(*widths, activation="none").to(DEVICE) for widths in ((2, 3), (3, 4)))
        with use_backend("torch"), recompute_activations(on):
            loss = second(first(torch.randn(2, 2, 8, 8, device=DEVICE)).mul_(3.0)).pow(3).sum()
        return list(torch.autograd.grad(loss, [*first.parameters(), *second.parameters()]))

    assert all(torch.equal(*pair) for pair in zip(gradients(True), gradients(False), strict=True))


def test_a_slope_that_falls_is_served_as_well():
    def gradients(on: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = Net(*(ConvBlock(*widths, activation="leaky_relu", slope=-0.5) for widths in ((2, 3), (3, 4))))
        with recompute_activations(on):
            return list(torch.autograd.grad(net(torch.randn(2, 2, 8, 8), None).pow(3).sum(), list(net.parameters())))

    expected = copy.deepcopy(gradients(False))
    assert all(torch.equal(*pair) for pair in zip(gradients(True), expected, strict=True))


def test_it_ends_with_its_context_and_leaves_compiled_blocks_alone():
    block, x = ConvTransposeBlock(3, 4), torch.randn(2, 3, 4, 4)
    with recompute_activations():
        assert recomputes(block(x))
        with recompute_activations(False):
            assert not recomputes(block(x))
        assert not recomputes(block(x).detach())
        compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
        assert not hasattr(compiled(x), "_genframe_recomputation")
        assert hasattr(block(x), "_genframe_recomputation")
    assert not recomputes(block(x))


@pytest.mark.parametrize("recipe", ["dcgan", "cdcgan"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_has_the_same_losses_and_weights(recipe, precision, recomputed):
    def trained(on: bool) -> list[Tensor]:
        registry = load_registry([])
        options = {"device": "cpu", "batch_size": 8, "steps": 3, "precision": precision}
        changes = ["architecture.width=8", "architecture.hidden=16", "metrics=[]"]
        changes.append(f"training.recompute_activations={str(on).lower()}")
        config = configure(registry, recipe=recipe, options=options, settings=[assignment(each) for each in changes])
        assembly = assemble(config, registry)
        stream = batches(assembly.train, batch_size=8, seed=0)
        found: list[Tensor] = []
        with private_randomness(assembly.compute.device):
            for number in range(3):
                found += assembly.trainer.step(number, next(stream), number / 3).values()
        return [*found, *assembly.trainer.network_tensors().values(), *assembly.trainer.training_tensors().values()]

    off = trained(False)
    assert recomputed == []
    on = trained(True)
    assert any(each.dim() == 4 for each in recomputed)
    assert len(off) > 40
    assert all(torch.equal(*pair) for pair in zip(on, off, strict=True))
