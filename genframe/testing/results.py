"""A check, what it says, and how a stranger's exception becomes a sentence that names the line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "skipped"]


class FaultError(Exception):
    """The part breaks a promise; the message says which, and by how much."""


class SkippedError(Exception):
    """The check says nothing about this part; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a check found.

    Attributes:
        part: what was checked: ``noise/signs``.
        name: of the check.
        outcome: ``passed``, ``failed`` or ``skipped``.
        reason: why it failed or was skipped; of a check that passed, what it measured, if anything.
    """

    part: str
    name: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise of a part. Calling it says whether the part keeps it.

    Attributes:
        part: what is checked: ``noise/signs``.
        name: of the check, unique for the kind of part.
        explanation: what is promised, in one line.
        examine: does the work; returns what it measured, raises `FaultError`, `SkippedError` or whatever the part
            raises.
        homes: the packages whose lines are the plugin's.
    """

    part: str
    name: str
    explanation: str
    examine: Callable[[], str]
    homes: Collection[str]

    def __call__(self) -> Result:
        """Checks. Never raises, whatever the plugin does, and leaves this process as it was."""
        from genframe.testing.surroundings import restored  # imports torch, which listing the checks does not need

        try:
            with restored(), redirect_stdout(sys.stderr):
                return self._result("passed", self.examine())
        except SkippedError as reason:
            return self._result("skipped", str(reason))
        except FaultError as fault:
            return self._result("failed", f"{fault}{_where(fault, self.homes)}")
        except (Exception, SystemExit) as error:  # it is a stranger's code
            cause = error.__cause__ or error
            return self._result("failed", f"{type(cause).__name__}: {cause}{_where(cause, self.homes)}")

    def _result(self, outcome: Outcome, reason: str) -> Result:
        return Result(part=self.part, name=self.name, outcome=outcome, reason=" ".join(reason.split()))


@dataclass(frozen=True, kw_only=True)
class Work:
    """Ordinary use of a part, for the checks that every kind has.

    Attributes:
        run: uses it once.
        count: how many units that is.
        unit: of what: ``samples``.
        note: what else is worth knowing, such as the number of parameters.
        draws: whether the part may draw from torch's global generator, as networks do.
    """

    run: Callable[[], object]
    count: int
    unit: str
    note: str = ""
    draws: bool = False


def require(holds: object, fault: str) -> None:
    """Says what is wrong.

    Raises:
        FaultError: it does not hold.
    """
    if not holds:
        raise FaultError(fault)


def count_of(results: Iterable[Result]) -> dict[Outcome, int]:
    """How many passed, failed and were skipped."""
    outcomes = [result.outcome for result in results]
    counted: tuple[Outcome, ...] = ("passed", "failed", "skipped")
    return {outcome: outcomes.count(outcome) for outcome in counted}


def _where(error: BaseException, homes: Collection[str]) -> str:
    """`` (file:line)`` of the innermost line of the plugin, or nothing where none took part."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] in homes
    ]
    if not frames:
        return ""
    file, line = frames[-1]
    near = os.path.relpath(file)
    return f" ({file if near.startswith(os.pardir) else near}:{line})"
