"""``genframe doctor``: what a run would find on this machine, and every plugin: OK or the reason."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click

import genframe
from genframe.cli.options import PLUGINS_DIR
from genframe.errors import ConfigError, PluginError, quoted
from genframe.registry import BrokenPlugin, Registry, load_registry

Rows = Iterable[tuple[str, str]]


@click.command()
@PLUGINS_DIR
def doctor(plugins_dirs: tuple[Path, ...]) -> None:
    """Check torch, devices, Triton and every plugin.

    The exit code is 4 where a plugin is broken.
    """
    _print("system", _system())
    _print("libraries", _libraries())
    registry = load_registry(plugins_dirs)
    _print("plugins", _plugins(registry))
    _print("torch", _torch())
    if registry.broken:
        raise PluginError(_verdict(registry.broken))
    click.echo("everything is fine")


def _print(title: str, rows: Rows) -> None:
    cells = list(rows)
    width = max(len(name) for name, _ in cells)
    click.echo("\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in cells), ""]))


def _system() -> Rows:
    yield "genframe", genframe.__version__
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "platform", platform.platform()


def _libraries() -> Rows:
    """What genframe itself requires; extras are left out."""
    for requirement in metadata.requires("genframe") or []:
        match = re.match(r"[\w.-]+", requirement)
        if match and "extra ==" not in requirement:
            yield match[0], _version(match[0])


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _plugins(registry: Registry) -> Rows:
    for plugin in registry.plugins:
        reasons = [each.reason for each in registry.broken if each.plugin == plugin]
        yield plugin.name, f"{plugin.origin}: {'; '.join(reasons) or 'OK'}"
    for plugin in registry.disabled:
        yield plugin.name, f"{plugin.origin}: switched off by GENFRAME_DISABLED_PLUGINS"


def _torch() -> Rows:
    try:
        import torch
    except (ImportError, OSError) as error:
        raise ConfigError(f"torch cannot be imported: {error}: install it anew") from error
    build = torch.version.cuda or torch.version.hip
    yield "torch", f"{torch.__version__} ({f'built for CUDA {build}' if build else 'built for the CPU alone'})"
    yield "cpu", f"{torch.get_num_threads()} threads, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    gpus = list(_gpus())
    yield from gpus or [("cuda", f"not available: {_why_no_gpu()}")]
    yield "triton", _triton(bool(gpus))


def _gpus() -> Iterator[tuple[str, str]]:
    from torch import cuda

    for number in range(cuda.device_count() if cuda.is_available() else 0):
        gpu = cuda.get_device_properties(number)
        yield f"cuda:{number}", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, capability {gpu.major}.{gpu.minor}"


def _why_no_gpu() -> str:
    """The reason that torch gives: no CUDA in this build, no driver, or no visible device."""
    from torch import cuda

    try:
        cuda.init()  # type: ignore[no-untyped-call]
    except (AssertionError, RuntimeError) as error:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return f"{error}".partition("\n")[0] + ("" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible!r})")
    return "torch finds no device"


def _triton(has_gpu: bool) -> str:
    if find_spec("triton") is None:
        return "not installed: pip install 'genframe[gpu]' (Linux); networks run on torch's own operators without it"
    return f"{metadata.version('triton')}{'' if has_gpu else ', but no GPU to run on'}"


def _verdict(broken: Sequence[BrokenPlugin]) -> str:
    names = dict.fromkeys(each.plugin.name for each in broken)
    return (
        f"{quoted(names)} {'is' if len(names) == 1 else 'are'} broken, see above: repair, uninstall or switch off with "
        f"GENFRAME_DISABLED_PLUGINS={','.join(names)}"
    )
