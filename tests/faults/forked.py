"""What the fault tests run in processes of their own, forked from a server that has imported everything already."""

from __future__ import annotations

import ctypes
import json
import os
import pkgutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sklearn.datasets  # noqa: F401
import torch._dynamo  # noqa: F401 - every optimizer imports it

import genframe.cli.display
import genframe.recording
import genframe.run  # noqa: F401 - so that children find it imported
from genframe.cli.main import main
from genframe.registry import load_registry
from genframe.rundir.checkpoint import complete_checkpoints

_NEW_MOUNTS = 0x00020000

load_registry([]).all("recipe")


def command(words: list[str], log: str) -> None:
    """``genframe WORDS``; what it prints goes to a file."""
    _print_to(log)
    main(words)


def command_that_dies(words: list[str], log: str, function: str, call: int, after: bool) -> None:
    """The same, and the process kills itself at the `call`-th call of a function, before or after what it does."""
    _print_to(log)
    module, _, name = function.rpartition(".")
    owner = pkgutil.resolve_name(module)
    original, calls = getattr(owner, name), 0

    def deadly(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            os.kill(os.getpid(), 9)
        result = original(*arguments, **keywords)
        if calls == call:
            os.kill(os.getpid(), 9)
        return result

    setattr(owner, name, deadly)
    main(words)


def command_that_waits(words: list[str], log: str, function: str) -> None:
    """The same, and at the first call of a function it says so and waits for a signal to end it."""
    _print_to(log)
    module, _, name = function.rpartition(".")

    def waits(*_arguments: Any, **_keywords: Any) -> Any:
        print("waits", flush=True)
        time.sleep(60)

    setattr(pkgutil.resolve_name(module), name, waits)
    main(words)


def command_on_small_disk(words: list[str], log: str, size: int, left: int, report: str) -> None:
    """The same on a file system of its own, which somebody fills up to `left` bytes after the first checkpoint.

    The run directory is ``run`` there. What is on the disk afterwards is copied to the folder `report`.
    """
    _print_to(log)
    disk = Path(report).with_suffix(".disk")
    disk.mkdir()
    code: Any = "not mounted"
    if mounted(disk, size):
        os.chdir(disk)
        threading.Thread(target=_fill, args=(disk, left), daemon=True).start()
        try:
            main(words)
        except SystemExit as ending:
            code = ending.code
    _copy(disk / "run", Path(report))
    Path(report).with_suffix(".json").write_text(json.dumps(code))
    os._exit(0)  # the mount goes with the process


def command_on_read_only_disk(words: list[str], log: str, report: str) -> None:
    """The same on a file system that cannot be written."""
    _print_to(log)
    disk = Path(report).with_suffix(".disk")
    disk.mkdir()
    code: Any = "not mounted"
    if mounted(disk, 40_000_000, read_only=True):
        os.chdir(disk)
        try:
            main(words)
        except SystemExit as ending:
            code = ending.code
    Path(report).with_suffix(".json").write_text(json.dumps(code))
    os._exit(0)


def can_mount(report: str) -> None:
    """Writes whether this process may have file systems of its own."""
    folder = Path(report).with_suffix(".disk")
    folder.mkdir()
    Path(report).write_text(json.dumps(mounted(folder, 1_000_000)))
    os._exit(0)


def mounted(folder: Path, size: int, read_only: bool = False) -> bool:
    """Mounts a file system in memory of so many bytes, for this process alone; whether that was allowed."""
    library = ctypes.CDLL(None, use_errno=True)
    private = 1 << 18 | 1 << 14  # MS_PRIVATE, MS_REC: nothing of this is seen outside
    return (
        library.unshare(_NEW_MOUNTS) == 0
        and library.mount(b"none", b"/", None, private, None) == 0
        and library.mount(b"none", bytes(folder), b"tmpfs", 0, b"size=%d" % size) == 0
        and (not read_only or library.mount(b"none", bytes(folder), b"tmpfs", 32 | 1, b"size=%d" % size) == 0)
    )


def limited_files(words: list[str], log: str, largest: int) -> None:
    """``genframe WORDS`` in a process that may not write a file larger than so many bytes, once it has a checkpoint."""
    import resource

    _print_to(log)
    run = Path(words[words.index("--output-dir") + 1])

    def limit() -> None:
        _until(lambda: bool(complete_checkpoints(run / "checkpoints")))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    threading.Thread(target=limit, daemon=True).start()
    main(words)


def measured(words: list[str], log: str, report: str) -> None:
    """``genframe WORDS``; its exit code, processor seconds and growth in bytes are written to a file."""
    import resource

    _print_to(log)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    code: Any = 0
    try:
        main(words)
    except SystemExit as ending:
        code = ending.code
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    Path(report).write_text(json.dumps({"code": code, "seconds": time.process_time() - began, "grown": grown}))


def _fill(disk: Path, left: int) -> None:
    _until(lambda: bool(complete_checkpoints(disk / "run" / "checkpoints")))
    with open(disk / "ballast", "wb", buffering=0) as file:
        while True:
            status = os.statvfs(disk)
            room = status.f_bavail * status.f_frsize - left
            if room > 0:
                try:
                    file.write(bytes(min(room, 1_000_000)))
                except OSError:
                    time.sleep(0.001)
            else:
                time.sleep(0.001)


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def _copy(source: Path, target: Path) -> None:
    import shutil

    if source.exists():
        shutil.copytree(source, target)


def _print_to(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
