"""What was measured: which backend was the fastest for a layer on a device, and where the rows are kept.

Rows measured here go into one JSON file, ``$GENFRAME_KERNELS_FILE`` or ``genframe/kernels.json`` in the user's cache
folder. None ship yet: no GPU has timed the kernels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from genframe_kernels import dispatch
from genframe_kernels.calls import Call, Tensors


@dataclass(frozen=True)
class Row:
    """The fastest backend for a layer.

    Attributes:
        device: by name, as CUDA gives it.
        layer: which one; see `layer`.
        backend: by name.
        ratio: torch's time over its own.
        milliseconds: its own time, a median.
    """

    device: str
    layer: str
    backend: str
    ratio: float
    milliseconds: float


def layer(call: Call) -> str:
    """What rows are told apart by: the call with its batch rounded up to a power of two."""
    bucket = replace(call, batch=1 << max(call.batch - 1, 0).bit_length())
    return " ".join(f"{name}={value}" for name, value in asdict(bucket).items() if name != "device")


def winner(call: Call, device: str) -> Row | None:
    """The row for this call on this device, if it was measured and torch was not the fastest."""
    row = _rows(str(path())).get((device, layer(call)))
    return None if row is None or row.backend == "torch" else row


def path() -> Path:
    """Where the rows are kept."""
    named = os.environ.get("GENFRAME_KERNELS_FILE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genframe" / "kernels.json"


def store(rows: Sequence[Row]) -> None:
    """Adds rows to the file; a newer one replaces an older one of the same device and layer."""
    known = _rows(str(path())) | {(row.device, row.layer): row for row in rows}
    path().parent.mkdir(parents=True, exist_ok=True)
    beside = path().with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps([asdict(known[key]) for key in sorted(known)], indent=1) + "\n")
    beside.replace(path())
    _rows.cache_clear()


@cache
def _rows(file: str) -> dict[tuple[str, str], Row]:
    if not Path(file).exists():
        return {}
    try:
        rows = [Row(**row) for row in json.loads(Path(file).read_text())]
    except (TypeError, ValueError) as error:
        raise dispatch.UnsupportedError(f"{file} does not hold rows of `genframe kernels tune`: {error}") from error
    return {(row.device, row.layer): row for row in rows}


def refuse_without_gpu() -> None:
    """Refuses to measure where there is nothing to measure.

    Raises:
        UnsupportedError: there is no CUDA device, or no Triton to time with.
    """
    if not torch.cuda.is_available():
        raise dispatch.UnsupportedError("measuring backends needs a CUDA device, and there is none")
    dispatch.named("triton")


def measure(call: Call, names: Sequence[str] = ("torch", "hybrid", "triton")) -> Row:
    """Times the backends that can serve `call` on this machine's GPU, forward alone or with backward as it says.

    Raises:
        UnsupportedError: as `refuse_without_gpu` does.
    """
    refuse_without_gpu()
    times = {name: _time(call, name) for name in names if dispatch.named(name).refusal(call) is None}
    fastest = min(times, key=lambda name: times[name])
    device = torch.cuda.get_device_name()
    return Row(device, layer(call), fastest, times["torch"] / times[fastest], times[fastest])


def _time(call: Call, name: str) -> float:
    from triton.testing import do_bench

    x, tensors, labels = random_inputs(call, "cuda")
    backend = dispatch.named(name)

    def forward() -> Tensor:
        with precision_of(call):
            return backend.run(call, x, tensors, labels)

    if not call.gradient:
        with torch.no_grad():
            return float(do_bench(forward, return_mode="median"))
    leaves = [leaf for leaf in (x, tensors.weight, tensors.bias, tensors.gain, tensors.shift) if leaf is not None]
    for leaf in leaves:
        leaf.requires_grad_()
    dz = torch.randn_like(forward())

    def both() -> None:
        torch.autograd.grad(forward(), leaves, dz)

    return float(do_bench(both, return_mode="median"))


def precision_of(call: Call) -> AbstractContextManager[None]:
    """Within, a block's bias and norm may be float32 where its products are not, as in a network."""
    return torch.autocast(call.device, call.dtype, enabled=call.dtype != torch.float32)


def random_inputs(call: Call, device: str) -> tuple[Tensor, Tensors, Tensor | None]:
    """An input, a block's tensors and labels that fit `call`; pictures are in channels_last."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, device=device)

    channels, outputs = call.channels + call.labels, call.outputs
    if call.operation == "linear":
        x, weight = normal(call.batch, call.channels), normal(outputs, channels)
    else:
        x = normal(call.batch, call.channels, *call.size).contiguous(memory_format=torch.channels_last)
        ends = (channels, outputs) if call.operation == "conv_transpose" else (outputs, channels)
        weight = normal(*ends, *call.kernel).contiguous(memory_format=torch.channels_last)
    weight /= (weight.numel() / outputs) ** 0.5
    labels = normal(call.batch, call.labels) if call.labels else None
    x, weight = x.to(call.dtype), weight.to(call.dtype)
    if call.norm == "none":
        return x, Tensors(weight, normal(outputs)), labels
    gain, shift = (normal(outputs), normal(outputs)) if call.affine else (None, None)
    return x, Tensors(weight, None, gain, shift, normal(outputs), normal(outputs).square() + 0.1), labels
