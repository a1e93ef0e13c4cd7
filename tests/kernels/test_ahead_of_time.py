"""What the kernels compile to for GPUs that are not here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip(
    "triton", reason="Triton is not installed: NO KERNEL IS COMPILED; pip install genframe[gpu]"
)

TABLE = Path(__file__).parents[2] / "bench" / "results" / "sm_90.md"
KERNELS = Path(__file__).parents[2] / "kernels"

# What does not spill there has half the depth or half the rows, which would cost sm_90 more than 16 bytes cost sm_80.
KNOWN = {
    "sm_80": {"convolution bf16, 16x16x128 -> 32x32x64, k4 s2 p1, statistics: it spills 16 bytes of registers"},
    "sm_100": set(),
    "gfx942": set(),
}

ADDRESSES = """
from genframe_kernels.triton import ahead_of_time
wanted = next(
    each for each in ahead_of_time.configurations_that_ship()
    if each.kernel == {kernel!r} and each.dtype == "bf16" and each.what.startswith({work!r})
)
print(ahead_of_time.compiled(wanted, "sm_90").asm["ttir"])
"""

# A recorder stands where a kernel would be launched, since there is no GPU to launch it on; tensors are on "meta".
LAUNCHES = """
import torch
from genframe_kernels.triton import ahead_of_time, launch

launches = []

class Recorder:
    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        return lambda *values, **names: launches.append(dict(zip(self.kernel.arg_names, values)) | names)

launch.convolution = Recorder(ahead_of_time.convolution)
launch.thin_convolution = Recorder(ahead_of_time.thin_convolution)
for dtype in ahead_of_time._DTYPES:
    for layer in ahead_of_time.layers():
        for training in (True, False):
            compiled = ahead_of_time._product(layer, dtype, training)
            ends = (layer.channels, layer.outputs) if layer.transposed else (layer.outputs, layer.channels)
            x = torch.empty(ahead_of_time.BATCH, layer.channels, layer.size, layer.size, dtype=dtype, device="meta")
            weight = torch.empty(*ends, layer.kernel, layer.kernel, dtype=dtype, device="meta")
            table = torch.empty(len(x), layer.outputs, layer.result, layer.result, dtype=dtype, device="meta")
            vector = torch.empty(layer.outputs, device="meta")
            statistics = training and layer.norm
            epilogue = launch.Epilogue(
                table=table if layer.table else None,
                scale=vector if layer.norm and not training else None,
                shift=None if statistics else vector,
                activation="none" if statistics else layer.activation,
            )
            padding, size = (layer.padding,) * 2, (layer.result,) * 2
            if compiled.kernel == "thin_convolution":
                launch.convolve_thin(x, weight, padding, epilogue, "tf32")
            else:
                place = ((layer.stride,) * 2, padding, size, layer.transposed)
                launch.convolve(x, weight, *place, epilogue, "tf32", statistics=statistics)
            passed = launches[-1]
            options = {"num_warps": compiled.tile.warps, "num_stages": compiled.tile.stages}
            expected = dict(compiled.constants) | options
            constants = {name for name in passed if not name.endswith("_ptr") and name != "N"}
            assert {name: passed[name] for name in constants} == expected, compiled
print(len(launches))
"""


#: Prints the PTX of what applies relu: the pass behind BatchNorm's statistics, and a convolution's epilogue.
RELUS = """
from genframe_kernels.triton import ahead_of_time

found = {
    each.kernel: each
    for each in ahead_of_time.configurations_that_ship()
    if each.kernel in ("normalise", "convolution") and each.what.endswith(", relu")
}
assert len(found) == 2
for each in found.values():
    print(ahead_of_time.compiled(each, "sm_90").asm["ptx"])
