"""Functions whose work on a GPU is recorded once and then replayed as one CUDA graph: a launch for all its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from genframe_kernels import dispatch


@contextmanager
def recording(graph: torch.cuda.CUDAGraph, device: torch.device, pool: Any, errors: str = "global") -> Iterator[None]:
    """Within, work on `device` is recorded into `graph` and not done; a failure leaves the device as it was.

    Args:
        graph: empty yet.
        device: the current one.
        pool: of ``torch.cuda.graph_pool_handle()``: graphs that are never replayed at once may share their memory.
        errors: what of other threads breaks the recording; see ``torch.cuda.graph``.
    """
    before = torch.cuda.current_stream(device)
    try:
        with torch.cuda.graph(graph, pool=pool, capture_error_mode=errors):
            yield
    except BaseException:
        # A recording that CUDA has broken off may leave the generator believing that it goes on.
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        generator.graphsafe_set_state(generator.clone_state())
        raise
    finally:
        torch.cuda.set_stream(before)  # PyTorch leaves its own there if recording fails


class _Captured(NamedTuple):
    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: Any


class Graphed:
    """`function` by replaying: one graph for each set of shapes of its arguments.

    Arguments and results are tensors, None, or dictionaries, tuples and lists of them. What else the function reads is
    as it was at the first call, which is why its tensors must stay where they are. Results are copies of their own.
    Without a CUDA tensor among the arguments the function is simply called.

    Args:
        function: launches work on one device and does not wait for it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._captured: dict[Any, _Captured] = {}
        self._pool: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """What `function` returns."""
        leaves, structure = pytree.tree_flatten(arguments)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if not any(tensor.is_cuda for tensor in tensors):
            return self._function(*arguments)
        key = (_mode(), str(structure), *map(_shape, leaves))
        if key not in self._captured:
            self._captured[key] = self._capture(leaves, structure)
        captured = self._captured[key]
        for static, given in zip(captured.inputs, tensors, strict=True):
            static.copy_(given)
        captured.graph.replay()
        return pytree.tree_map_only(Tensor, Tensor.clone, captured.outputs)

    def _capture(self, leaves: list[Any], structure: Any) -> _Captured:
        leaves = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        arguments = pytree.tree_unflatten(leaves, structure)
        inputs = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        device = next(tensor.device for tensor in inputs if tensor.is_cuda)
        # What is compiled, chosen or prepared at a first call must not fall into the recording.
        aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._function(*arguments)
        torch.cuda.current_stream(device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        with torch.cuda.device(device), recording(graph, device, self._pool):
            outputs = self._function(*arguments)
        return _Captured(graph, inputs, outputs)


def _shape(leaf: Any) -> Any:
    """What a recording takes for given of an argument."""
    return (leaf.shape, leaf.dtype, leaf.stride(), leaf.device) if isinstance(leaf, Tensor) else leaf


def _mode() -> tuple[Any, ...]:
    """What else decides which kernels run."""
    return (
        dispatch.asked(),
        torch.is_autocast_enabled("cuda"),
        torch.get_autocast_dtype("cuda"),
        torch.backends.cudnn.allow_tf32,
        torch.get_float32_matmul_precision(),
    )
