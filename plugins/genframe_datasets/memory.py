"""How much memory a dataset may take, as users write it."""

from __future__ import annotations

import re

from genframe.errors import ConfigError
from genframe.memory import installed_memory

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

_MEMORY = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def parse_memory(text: str) -> int:
    """Bytes from ``512MB`` or ``2GB`` (of 1024 KB a MB); empty is a quarter of the machine's memory.

    Raises:
        ConfigError: it is neither.
    """
    if not text:
        return installed_memory() // 4
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ConfigError(f"--data-memory is an amount such as 512MB or 2GB; got {text!r}")
    return int(float(match[1]) * _UNITS[match[2].upper()])
