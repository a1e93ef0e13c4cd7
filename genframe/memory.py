"""How much memory there is, so that what does not fit is refused before it is asked for."""

from __future__ import annotations

import os

from genframe.errors import ConfigError

#: Where the system does not say how much there is.
_ASSUMED = 8 * 1024**3


def installed_memory() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _ASSUMED


def refuse_too_large(size: int, what: str, advice: str) -> None:
    """Refuses what takes more than half of the memory.

    Args:
        size: in bytes.
        what: a plural, as in ``{what} take 70 GiB``.
        advice: what to do about it.

    Raises:
        ConfigError: it does.
    """
    if size > installed_memory() // 2:
        raise ConfigError(f"{what} take {size / 2**30:,.0f} GiB, more than half of this machine's memory; {advice}")
