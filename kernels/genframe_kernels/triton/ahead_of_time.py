"""Compiles every configuration that ships, for a GPU that need not be there, and says what each costs.

``python -m genframe_kernels.triton.ahead_of_time --target sm_90 --output table.md`` takes less than a minute. What
spills its registers, misses the tensor cores or wants more shared memory than there is makes the exit status 1.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from genframe_kernels.triton import batch_norm, configurations, interpreted
from genframe_kernels.triton.configurations import Tile
from genframe_kernels.triton.convolution import convolution
from genframe_kernels.triton.thin import thin_convolution

BATCH = 128
_DTYPES = {torch.bfloat16: "bf16", torch.float32: "fp32"}
_PRODUCTS = {"convolution": convolution, "thin_convolution": thin_convolution}


@dataclass(frozen=True)
class Target:
    """A kind of GPU: how Triton names it, its instructions of matrix products, the best first, what a program has."""

    triton: tuple[str, int | str, int]
    instructions: Mapping[str, str]
    shared: int


TARGETS = {
    "sm_80": Target(("cuda", 80, 32), {"mma": r"\bmma\.sync"}, 163 * 1024),
    "sm_90": Target(("cuda", 90, 32), {"wgmma": r"wgmma\.mma_async", "mma": r"\bmma\.sync"}, 227 * 1024),
    "sm_100": Target(("cuda", 100, 32), {"tcgen05": r"tcgen05\.mma", "mma": r"\bmma\.sync"}, 227 * 1024),
    "gfx942": Target(("hip", "gfx942", 64), {"mfma": r"\bv_s?mfma"}, 64 * 1024),
}


@dataclass(frozen=True)
class Layer:
    """A layer of a network that ships; a linear one is a convolution of single pixels."""

    size: int
    channels: int
    result: int
    outputs: int
    activation: str
    kernel: int = 4
    stride: int = 2
    padding: int = 1
    transposed: bool = False
    norm: bool = True
    table: bool = False


class Configuration(NamedTuple):
    """One kernel with its constants; `kernel` and `what` are its name and its work in words."""

    kernel: str
    what: str
    dtype: str
    tile: Tile
    pointers: tuple[tuple[str, str], ...]  # those that are not float32
    constants: tuple[tuple[str, int | float | bool | str], ...]


@dataclass(frozen=True)
class Row:
    """What a configuration compiles to; `instructions` counts those of the target, in its order."""

    target: str
    kernel: str
    what: str
    dtype: str
    tile: Tile
    registers: int
    stack: int
    shared: int
    instructions: tuple[int, ...]


def layers() -> Iterator[Layer]:
    """Of DCGAN for 64x64 pictures, 64 and 128 channels wide, and of the conditional networks of digits."""
    for width in (64, 128):
        generator = [Layer(1, 100, 4, 8 * width, "relu", stride=1, padding=0, transposed=True)]
        generator += [Layer(s, 32 * width // s, 2 * s, 16 * width // s, "relu", transposed=True) for s in (4, 8, 16)]
        yield from [*generator, Layer(32, width, 64, 3, "tanh", transposed=True, norm=False)]
        yield Layer(64, 3, 32, width, "leaky_relu", norm=False)
        yield from [replace(_mirrored(layer), activation="leaky_relu") for layer in generator[1:]]
        yield Layer(4, 8 * width, 1, 1, "none", stride=1, padding=0, norm=False)
    for kernel, padding in ((4, 1), (5, 2)):
        hidden = Layer(7, 128, 14, 64, "relu", kernel, 2, padding, transposed=True, table=True)
        last = Layer(14, 64, 28, 1, "sigmoid", kernel, 2, padding, transposed=True, norm=False, table=True)
        yield from (hidden, last)
        yield from [replace(_mirrored(layer), activation="leaky_relu") for layer in (hidden, last)]
    for channels, outputs in ((110, 1024), (1034, 6272)):
        yield Layer(1, channels, 1, outputs, "relu", kernel=1, stride=1, padding=0)


def configurations_that_ship() -> list[Configuration]:
    """Of all layers, in training (BatchNorm's statistics) and in inference (its scale and shift), and of the passes."""
    found: set[Configuration] = set()
    for dtype in _DTYPES:
        for layer in layers():
            found.update(_product(layer, dtype, training) for training in (True, False))
        for channels in (64, 512):
            found.update(_passes(channels, dtype))
    return sorted(found)


def compiled(configuration: Configuration, target: str) -> Any:
    """Triton's compiled kernel.

    Raises:
        RuntimeError: under ``TRITON_INTERPRET``, where the kernels are Python functions.
    """
    if interpreted():
        raise RuntimeError("Triton's interpreter is on, and what it runs is not compiled; unset TRITON_INTERPRET")
    kernel = {**vars(batch_norm), **_PRODUCTS}[configuration.kernel]
    constants, pointers = dict(configuration.constants), dict(configuration.pointers)
    signature, aligned = {}, {}
    for place, name in enumerate(kernel.arg_names):
        if name.endswith("_ptr"):
            signature[name] = pointers.get(name, "*fp32")
            aligned[(place,)] = [["tt.divisibility", 16]]  # what the launcher finds out; the kernels spill without it
        else:
            signature[name] = "constexpr" if name in constants else "fp32" if name == "eps" else "i32"
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    tile = configuration.tile
    options = {"num_warps": tile.warps, "num_stages": tile.stages}
    return triton.compile(source, target=GPUTarget(*TARGETS[target].triton), options=options)


def row(configuration: Configuration, target: str) -> Row:
    """Compiles a configuration and describes the result."""
    result = compiled(configuration, target)
    amd = "amdgcn" in result.asm
    text = result.asm["amdgcn" if amd else "ptx"]
    registers, stack = _amd(text) if amd else _nvidia(result.asm["cubin"])
    counts = tuple(len(re.findall(pattern, text)) for pattern in TARGETS[target].instructions.values())
    return Row(target, *configuration[:4], registers, stack, result.metadata.shared, counts)


def rows(target: str, processes: int = 2) -> list[Row]:
    """Of all configurations that ship, in a fixed order."""
    wanted = configurations_that_ship()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(row, wanted, [target] * len(wanted)))


