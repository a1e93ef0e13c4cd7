"""Opens and reads datasets, one a line of standard input, and answers each with what came of it, in a line of JSON.

A process of its own, so that its memory is its own: what would fill the machine fails here, and is measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from genframe.build import build_part
from genframe.errors import GenframeError
from genframe.options import data_table
from genframe.registry import Registry, load_registry
from genframe.specs import Choice

#: No case gets more address space than this.
ROOM = 3 * 2**30


def kilobytes(key: str) -> int:
    """A figure of ``/proc/self/status``."""
    return next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key)
    )


def read(registry: Registry, path: str, settings: dict[str, Any]) -> int:
    """Reads every sample once; how many there are."""
    table = data_table(path, registry) | settings
    data = build_part(registry, "dataset", Choice(name=table.pop("name"), settings=table), "data")
    parts = [data.split("train"), data.split("heldout")]
    for part in parts:
        part.read(range(len(part)), epoch=0, seed=0)
    return sum(map(len, parts))


def answer(registry: Registry, path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What came of a dataset."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is the present from here on
    before, began = kilobytes("VmRSS:"), time.process_time()
    try:
        outcome = {"samples": read(registry, path, settings)}
    except BaseException as error:
        code = error.exit_code if isinstance(error, GenframeError) else 1
        outcome = {"code": code, "said": f"{type(error).__name__}: {error}"}
    return outcome | {"seconds": time.process_time() - began, "megabytes": (kilobytes("VmHWM:") - before) / 1024}


def main() -> None:
    """Until standard input ends."""
    warnings.simplefilter("error")
    registry = load_registry()
    for module in ("folder.opening", "idx", "npz"):
        import_module(f"genframe_datasets.{module}")
    Image.init()
    resource.setrlimit(resource.RLIMIT_AS, (kilobytes("VmSize:") * 1024 + ROOM,) * 2)
    for line in sys.stdin:
        print(json.dumps(answer(registry, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
