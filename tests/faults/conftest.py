"""What the fault tests share: how many cases, processes that can be killed, a limit on memory, and a limit on time."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

# Children import these by name, too, and the tests beside this file what they share.
sys.path.append(str(Path(__file__).parent))

from harness import FULL, Child, run_forked

#: What a test may take beyond what the process has when it starts; a broken limit fails the test, not the machine.
_ROOM = 3 * 2**30


@pytest.fixture(scope="session")
def count() -> Callable[[int, int], int]:
    """Either number of cases: ``count(100, 1000)``."""
    return lambda small, full: full if FULL else small


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """``figure("200 kills")``: what a test counted; all of it is listed at the end of ``make faults``."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not FULL:
        return
    reports = [each for key in ("passed", "failed") for each in terminalreporter.getreports(key)]
    figures = [(each.nodeid, value) for each in reports for name, value in each.user_properties if name == "figure"]
    terminalreporter.section("figures of the fault suite")
    for node, text in sorted(dict.fromkeys(figures)):
        terminalreporter.write_line(f"{node.rpartition('::')[2]}: {text}")
    calls = Counter((each.nodeid.rpartition("[")[0] or each.nodeid, each.outcome) for each in reports)
    for (node, outcome), number in sorted(calls.items()):
        if number > 1:
            terminalreporter.write_line(f"{node.rpartition('::')[2]}: {number} cases {outcome}")


@pytest.fixture
def limited_memory() -> Iterator[None]:
    """No test takes more address space than `_ROOM`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def in_time() -> Iterator[Callable[[float], None]]:
    """``in_time(5)``: from now on so many seconds until a TimeoutError; ``in_time(0)`` ends it."""

    def expired(signum: int, frame: object) -> None:
        raise TimeoutError("the case hangs")

    before = signal.signal(signal.SIGALRM, expired)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def server() -> Any:
    """Forks processes that have imported everything, in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["forked"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # the server looks nowhere else
        forkserver.ensure_running()
    return context


@pytest.fixture
def start(server: Any, tmp_path: Path, folder: Path) -> Iterator[Callable[..., Child]]:
    """``start("command", words, ...)`` starts a function of ``forked.py`` on these words; none outlives the test."""
    children: list[Child] = []
    numbers = itertools.count()

    def begin(function: str, words: list[Any], *arguments: Any) -> Child:
        log = tmp_path / f"child-{next(numbers)}.log"
        texts = [str(word) for word in words]
        process = server.Process(target=run_forked, args=(function, texts, str(log), *arguments))
        process.start()
        children.append(Child(process, log))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
        child.process.join(10)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: what a kill leaves behind is the same, and nothing waits for a disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="genframe-faults-", dir=memory) as made:
        yield Path(made)
