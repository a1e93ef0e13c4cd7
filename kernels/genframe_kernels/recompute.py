"""Activations that the backward computes again instead of keeping them.

A block makes y by its operation, then ``z = activation(BatchNorm(y))``. Its backward needs y, and the next block's
needs z, so that autograd keeps two tensors a block. Where activations are recomputed, z knows how it came from y, and
what would keep z for a backward keeps that instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

_asked = False
#: Of a tensor: its recomputation, and the version that it makes.
_ATTRIBUTE = "_genframe_recomputation"


@contextmanager
def recompute_activations(on: bool = True) -> Iterator[None]:
    """Within, blocks keep nothing for the backward that one pass makes again to the same bits, if `on`.

    The backward may run later. Under ``torch.compile`` this changes nothing. Saved-tensor hooks from outside do not see
    what a block keeps whose input is recomputed.
    """
    global _asked
    before, _asked = _asked, on
    try:
        yield
    finally:
        _asked = before


def recomputes(z: Tensor) -> bool:
    """Whether `z` is to be recomputed: it is asked for, and there will be a backward."""
    return _asked and z.requires_grad and not torch.compiler.is_compiling()


class Recomputation:
    """Makes a tensor again from what it was made of.

    Args:
        make: takes `tensors` and gives the tensor, in the layout and with the bits of the first time.
        tensors: what it is made of. They must not be changed before the backward.
    """

    def __init__(self, make: Callable[..., Tensor], *tensors: Tensor | None) -> None:
        self._make = make
        self._tensors = [None if tensor is None else tensor.detach() for tensor in tensors]
        self._versions = [None if tensor is None else tensor._version for tensor in tensors]

    def __call__(self) -> Tensor:
        """The tensor, without a graph.

        Raises:
            RuntimeError: something that it is made of was changed in place.
        """
        if self._versions != [None if tensor is None else tensor._version for tensor in self._tensors]:
            raise RuntimeError("a tensor that the backward needs was changed in place after the forward")
        with torch.no_grad():
            return self._make(*self._tensors)

    def attach(self, z: Tensor) -> Tensor:
        """`z`, which it makes; from now on `input_recomputed` knows how, also of views of it."""
        setattr(_base(z), _ATTRIBUTE, (self, z._version))
        return z

    def instead_of(self, kept: Tensor) -> AbstractContextManager[object]:
        """A context in which autograd keeps this where it would keep `kept` or a view of it.

        What it makes has the layout of `kept`. PyTorch leaves it to hooks to notice changes in place, so everything
        else that is kept is kept with its version.
        """
        storage = kept.untyped_storage()._cdata

        def pack(saved: Tensor) -> Callable[[], Tensor]:
            if saved.untyped_storage()._cdata != storage:
                return Recomputation(lambda same: same, saved)
            place = (saved.size(), saved.stride(), saved.storage_offset())
            return lambda: self().as_strided(*place)

        return torch.autograd.graph.saved_tensors_hooks(pack, lambda packed: packed())


def input_recomputed(x: Tensor) -> AbstractContextManager[object]:
    """A context for the operation that has `x` as its input: autograd does not keep it where it can be recomputed."""
    if not recomputes(x):
        return nullcontext()
    recomputation, version = getattr(_base(x), _ATTRIBUTE, (None, 0))
    if recomputation is None or x._version != version:
        return nullcontext()
    return recomputation.instead_of(x)  # type: ignore[no-any-return]


def _base(x: Tensor) -> Tensor:
    return x if x._base is None else x._base
