"""What of a process a part must leave alone, and how it is put back after one that does not."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

#: The name of what networks may change, since they draw their weights and their dropout from it.
TORCH_GENERATOR = "torch's global generator"

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))

Read = Callable[[], Any]
Write = Callable[[Any], object]


def _torch_state() -> bytes:
    return torch.get_rng_state().numpy().tobytes()


def _set_torch_state(state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _numpy_state() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return (name, np.asarray(keys).tobytes(), *rest)


def _set_numpy_state(state: tuple[Any, ...]) -> None:
    name, keys, *rest = state
    np.random.set_state((name, np.frombuffer(keys, dtype=np.uint32), *rest))


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _cudnn() -> tuple[bool, bool, bool]:
    flags = torch.backends.cudnn
    return flags.enabled, flags.benchmark, flags.deterministic


def _set_cudnn(state: tuple[bool, bool, bool]) -> None:
    flags: Any = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = state


def _set_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def _set_path(path: list[str]) -> None:
    sys.path[:] = path


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]


def _logging() -> tuple[int, list[logging.Handler]]:
    return logging.root.level, list(logging.root.handlers)


def _set_logging(state: tuple[int, list[logging.Handler]]) -> None:
    logging.root.setLevel(state[0])
    logging.root.handlers[:] = state[1]


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in _SIGNALS]


def _set_handlers(handlers: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, handlers, strict=True):
        signal.signal(number, handler)


_PLACES: Mapping[str, tuple[Read, Write]] = {
    TORCH_GENERATOR: (_torch_state, _set_torch_state),
    "numpy's global generator": (_numpy_state, _set_numpy_state),
    "the generator of the module random": (random.getstate, random.setstate),
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": (torch.get_default_device, _set_device),
    "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's deterministic algorithms": (_deterministic, _set_deterministic),
    "cuDNN's flags": (_cudnn, _set_cudnn),
    "torch's float32 precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "numpy's error handling": (np.geterr, lambda state: np.seterr(**state)),
    "os.environ": (lambda: dict(os.environ), _set_environment),
    "sys.path": (lambda: list(sys.path), _set_path),
    "the warnings' filters": (lambda: list(warnings.filters), _set_filters),
    "the root logger": (_logging, _set_logging),
    "the handlers of signals": (_handlers, _set_handlers),
    "the working directory": (os.getcwd, os.chdir),
}


class Surroundings:
    """The process as it is now, as far as parts must not change it."""

    def __init__(self) -> None:
        self._before = {name: read() for name, (read, _) in _PLACES.items()}

    def changes(self) -> list[str]:
        """The names of what has changed since."""
        return [name for name, (read, _) in _PLACES.items() if read() != self._before[name]]

    def restore(self) -> None:
        """Puts back what has changed."""
        for name in self.changes():
            _PLACES[name][1](self._before[name])


@contextmanager
def restored() -> Iterator[None]:
    """Within, no server is found; afterwards the process is as it was."""
    before = Surroundings()
    try:
        with _no_network():
            yield
    finally:
        before.restore()


@contextmanager
def _no_network() -> Iterator[None]:
    """No host's name is resolved: what a check says holds offline, too."""

    def refuse(*arguments: object, **keywords: object) -> None:
        raise OSError("the conformance kit opens no connections")

    lookup: Any = socket.getaddrinfo
    socket.getaddrinfo = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        socket.getaddrinfo = lookup
