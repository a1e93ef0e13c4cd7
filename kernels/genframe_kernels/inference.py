"""Networks for drawing many samples: what does not depend on the input is done once."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from genframe_kernels.blocks import Block
from genframe_kernels.graphs import Graphed


class _Inference(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._call = Graphed(network)

    def forward(self, *arguments: Any) -> Any:
        with torch.inference_mode():
            return self._call(*arguments)


def compile_inference(network: nn.Module) -> nn.Module:
    """A copy of a network for inference, in the mode (training or evaluation) that it is in now.

    Backends fold the running statistics of each block into its convolution's epilogue and keep its weight in the order
    in which they read it; on a CUDA device the whole network is one CUDA graph for each shape of its inputs. Later
    changes of `network` do not reach the copy. By PyTorch's own operators on a CPU, results are the network's to the
    bit.

    Args:
        network: takes and returns tensors, None, or dictionaries, tuples and lists of them; on one device.
    """
    network = copy.deepcopy(network).requires_grad_(False)
    for module in network.modules():
        if isinstance(module, Block):
            module.freeze()
    return _Inference(network)
