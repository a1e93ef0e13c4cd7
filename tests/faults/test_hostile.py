"""Files made to do harm do none: they are refused in one sentence, quickly, and nothing of them is run or unpacked.

Every checkpoint here carries a manifest whose digests are right, so that what is tested is what lies behind it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness import Child

from genframe.rundir.checkpoint import complete_checkpoints
from genframe.rundir.manifest import MANIFEST, Manifest, entry_of, json_bytes

NETWORKS, TRAINING, STATE = "networks.safetensors", "training.safetensors", "state.json"


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._path}",)


def forge(checkpoint: Path, name: str, body: bytes) -> None:
    """Puts `body` into a file and signs the manifest anew."""
    (checkpoint / name).write_bytes(body)
    manifest = Manifest.read(checkpoint)
    files = {**manifest.files, name: entry_of(body)}
    (checkpoint / MANIFEST).write_bytes(replace(manifest, files=files).to_bytes())


def manifest_with(checkpoint: Path, **changes: Any) -> None:
    """Changes what the manifest says and signs it anew."""
    (checkpoint / MANIFEST).write_bytes(replace(Manifest.read(checkpoint), **changes).to_bytes())


def tensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of this header."""
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def header(**entries: Any) -> bytes:
    return json.dumps(entries).encode()


def weights(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def pickled(canary: Path) -> bytes:
    return pickle.dumps(Canary(canary))


def torch_saved(canary: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"generator": Canary(canary)}, buffer)
    return buffer.getvalue()


