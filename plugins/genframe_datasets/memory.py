"""How much memory a dataset may take, as users write it."""

from __future__ import annotations

import os
import re

from genframe.errors import ConfigError

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

_MEMORY = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)

#: Where the system does not say how much there is.
_ASSUMED = 8 * 1024**3


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


def installed_memory() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _ASSUMED
