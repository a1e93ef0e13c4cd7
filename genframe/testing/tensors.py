"""What several kinds ask of tensors: equal bits, a way through safetensors, no value that is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genframe.interfaces import Stateful
from genframe.testing.results import FaultError, SkippedError, require

#: What makes Python wait for a number, or a shape depend on one.
_READS = frozenset(
    {
        "_local_scalar_dense",
        "_unique2",
        "allclose",
        "bincount",
        "equal",
        "masked_select",
        "nonzero",
        "unique_consecutive",
        "unique_dim",
        "unique_dim_consecutive",
    }
)

#: Further numbers for a part's state, made of those that it has: some part may refuse or limit some of them.
_CHANGES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda numbers: numbers + 1,
    lambda numbers: numbers - 1,
    lambda numbers: (numbers * 0.5).to(numbers.dtype),
    torch.zeros_like,
)


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


def keeps_its_state(make: Callable[[], Any], use: Callable[[Any], object]) -> str:
    """Whether a part with numbers of its own gives them back; for a check called ``state``.

    The numbers are those of instances, one used and others that were given changed numbers and took them in their own
    way: so a part may refuse numbers that mean nothing to it, or limit them.

    Args:
        make: makes a new instance of the part.
        use: uses an instance once.

    Raises:
        SkippedError: it has no numbers, or refuses all but the first ones.
        FaultError: they are not tensors, or another instance does not take them.
    """
    first = _state(make())
    if not first:
        raise SkippedError("it keeps no numbers of its own")
    used = make()
    use(used)
    accepted = list(_accepted(make, first))
    others = [_state(used), *accepted]
    for state in others:
        another = make()
        another.load_state(state)
        back = _state(another)
        require(back.keys() == state.keys(), "state and load_state speak of different names")
        lost = [name for name in state if not same(back[name], state[name])]
        require(not lost, f"load_state does not take back {', '.join(lost)} of its state")
    still = [name for name in first if all(same(state[name], first[name]) for state in others if name in state)]
    if still and not accepted:
        raise SkippedError(f"its use does not change {', '.join(still)}, and load_state refuses numbers made up here")
    require(not still, f"load_state does not take back {', '.join(still)} of its state")
    return f"{len(first)} tensors"


def _state(part: Any) -> dict[str, Tensor]:
    """What a part keeps, as a checkpoint does; nothing where it is not stateful."""
    return stored(part.state(), "its state") if isinstance(part, Stateful) else {}


def _accepted(make: Callable[[], Any], first: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The states of instances that were given changed numbers."""
    for change in _CHANGES:
        part = make()
        try:
            part.load_state({name: ~v if v.dtype == torch.bool else change(v) for name, v in first.items()})
        except Exception:  # a part may refuse what is no state of it, by whatever it likes
            continue
        yield _state(part)


@contextmanager
def no_values() -> Iterator[None]:
    """Within, whoever reads a tensor's value fails: such a step cannot be recorded as a CUDA graph.

    Raises:
        FaultError: somebody does.
    """
    with (
        patch.object(Tensor, "tolist", _refusal("tolist")),
        patch.object(Tensor, "numpy", _refusal("numpy")),
        _NoValues(),  # type: ignore[no-untyped-call]
    ):
        yield


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise _fault(name)

    return refuse


def _fault(name: str) -> FaultError:
    return FaultError(
        f"it reads a tensor's value ({name}), as .item(), a Python branch on a tensor or a mask as an index do: steps "
        "with it cannot be recorded as CUDA graphs"
    )


def _reads(name: str, arguments: Any, keywords: Mapping[str, Any]) -> bool:
    """Whether an operation of ATen waits for a number, or gives a shape that depends on one."""
    if name == "repeat_interleave":
        return keywords.get("output_size") is None
    if name == "index":
        return any(map(_is_mask, arguments[1]))
    if name in ("index_put", "index_put_"):  # of a single number it is a masked_fill, which waits for nothing
        return any(map(_is_mask, arguments[1])) and arguments[2].numel() != 1
    return name in _READS


def _is_mask(index: object) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


class _NoValues(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, keywords = func.overloadpacket.__name__, kwargs or {}
        if _reads(name, args, keywords):
            raise _fault(name)
        return func(*args, **keywords)
