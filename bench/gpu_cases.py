"""What ``gpu.py`` wants to know: which networks, which cases, in which order, and what each block needs at least."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from genframe_kernels.calls import Call


@dataclass(frozen=True)
class Network:
    """A recipe whose networks are measured.

    Attributes:
        recipe: by name.
        shape: of its pictures, ``(H, W, C)``; the pictures are random numbers.
        settings: that make it what its name says.
    """

    recipe: str
    shape: tuple[int, int, int]
    settings: tuple[str, ...] = ()


NETWORKS = {
    "64x64 ngf 64": Network("dcgan-tutorial", (64, 64, 3)),
    "64x64 ngf 128": Network("dcgan-tutorial", (64, 64, 3), ("architecture.width=128",)),
    "conditional MNIST": Network("cdcgan-radford2015", (28, 28, 1)),
}
TINY = {"tiny": Network("cdcgan", (8, 8, 1), ("architecture.width=4", "architecture.hidden=8"))}

#: Variants of a step that recompute activations: as "graphs" and as "triton" without this; compare the peaks of memory.
RECOMPUTING = ("graphs + recompute", "triton + recompute")


@dataclass(frozen=True)
class Schedule:
    """A whole published training on real data, started as a user starts it.

    Attributes:
        name: of the figure.
        words: of ``genframe run``.
    """

    name: str
    words: tuple[str, ...]


def schedules(device: str, data: Sequence[str]) -> list[Schedule]:
    """``cdcgan-radford2015`` as it was published, 78,200 minibatches: eager in float32, and replayed.

    Args:
        device: where.
        data: the words that name the data.
    """
    words = ("--plugin", "cdcgan-radford2015", *data, "--device", device, "--seed", "0", "--set", "observers=[]")
    eager = (*words, "--precision", "float32", "--set", "training.cuda_graphs=false")
    return [
        Schedule("replayed, bfloat16", (*words, "--precision", "bfloat16")),
        Schedule("replayed, float32", (*words, "--precision", "float32")),
        Schedule("eager, float32", eager),
    ]


@dataclass(frozen=True)
class Case:
    """One figure that is wanted.

    Attributes:
        question: ``generator``, ``forward`` (of training), ``step`` or ``layer``.
        network: by name.
        batch: samples.
        precision: ``bfloat16`` or ``tf32``.
        variant: what computes it.
        layer: of the generator, by its place in a step's calls.
    """

    question: str
    network: str
    batch: int
    precision: str
    variant: str
    layer: int = 0

    def __str__(self) -> str:
        layer = f" {self.layer}" if self.question == "layer" else ""
        return f"{self.question}{layer} | {self.network} | {self.batch} | {self.precision} | {self.variant}"


def cases(networks: Mapping[str, Network], sizes: tuple[int, ...], layers: Callable[[Case], int]) -> Iterator[Case]:
    """What is wanted, the most important first: ours and eager, then what has to be compiled, then single layers."""
    precisions = ("bfloat16", "tf32")
    simple = {
        "generator": ("eager", "channels_last", "graphs", "triton"),
        "forward": ("eager", "channels_last", "triton", "hybrid"),
        "step": ("eager", "channels_last", "graphs", "triton", "hybrid", *RECOMPUTING),
    }
    for variants in (simple, dict.fromkeys(simple, ("compile", "compile + graphs"))):
        for precision in precisions:
            for batch in sizes:
                for network in networks:
                    for question, names in variants.items():
                        yield from (Case(question, network, batch, precision, name) for name in names)
    for network in networks:
        for batch in sizes:
            for precision in precisions:
                first = Case("layer", network, batch, precision, "eager")
                for layer in range(layers(first)):
                    for variant in ("eager", "channels_last", "triton", "hybrid", "compile"):
                        yield replace(first, variant=variant, layer=layer)


def floor(call: Call) -> dict[str, float]:
    """The bytes that a block's forward must move at least, and its products."""
    width = torch.empty((), dtype=call.dtype).element_size()
    inputs = call.batch * math.prod(call.size) * call.channels
    outputs = call.batch * math.prod(call.out_size) * call.outputs
    weight = (call.channels + call.labels) * call.outputs * math.prod(call.kernel)
    pixels = math.prod(call.size if call.operation == "conv_transpose" else call.out_size)
    products = 2 * call.batch * pixels * weight if call.operation != "linear" else 2 * call.batch * weight
    return {"bytes": width * (inputs + outputs + weight), "products": products}
