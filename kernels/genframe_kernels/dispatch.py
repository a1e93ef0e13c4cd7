"""Which backend serves a block: by name, or ``auto``, which means torch wherever nothing measured says otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from genframe_kernels import reference
from genframe_kernels.calls import Call, Tensors


class Backend(Protocol):
    """What serves calls; a package offers one under the entry-point group ``genframe.kernels``."""

    def refusal(self, call: Call) -> str | None:
        """Why it cannot serve this call, in words; None if it can."""

    def run(self, call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
        """Operation, norm and activation; in training also the running statistics."""


Prepared = Callable[[Tensor, Tensor | None], Tensor]


@runtime_checkable
class PreparingBackend(Backend, Protocol):
    """A backend that does some of a block's work once, for inference."""

    def prepare(self, call: Call, tensors: Tensors) -> Prepared:
        """The block as a function of input and labels ``(B, K)``; its tensors do not change from now on.

        The call has no gradient and no norm by the batch's statistics.
        """


class UnsupportedError(ValueError):
    """The backend that was asked for cannot serve a call."""


class Choice(NamedTuple):
    """What serves a call, and why.

    Attributes:
        name: of the backend.
        backend: itself.
        reason: for the choice, in words.
    """

    name: str
    backend: Backend
    reason: str


class _Torch:
    def refusal(self, call: Call) -> str | None:
        return None

    def run(self, call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
        return reference.block(call, x, tensors, labels_BK)


_TORCH = _Torch()
_backends: dict[str, Backend] = {"torch": _TORCH}
_asked = os.environ.get("GENFRAME_BACKEND", "auto")


def register_backend(name: str, backend: Backend) -> None:
    """Makes `backend` known by this name.

    Raises:
        ValueError: the name is taken.
    """
    if name == "auto" or name in _backends:
        raise ValueError(f"a kernel backend named '{name}' is already known")
    _backends[name] = backend


def asked() -> str:
    """The backend asked for in this process: ``auto`` or a name; at first that of GENFRAME_BACKEND."""
    return _asked


def set_backend(name: str) -> None:
    """Asks for a backend from now on, in the whole process.

    Raises:
        UnsupportedError: no backend has this name, or what it needs is not there.
    """
    global _asked
    if name != "auto":
        named(name)
    _asked = name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Asks for a backend within a ``with`` block; see `set_backend`."""
    before = asked()
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)


def named(name: str) -> Backend:
    """The backend of this name, loaded.

    Raises:
        UnsupportedError: no backend has this name, or what it needs is not there.
    """
    if name in _backends:
        return _backends[name]
    if name in ("triton", "hybrid"):
        try:
            from genframe_kernels.triton import backend
        except ImportError as error:
            raise UnsupportedError(
                f"kernel backend '{name}' needs Triton, which is not installed ({error}); pip install 'genframe[gpu]'"
            ) from error
        _backends[name] = backend.Triton() if name == "triton" else backend.Hybrid()
        return _backends[name]
    for entry in entry_points(group="genframe.kernels", name=name):
        _backends[name] = entry.load()()
        return _backends[name]
    known = ["auto", *sorted({*_backends, "triton", "hybrid", *entry_points(group="genframe.kernels").names})]
    raise UnsupportedError(f"no kernel backend is named '{name}'; there are {', '.join(known)}")


def choose(call: Call, name: str | None = None) -> Choice:
    """What serves `call`, for the backend `name` or the one asked for.

    Raises:
        UnsupportedError: that backend was asked for by name and cannot.
    """
    name = asked() if name is None else name
    if name == "auto":
        return _automatic(call)
    backend = named(name)
    refusal = backend.refusal(call)
    if refusal is not None:
        raise UnsupportedError(f"kernel backend '{name}' cannot serve {call}: {refusal}")
    return Choice(name, backend, f"{name} was asked for")


def _automatic(call: Call) -> Choice:
    if call.device != "cuda":
        return Choice("torch", _TORCH, f"the device is {call.device}, and the other backends are for CUDA")
    if torch.compiler.is_compiling():
        return Choice("torch", _TORCH, "torch.compile fuses it; the rows were measured without")
    from genframe_kernels import measured

    row = measured.winner(call, torch.cuda.get_device_name())
    if row is None:
        return Choice("torch", _TORCH, "nothing was measured for this layer on this device")
    backend = named(row.backend)
    refusal = backend.refusal(call)
    if refusal is not None:
        return Choice("torch", _TORCH, f"{row.backend} was measured to be faster and cannot serve it: {refusal}")
    return Choice(row.backend, backend, f"measured on {row.device}: {row.ratio:.2f} times as fast as torch")