"""


def python(cache: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, since the interpreter of the other tests is for good once the kernels are imported."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    variables |= {"TRITON_CACHE_DIR": str(cache), "PYTHONPATH": str(KERNELS), **environment}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)


def table(tmp_path: Path, target: str) -> tuple[str, set[str], int]:
    """The table, the problems, and the exit status."""
    output = tmp_path / "table.md"
    arguments = ("-m", "genframe_kernels.triton.ahead_of_time", "--target", target, "--output", output)
    result = python(tmp_path / "cache", *arguments)
    assert output.exists(), result.stderr
    return output.read_text(), set(result.stderr.splitlines()), result.returncode


def test_what_ships_for_sm_90_neither_spills_nor_misses_the_tensor_cores_and_is_as_recorded(tmp_path):
    text, problems, code = table(tmp_path, "sm_90")
    assert (code, problems) == (0, set())
    recorded = TABLE.read_text()
    if recorded.splitlines()[0] == text.splitlines()[0]:  # Triton's version
        assert text == recorded, f"python -m genframe_kernels.triton.ahead_of_time --output {TABLE}"


@pytest.mark.slow
@pytest.mark.parametrize("target", list(KNOWN))
def test_what_ships_serves_other_targets(target, tmp_path):
    _, problems, _ = table(tmp_path, target)
    if TABLE.read_text().splitlines()[0].endswith(f" {triton.__version__}"):
        assert problems <= KNOWN[target]
    else:
        assert not [each for each in problems if "spills" not in each]


@pytest.mark.parametrize(
    ("kernel", "work", "sample"),
    [
        ("convolution", "16x16x128 -> 32x32x64", 32 * 32 * 64),
        ("convolution", "32x32x64 -> 16x16x128", 16 * 16 * 128),
        ("thin_convolution", "32x32x64 -> 64x64x3", 64 * 64 * 3),
    ],
)
def test_places_in_pictures_have_64_bits(kernel, work, sample, tmp_path):
    # In a batch of more than 2^31 numbers, n times the numbers of a sample needs them.
    result = python(tmp_path, "-c", ADDRESSES.format(kernel=kernel, work=work))
    assert result.returncode == 0, result.stderr
    constants = re.findall(rf"(%\w+) = arith\.constant dense<{sample}> : tensor<\w+xi64>", result.stdout)
    assert constants
    assert re.search(rf"arith\.muli %\w+, {re.escape(constants[0])} : tensor<\w+xi64>", result.stdout)
    for pointer in ("x_ptr", "y_ptr"):  # what is added to it first is the place of a pixel or a sample
        (base,) = re.findall(rf"(%\w+) = tt\.splat %{pointer} ", result.stdout)
        assert re.search(rf"tt\.addptr {base}, %\w+ : tensor<\S+!tt\.ptr<bf16>>, tensor<\w+xi64>", result.stdout)


def test_a_gpu_keeps_a_nan_through_relu(tmp_path):
    # The plain maximum of PTX gives the other number where one is NaN: a diverged run would look healthy.
    result = python(tmp_path, "-c", RELUS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("selp.") + result.stdout.count("max.NaN") > 0
    assert not re.findall(r"\bmax\.(?!NaN)\S*(?:f32|f16|bf16)\S*", result.stdout)


def test_under_the_interpreter_nothing_is_compiled(tmp_path):
    result = python(tmp_path, "-m", "genframe_kernels.triton.ahead_of_time", TRITON_INTERPRET="1")
    assert result.returncode == 2
    assert "unset TRITON_INTERPRET" in result.stderr


def test_a_row_that_should_not_ship_is_named(tmp_path):
    code = """
from genframe_kernels.triton.ahead_of_time import Row, problems
from genframe_kernels.triton.configurations import Tile
tile = Tile(128, 64, 64, 4, 3)
good = Row("sm_90", "convolution", "work", "bf16", tile, 100, 0, 2**16, (8, 0))
print(*problems([
    good,
    Row("sm_90", "normalise", "work", "bf16", tile, 100, 0, 0, (0, 0)),
    Row("sm_90", "convolution", "no wgmma", "bf16", tile, 100, 0, 0, (0, 8)),
    Row("gfx942", "normalise", "spilled", "fp32", tile, 100, 8, 0, (0,)),
    Row("gfx942", "convolution", "large", "bf16", tile, 100, 0, 2**17, (8,)),
]), sep="\\n")
"""
    lines = python(tmp_path, "-c", code).stdout.splitlines()
    assert lines == [
        "convolution bf16, no wgmma: it has no wgmma",
        "normalise fp32, spilled: it spills 8 bytes of registers",
        "convolution bf16, large: it takes 131072 bytes of shared memory of 65536",
    ]


def test_what_is_compiled_is_what_launches_pass_to_the_kernels(tmp_path):
    result = python(tmp_path / "cache", "-c", LAUNCHES)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 100