def problems(found: Iterable[Row]) -> list[str]:
    """A sentence for each reason not to ship a row."""
    said = []
    for each in found:
        target, name = TARGETS[each.target], f"{each.kernel} {each.dtype}, {each.what}"
        if each.stack:
            said.append(f"{name}: it spills {each.stack} bytes of registers")
        if each.kernel in _PRODUCTS and not each.instructions[0]:
            said.append(f"{name}: it has no {next(iter(target.instructions))}")
        if each.shared > target.shared:
            said.append(f"{name}: it takes {each.shared} bytes of shared memory of {target.shared}")
    return said


def table(target: str, found: Iterable[Row]) -> str:
    """A heading with Triton's version, and the rows in Markdown."""
    names = ["kernel", "dtype", "work", "tile", "warps", "stages", "registers", "stack", "shared"]
    lines = [f"# {target}, compiled by triton {triton.__version__}", "", _line([*names, *TARGETS[target].instructions])]
    lines.append(_line(["---"] * 4 + ["---:"] * (5 + len(TARGETS[target].instructions))))
    for each in found:
        tile = each.tile
        shape = "x".join(str(side) for side in (tile.rows, tile.columns, tile.depth) if side)
        numbers = (tile.warps, tile.stages, each.registers, each.stack, each.shared, *each.instructions)
        lines.append(_line([each.kernel, each.dtype, each.what, shape, *numbers]))
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints or writes the table; 1 if there are problems."""
    parser = argparse.ArgumentParser(prog="python -m genframe_kernels.triton.ahead_of_time", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="sm_90")
    parser.add_argument("--output", type=Path, help="a file instead of the standard output")
    options = parser.parse_args(arguments)
    if interpreted():
        parser.error("Triton's interpreter is on, and what it runs is not compiled; unset TRITON_INTERPRET")
    found = rows(options.target)
    text = table(options.target, found)
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)
    bad = problems(found)
    sys.stderr.write("".join(f"{sentence}\n" for sentence in bad))
    return int(bool(bad))


def _mirrored(layer: Layer) -> Layer:
    """The critic's layer opposite to one of the generator."""
    here, there = (layer.result, layer.outputs), (layer.size, layer.channels)
    return replace(
        layer, size=here[0], channels=here[1], result=there[0], outputs=there[1], transposed=not layer.transposed
    )


