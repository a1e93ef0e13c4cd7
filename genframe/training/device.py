"""Where the arithmetic happens and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genframe.errors import ConfigError
from genframe.interfaces import Batch
from genframe.shapes import PIXEL_KINDS, Field

#: Up to 16x16 grey pixels, a step is too short to share.
_SMALL = 256


@dataclass(frozen=True)
class Compute:
    """A device and the precision of the networks' arithmetic on it."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str, precision: str, sample_size: int) -> Compute:
        """From the words that users type.

        Args:
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            precision: ``auto``, ``float32`` or ``bfloat16``. A GPU is given bfloat16 where it has it, a CPU where it
                has matrix units for it (AMX) and the samples are large enough to gain from them.
            sample_size: how many numbers one sample has.

        Raises:
            ConfigError: there is no such device, or it lacks the precision.
        """
        chosen = find_device(device)
        if chosen.type == "cuda":
            # Seeds, streams and graphs are the current device's, which need not be that of the tensors.
            torch.cuda.set_device(chosen)
            has_bfloat16 = gains = torch.cuda.is_bf16_supported()
        else:
            has_bfloat16, gains = True, sample_size > _SMALL and torch.cpu._is_amx_tile_supported()
        if precision == "bfloat16" and not has_bfloat16:
            raise ConfigError(f"--precision bfloat16: {torch.cuda.get_device_name(chosen)} lacks it; take float32")
        wants = precision == "bfloat16" or (precision == "auto" and gains)
        return cls(chosen, torch.bfloat16 if wants else torch.float32)

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which networks compute in the chosen precision."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def seed(self, key: int) -> None:
        """Seeds torch's global generators that networks on this device draw from."""
        torch.default_generator.manual_seed(key)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(key)

    def place(self, network: nn.Module) -> nn.Module:
        """Moves a network to the device, its convolutions in the layout in which they are fastest."""
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def prepare(self, batch: Batch, fields: dict[str, Field]) -> Batch:
        """The fields that are wanted, on the device, pixels as float32 in [-1, 1]."""
        return {name: self._prepared(batch[name], field) for name, field in fields.items()}

    def _prepared(self, values: Tensor, field: Field) -> Tensor:
        values = values.to(self.device, non_blocking=True)
        if field.kind not in PIXEL_KINDS:
            return values
        pixels = values.float().div_(127.5).sub_(1.0)
        return pixels.contiguous(memory_format=torch.channels_last) if pixels.ndim == 4 else pixels


def thread_count(wanted: int | None, sample_size: int) -> int:
    """How many threads a run on the CPU takes.

    On 8x8 pictures two threads need 17 ms a step and one needs 21 ms, while both cores are free; where another process
    holds one of them, two threads wait for each other and need over 110 ms, and one needs 21 ms still.

    Args:
        wanted: what the user asks for, or None.
        sample_size: how many numbers one sample has.
    """
    if wanted is not None:
        return wanted
    return 1 if sample_size <= _SMALL else torch.get_num_threads()


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Within, PyTorch computes with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def private_randomness(device: torch.device) -> Iterator[None]:
    """Within, torch's global generators may be seeded at will; afterwards they are as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def find_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means on this machine.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"--device is auto, cpu, cuda or cuda:N; got '{name}'") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"--device is auto, cpu, cuda or cuda:N; got '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices; take --device cpu"
        )
    return device
