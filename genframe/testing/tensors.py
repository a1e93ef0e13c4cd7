"""What several kinds ask of tensors: equal bits, a way through safetensors, no value that is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genframe.interfaces import Stateful
from genframe.testing.results import FaultError, SkippedError, require

#: What makes Python wait for a number, or a shape depend on one.
_READS = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim"})


def generator(seed: int = 0) -> torch.Generator:
    """A generator of the kit's own."""
    return torch.Generator().manual_seed(seed)


def require_tensor(value: object, what: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """The tensor, once it is known to be one of this shape and type, all of it finite.

    Raises:
        FaultError: it is not.
    """
    if not isinstance(value, Tensor):
        raise FaultError(f"{what} is a {type(value).__name__}, and a tensor is wanted")
    require(value.dtype == dtype, f"{what} is of {value.dtype}, and {dtype} is wanted")
    require(value.shape == shape, f"{what} has the shape {tuple(value.shape)}, and {shape} is wanted")
    require(torch.isfinite(value.float()).all(), f"{what} holds numbers that are not finite")
    return value


def same(first: Tensor, second: Tensor) -> bool:
    """Whether both have the same type, shape and bits."""
    return first.dtype == second.dtype and torch.equal(first, second)


def stored(tensors: Mapping[str, Any], what: str) -> dict[str, Tensor]:
    """The tensors after a way through safetensors, as a checkpoint keeps them.

    Raises:
        FaultError: something is no tensor.
    """
    others = [
        f"'{name}' is a {type(value).__name__}" for name, value in tensors.items() if not isinstance(value, Tensor)
    ]
    require(not others, f"{what} holds more than tensors, and a checkpoint keeps nothing else: {', '.join(others)}")
    return load(save({name: value.detach().contiguous().clone() for name, value in tensors.items()}))


def keeps_its_state(make: Any) -> str:
    """Whether a part with numbers of its own gives them back; for a check called ``state``.

    Args:
        make: makes a new instance of the part.

    Raises:
        SkippedError: it has none.
        FaultError: they are not tensors, or another instance does not take them.
    """
    part = make()
    if not isinstance(part, Stateful):
        raise SkippedError("it keeps no numbers of its own")
    before = stored(part.state(), "its state")
    moved = {name: value + 1 if value.dtype != torch.bool else ~value for name, value in before.items()}
    other = make()
    other.load_state(moved)
    after = stored(other.state(), "its state")
    lost = [name for name in moved if name not in after or not same(after[name], moved[name])]
    require(not lost, f"load_state does not take back {', '.join(lost)} of its state")
    require(after.keys() == moved.keys(), "state and load_state speak of different names")
    return f"{len(before)} tensors"


@contextmanager
def no_values() -> Iterator[None]:
    """Within, whoever reads a tensor's value fails: such a step cannot be recorded as a CUDA graph.

    Raises:
        FaultError: somebody does.
    """
    with _NoValues():  # type: ignore[no-untyped-call]
        yield


def _is_mask(index: object) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


class _NoValues(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in _READS or (name == "index" and any(map(_is_mask, args[1]))):
            raise FaultError(
                f"it reads a tensor's value ({name}), as .item(), a Python branch on a tensor or a mask as an index "
                "do: steps with it cannot be recorded as CUDA graphs"
            )
        return func(*args, **(kwargs or {}))
