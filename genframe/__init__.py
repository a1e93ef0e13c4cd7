"""genframe: a plugin-based framework for generative image models.

The public names are imported when they are first used, so that ``import genframe`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genframe.api import load, register, train
    from genframe.hookspecs import hookimpl
    from genframe.loading import LoadedGenerator
    from genframe.run import Run

__version__ = "0.1.0"

__all__ = ["LoadedGenerator", "Run", "__version__", "hookimpl", "load", "register", "train"]

_HOMES = {
    "LoadedGenerator": "genframe.loading",
    "Run": "genframe.run",
    "hookimpl": "genframe.hookspecs",
    "load": "genframe.api",
    "register": "genframe.api",
    "train": "genframe.api",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'genframe' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