def _product(layer: Layer, dtype: torch.dtype, training: bool) -> Configuration:
    """The kernel of a layer with what ``launch.convolve`` and ``launch.convolve_thin`` would pass."""
    statistics = training and layer.norm
    size, result, columns, kernel, stride = layer.size, layer.result, layer.outputs, layer.kernel, layer.stride
    transposed, padding = layer.transposed, layer.padding
    common: dict[str, int | float | bool | str] = {
        "C": layer.channels,
        "SCALE": layer.norm and not training,
        "SHIFT": not statistics,
        "TABLE": layer.table,
        "ROWS": False,
        "ACTIVATION": "none" if statistics else layer.activation,
        "SLOPE": 0.2,
        "PRECISION": "tf32",
        "UPCAST": False,
    }
    work = f"{size}x{size}x{layer.channels} -> {result}x{result}x{columns}"
    ending = ", statistics" if statistics else f", {layer.activation}"
    name = _DTYPES[dtype]
    pointers = (*((each, f"*{name}") for each in ("x_ptr", "weight_ptr", "y_ptr", "table_ptr")), ("rows_ptr", "*i64"))
    if transposed and columns <= 4:
        power = triton.next_power_of_2(size)
        tile = configurations.thin_tile(power, layer.channels, dtype)
        own = {"H": size, "W": size, "O": columns, "WIDTH": power, "BLOCK_M": tile.rows, "BLOCK_K": tile.depth}
        return _configuration(thin_convolution, work + ending, name, tile, pointers, common | own)
    if transposed and size == 1 and padding == 0 and kernel == result:
        columns, size, result, kernel, transposed = result**2 * columns, 1, 1, 1, False
    rows = BATCH * (math.ceil(result / stride) if transposed else result) ** 2
    tile = configurations.product_tile(rows, columns, layer.channels, dtype)
    pairs = {"H W": size, "HO WO": result, "KH KW": kernel, "SH SW": stride, "PH PW": padding}
    own = {axis: value for axes, value in pairs.items() for axis in axes.split()}
    own |= {"O": columns, "CHANNELS": layer.outputs, "TRANSPOSED": transposed, "STATISTICS": statistics, "GROUP": 8}
    own |= {"BLOCK_M": tile.rows, "BLOCK_N": tile.columns, "BLOCK_K": tile.depth}
    work += f", k{layer.kernel} s{stride} p{padding}{' table' if layer.table else ''}"
    return _configuration(convolution, work + ending, name, tile, pointers, common | own)


def _passes(channels: int, dtype: torch.dtype) -> Iterator[Configuration]:
    """BatchNorm's kernels, over the values of 16x16 pictures."""
    count = BATCH * 16 * 16
    tile = configurations.pass_tile(count, channels)
    merging = configurations.merge_tile(math.ceil(count / tile.rows))
    name, work = _DTYPES[dtype], f"{channels} channels"
    values = tuple((each, f"*{name}") for each in ("y_ptr", "z_ptr", "dz_ptr", "dy_ptr"))
    blocks = {"C": channels, "BLOCK_M": tile.rows, "BLOCK_C": tile.columns}
    yield _configuration(batch_norm.tile_statistics, work, name, tile, values, blocks)
    for activation in ("relu", "leaky_relu"):
        constants = {**blocks, "AFFINE": True, "ACTIVATION": activation, "SLOPE": 0.2}
        for kernel in (batch_norm.normalise, batch_norm.gradient_sums, batch_norm.gradient):
            yield _configuration(kernel, f"{work}, {activation}", name, tile, values, constants)
    parts = {"C": channels, "BLOCK_P": merging.rows, "BLOCK_C": merging.columns}
    yield _configuration(batch_norm.merge_sums, work, "fp32", merging, (), parts)
    yield _configuration(batch_norm.merge_statistics, work, "fp32", merging, (), {**parts, "REPEAT": 1})


def _configuration(
    kernel: Any,
    what: str,
    dtype: str,
    tile: Tile,
    pointers: tuple[tuple[str, str], ...],
    constants: Mapping[str, int | float | bool | str],
) -> Configuration:
    return Configuration(kernel.__name__, what, dtype, tile, pointers, tuple(sorted(constants.items())))


def _nvidia(cubin: bytes) -> tuple[int, int]:
    """Registers of a thread and bytes of its stack."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack, local = (int(re.findall(rf"\b{word}:(\d+)", said)[0]) for word in ("REG", "STACK", "LOCAL"))
    return registers, max(stack, local)


def _amd(assembly: str) -> tuple[int, int]:
    """Vector registers of a thread and bytes of its stack; a spilled register is 4 bytes."""
    words = (r"\.vgpr_count", r"\.vgpr_spill_count", r"\.private_segment_fixed_size")
    registers, spilled, stack = (int(re.findall(rf"{word}:\s+(\d+)", assembly)[0]) for word in words)
    return registers, max(4 * spilled, stack)


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
