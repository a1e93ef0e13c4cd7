"""Which calls the blocks of networks make, for those who ask before something runs or want to measure it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from genframe_kernels.blocks import Block
from genframe_kernels.calls import Call


class Recorded(NamedTuple):
    """A call, and whose it is.

    Attributes:
        network: by name.
        layer: the block within it, as ``named_modules`` has it.
        call: what it did.
    """

    network: str
    layer: str
    call: Call


@contextmanager
def recorded(networks: Mapping[str, nn.Module]) -> Iterator[dict[Recorded, None]]:
    """Within, every different call that a block of these networks makes is put down, in order."""
    calls: dict[Recorded, None] = {}
    with ExitStack() as hooks:
        for network, module in networks.items():
            for layer, block in module.named_modules():
                if isinstance(block, Block):
                    handle = block.register_forward_pre_hook(partial(_put_down, calls, network, layer))
                    hooks.callback(handle.remove)
        yield calls


def _put_down(calls: dict[Recorded, None], network: str, layer: str, block: Block, inputs: tuple[Any, ...]) -> None:
    calls[Recorded(network, layer, block.call(inputs[0]))] = None
