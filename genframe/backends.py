"""The kernels behind the networks' blocks, by name; which ones there are is the business of `genframe_kernels`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from genframe.errors import ConfigError
from genframe_kernels import UnsupportedError, asked, use_backend


@contextmanager
def kernel_backend(name: str) -> Iterator[None]:
    """The blocks of networks are served by this backend.

    Args:
        name: ``torch``, ``triton`` ...; ``auto`` leaves it to GENFRAME_BACKEND, or to what was measured.

    Raises:
        ConfigError: there is no such backend, or it cannot serve a block that came.
    """
    chosen = asked() if name == "auto" else name
    try:
        with use_backend(chosen):
            yield
    except UnsupportedError as error:
        raise ConfigError(f"--backend {chosen}: {error}") from error