def object_array(canary: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def state(checkpoint: Path, **changes: Any) -> None:
    forge(checkpoint, STATE, json_bytes({**content_of(checkpoint), **changes}))


def without(checkpoint: Path, key: str) -> None:
    content = content_of(checkpoint)
    del content[key]
    forge(checkpoint, STATE, json_bytes(content))


def content_of(checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((checkpoint / STATE).read_bytes())
    return content


def sparse(path: Path, size: int) -> None:
    """A file of `size` zeros that take no room."""
    with open(path, "wb") as file:
        file.truncate(size)


def replaced(path: Path, make: Callable[[Path], Any]) -> None:
    path.unlink()
    make(path)


Hostile = Callable[[Path, Path], Any]
DEEP = b'{"a":' * 200_000
HOSTILE: dict[str, Hostile] = {
    "a pickle": lambda at, canary: forge(at, NETWORKS, pickled(canary)),
    "a pickle for training": lambda at, canary: forge(at, TRAINING, pickled(canary)),
    "a file of torch.save": lambda at, canary: forge(at, NETWORKS, torch_saved(canary)),
    "an array of objects": lambda at, canary: forge(at, NETWORKS, object_array(canary)),
    "a pickle as the state": lambda at, canary: forge(at, STATE, pickled(canary)),
    "a pickle as the manifest": lambda at, canary: (at / MANIFEST).write_bytes(pickled(canary)),
    "a bomb of gzip": lambda at, canary: forge(at, NETWORKS, gzip.compress(bytes(300_000_000), 1)),
    "a header of 2**63 bytes": lambda at, canary: forge(at, NETWORKS, tensors(b"{}", length=2**63 - 1)),
    "a header longer than the file": lambda at, canary: forge(at, NETWORKS, tensors(b"{}", length=90_000_000)),
    "a deep header": lambda at, canary: forge(at, NETWORKS, tensors(DEEP)),
    "a shape of 2**60 numbers": lambda at, canary: forge(
        at, NETWORKS, tensors(header(a=weights([2**30, 2**30], [0, 4])), b"\0" * 4)
    ),
    "offsets that overlap": lambda at, canary: forge(
        at, NETWORKS, tensors(header(a=weights([1], [0, 4]), b=weights([1], [0, 4])), b"\0" * 4)
    ),
    "offsets before the beginning": lambda at, canary: forge(
        at, NETWORKS, tensors(header(a=weights([1], [-4, 0])), b"\0" * 4)
    ),
    "offsets beyond the end": lambda at, canary: forge(
        at, NETWORKS, tensors(header(a=weights([2**20], [0, 2**22])), b"\0" * 4)
    ),
    "an unknown dtype": lambda at, canary: forge(
        at, NETWORKS, tensors(header(a=weights([1], [0, 4], "P32")), b"\0" * 4)
    ),
    "no tensors at all": lambda at, canary: forge(at, NETWORKS, tensors(b"{}")),
    "names that climb": lambda at, canary: manifest_with(
        at, files={**Manifest.read(at).files, "../../../../etc/passwd": entry_of(b"")}
    ),
    "a name from the root": lambda at, canary: manifest_with(
        at, files={"/etc/passwd": entry_of(b""), **Manifest.read(at).files}
    ),
    "a deep manifest": lambda at, canary: (at / MANIFEST).write_bytes(DEEP),
    "a manifest of 1 TB": lambda at, canary: replaced(at / MANIFEST, lambda path: sparse(path, 10**12)),
    "networks of 1 TB": lambda at, canary: replaced(at / NETWORKS, lambda path: sparse(path, 10**12)),
    "a number of 100,000 digits": lambda at, canary: (at / MANIFEST).write_bytes(
        b'{"schema": ' + b"9" * 100_000 + b"}"
    ),
    "a schema that is text": lambda at, canary: manifest_with(at, schema="1"),
    "a step below zero": lambda at, canary: manifest_with(at, step=-1),
    "a deep state": lambda at, canary: forge(at, STATE, DEEP),
    "a state that is a list": lambda at, canary: forge(at, STATE, b"[]"),
    "a state without a configuration": lambda at, canary: without(at, "config"),
    "a state without a problem": lambda at, canary: without(at, "problem"),
    "a state of wrong kinds": lambda at, canary: state(at, config=3, problem=[1]),
    "a plugin that is a command": lambda at, canary: state(
        at, config={**content_of(at)["config"], "algorithm": {"name": f"os:system('touch {canary}')"}}
    ),
    "a shape beyond all memory": lambda at, canary: state(
        at, problem={**content_of(at)["problem"], "noise_shape": [10**15]}
    ),
    "a pipe": lambda at, canary: replaced(at / NETWORKS, os.mkfifo),
    "a link to endless zeros": lambda at, canary: replaced(at / NETWORKS, lambda path: path.symlink_to("/dev/zero")),
    "a folder": lambda at, canary: replaced(at / STATE, Path.mkdir),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two checkpoints."""
    from genframe import train

    settings = {"architecture.width": 8, "architecture.hidden": 16, "metrics": [], "observers": []}
    run = tmp_path_factory.mktemp("hostile") / "run"
    train("cdcgan", settings=settings, device="cpu", batch_size=16, steps=2, checkpoint_every=1, output_dir=run)
    return run


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("command", ["sample", "branch"])
def test_a_hostile_checkpoint_is_refused_quickly_and_nothing_of_it_runs(start, folder, trained, kind, command):
    run, canary = folder / "run", folder / "canary"
    shutil.copytree(trained, run)
    newest = complete_checkpoints(run / "checkpoints")[-1]
    HOSTILE[kind](newest, canary)
    words = {
        "sample": ["sample", newest, "-n", 1, "--output", folder / "sample.png"],
        "branch": ["run", "--branch-from", newest, "--steps", 3, "--output-dir", folder / "new"],
    }[command]
    if kind == "a pickle for training" and command == "sample":  # which does not read it
        words = ["run", "--resume", "--steps", 3, "--output-dir", run]
    result = outcome(start("measured", words, str(folder / "report")), folder / "report")
    assert not canary.exists()
    if words[1] == "--resume":
        assert result["code"] == 0  # the checkpoint before is good
        assert "set aside" in result["text"]
    elif kind == "a shape beyond all memory" and command == "branch":
        assert result["code"] == 0  # the shape is the data's
        assert "the data has other fields or classes now" in result["text"]
    else:
        code = {"a plugin that is a command": 4, "a shape beyond all memory": 2}.get(kind, 5)
        assert result["code"] == code, result["text"]
        assert result["text"].count("\n") == 1
        assert not (folder / "sample.png").exists()
        assert not (folder / "new").exists()
    assert result["seconds"] < 2.0
    assert result["grown"] < 200e6


def outcome(child: Child, report: Path) -> dict[str, Any]:
    assert child.wait(30) == 0, child.text()
    return {**json.loads(report.read_text()), "text": child.text()}


RESUMED: dict[str, tuple[Callable[[Path], Any], int]] = {
    "a deep configuration": (lambda run: (run / "config.toml").write_bytes(b"a = " + b"[" * 200_000), 0),
    "a deep table": (lambda run: (run / "config.toml").write_bytes(b"[" + b"a." * 100_000 + b"a]\n"), 0),
    "a configuration of 1 TB": (lambda run: replaced(run / "config.toml", lambda path: sparse(path, 10**12)), 0),
    "a deep status": (lambda run: (run / "run.json").write_bytes(DEEP), 0),
    "a status of 1 TB": (lambda run: replaced(run / "run.json", lambda path: sparse(path, 10**12)), 0),
    "rows of 1 TB": (lambda run: replaced(run / "metrics.jsonl", lambda path: sparse(path, 10**12)), 0),
    "a step of 500 digits": (lambda run: (run / f"checkpoints/step-{'9' * 200}").mkdir(), 0),
}


@pytest.mark.parametrize("kind", RESUMED)
def test_a_hostile_run_directory_is_refused_or_mended_quickly(start, folder, trained, kind):
    run = folder / "run"
    shutil.copytree(trained, run)
    change, code = RESUMED[kind]
    change(run)
    words = ["run", "--resume", "--steps", 3, "--output-dir", run]
    result = outcome(start("measured", words, str(folder / "report")), folder / "report")
    assert result["code"] == code, result["text"]
    assert result["seconds"] < 5.0
    assert result["grown"] < 200e6
    assert code == 0 or result["text"].count("\n") == 1
