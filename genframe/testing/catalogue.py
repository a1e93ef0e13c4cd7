"""The list of a kind's checks, filled by a decorator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genframe.testing.subject import Subject

#: Examines a part; returns what it measured, if anything.
Examine = Callable[[Subject], str | None]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A check, before there is something to examine.

    Attributes:
        name: unique for the kind.
        explanation: what is promised, in one line.
        examine: does the work.
    """

    name: str
    explanation: str
    examine: Examine


class Checks:
    """The checks of a kind, in the order in which they are written down."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, name: str, explanation: str) -> Callable[[Examine], Examine]:
        """Marks a function as a check.

        Args:
            name: unique for the kind.
            explanation: what is promised, in one line.
        """

        def mark(examine: Examine) -> Examine:
            self._entries.append(Entry(name=name, explanation=explanation, examine=examine))
            return examine

        return mark
