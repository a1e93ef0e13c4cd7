"""All that wants to be known of the kernels on a GPU, in one command, the most important first.

    python bench/gpu.py [--minutes 9] [--mnist FOLDER] [--output bench/results/gpu.json]

Every figure is written down as soon as it is there. Called again on the same kind of device, it goes on with what is
missing; so one command of nine minutes is a beginning, and a few of them are everything. ``gpu_report.py`` makes the
tables and the plots. Figures are medians with their 20th and 80th percentile, by CUDA events.

What is compared is given the same levers: the step of every variant is genframe's own, which shares the generator's
forward between both updates, computes no gradients of the critic's weights for the generator, and has fused Adam.
``--smoke`` runs the whole of it with tiny networks on a CPU, to see that it runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_cases import NETWORKS, RECOMPUTING, TINY, Case, Network, Schedule, cases, floor, schedules
from torch import Tensor, nn

from genframe.assembly import Assembly, assemble
from genframe.config import assignment
from genframe.options import configure
from genframe.registry import load_registry
from genframe.training.batches import batches
from genframe_kernels import compile_inference, dispatch, measured, use_backend
from genframe_kernels.calls import Call, Tensors
from genframe_kernels.recording import recorded

ROOT = Path(__file__).parents[1]
TESTS = ("tests/kernels", "tests/training/test_replay.py", "tests/test_kernels_command.py")
CLASSES = 10
#: Variants whose training steps are CUDA graphs.
REPLAYED = ("graphs", "triton", "hybrid", *RECOMPUTING)


class HybridOrTorch:
    """The library's convolution with our norm behind it where a block has one, else PyTorch."""

    def refusal(self, call: Call) -> str | None:
        """None."""

    def run(self, call: Call, x: Tensor, tensors: Tensors, labels_BK: Tensor | None) -> Tensor:
        """By whichever can."""
        can = dispatch.named("hybrid").refusal(call) is None
        return dispatch.named("hybrid" if can else "torch").run(call, x, tensors, labels_BK)


dispatch.register_backend("hybrid or torch", HybridOrTorch())


class Bench:
    """Measures cases on one device.

    Args:
        device: ``cuda``, or ``cpu`` for a smoke test.
        networks: by name.
        folder: for the pictures.
    """

    def __init__(self, device: str, networks: Mapping[str, Network], folder: Path) -> None:
        self.device = device
        self._networks = networks
        self._folder = folder

    def measure(self, case: Case) -> dict[str, Any]:
        """The figures of a case, or why there are none."""
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        torch.compiler.reset()
        gc.collect()  # trainers of earlier cases go in circles
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        named = case.variant.partition(" ")[0]
        backend = named if named in ("triton", "hybrid") else "torch"
        if backend == "hybrid" and case.question != "layer":
            backend = "hybrid or torch"
        try:
            with use_backend(backend):
                return self._timed({"layer": self._layer, "step": self._step}.get(case.question, self._forward)(case))
        except Exception as error:  # Triton's errors have no base of their own here
            if self.device == "cuda":
                torch.cuda.synchronize()  # raises where the device is lost: nothing more can be measured then
            return {"failed": str(error).partition("\n")[0]}

    def calls(self, case: Case) -> list[Call]:
        """Of the generator in a training step, in order."""
        assembly = self._assembled(replace(case, variant="channels_last"))
        with use_backend("torch"), recorded({"generator": assembly.trainer.networks["generator"]}) as made:
            self._forward(replace(case, question="forward", variant="channels_last"), assembly)()
        return [each.call for each in made]

    def ceilings(self) -> dict[str, float]:
        """Copied bytes (read and written) and products, a second, on this device."""
        count = 2**28 if self.device == "cuda" else 2**20
        size = 8192 if self.device == "cuda" else 256
        source = torch.randn(count // 4, device=self.device)
        target = torch.empty_like(source)
        found = {"bytes": 2 * count / self._seconds(lambda: target.copy_(source))}
        for name, dtype in (("bfloat16", torch.bfloat16), ("tf32", torch.float32)):
            torch.backends.cuda.matmul.allow_tf32 = True
            a, b = (torch.randn(size, size, device=self.device, dtype=dtype) for _ in range(2))
            found[name] = 2 * size**3 / self._seconds(partial(torch.mm, a, b))
        return found

    def _forward(self, case: Case, assembly: Assembly | None = None) -> Callable[[], Any]:
        """The generator alone: for inference, or as in training, where a gradient may be asked for."""
        assembly = assembly or self._assembled(case)
        noise = torch.randn(case.batch, *assembly.problem.noise_shape or (), device=self.device)
        labels = torch.randint(CLASSES, (case.batch,), device=self.device)
        condition = dict.fromkeys(assembly.problem.condition, labels)
        network = assembly.trainer.networks["generator"]
        autocast = assembly.compute.autocast
        if case.question == "generator":
            network.eval()
        made = self._made(network, case)

        def run() -> Any:
            with autocast(), torch.set_grad_enabled(case.question == "forward"):
                return made(noise, condition)

        return run

    def _made(self, network: nn.Module, case: Case) -> Callable[..., Any]:
        modes = {"compile": "max-autotune-no-cudagraphs", "compile + graphs": "max-autotune"}
        if case.variant in modes:
            return torch.compile(network.forward, mode=modes[case.variant])
        ours = case.question == "generator" and case.variant not in ("eager", "channels_last")
        return compile_inference(network) if ours else network

    def _step(self, case: Case) -> Callable[[], Any]:
        """A whole training step, the batch on the device already."""
        assembly = self._assembled(case)
        trainer = assembly.trainer
        if case.variant.startswith("compile"):
            for network in trainer.networks.values():
                network.forward = self._made(network, case)
        stream = batches(assembly.train, batch_size=case.batch, seed=0)
        batch = {name: values.to(self.device) for name, values in next(stream).items()}
        number = 0

        def run() -> None:
            nonlocal number
            trainer.step(number, batch, 0.0)
            number += 1

        for _ in range(5):  # until steps are replayed, where they are
            run()
        trainer.check()
        if self.device == "cuda" and case.variant in REPLAYED and trainer.obstacle:
            raise RuntimeError(f"steps are not replayed: {trainer.obstacle}")
        return run

    def _layer(self, case: Case) -> Callable[[], Any]:
        """Forward and backward of one block of the generator."""
        call = self.calls(case)[case.layer]
        x, tensors, labels = measured.random_inputs(call, self.device)
        if case.variant == "eager" and x.dim() == 4:
            x = x.contiguous()
            tensors = tensors._replace(weight=tensors.weight.contiguous())
        leaves = [each.requires_grad_() for each in (x, *tensors[:4]) if isinstance(each, Tensor)]
        backend = dispatch.choose(call).backend

        def forward() -> Tensor:
            with measured.precision_of(call):
                return backend.run(call, x, tensors, labels)

        if case.variant == "compile":
            forward = torch.compile(forward, mode="max-autotune-no-cudagraphs")
        dz = torch.randn_like(forward())
        return lambda: torch.autograd.grad(forward(), leaves, dz)

    @cache  # noqa: B019 - a bench lives as long as the process
    def _pictures(self, name: str) -> Path:
        network, rng = self._networks[name], np.random.default_rng(0)
        path = self._folder / f"{network.recipe}-{network.shape[0]}.npz"
        images = rng.integers(0, 256, (2048, *network.shape), dtype=np.uint8)
        labels = np.arange(2048) % CLASSES
        np.savez(path, x_train=images, y_train=labels, x_test=images[:64], y_test=labels[:64])
        return path

    def _assembled(self, case: Case) -> Assembly:
        network, replayed = self._networks[case.network], case.variant in REPLAYED
        precision = "bfloat16" if case.precision == "bfloat16" else "float32"
        options = {
            "data": str(self._pictures(case.network)),
            "batch_size": case.batch,
            "device": self.device,
            "precision": precision,
            "steps": 1000,
        }
        settings = (
            *network.settings,
            "metrics=[]",
            f"training.cuda_graphs={str(replayed).lower()}",
            f"training.recompute_activations={str(case.variant in RECOMPUTING).lower()}",
        )
        registry = load_registry([])
        config = configure(
            registry, recipe=network.recipe, options=options, settings=[assignment(text) for text in settings]
        )
        assembly = assemble(config, registry)
        if case.variant == "eager":
            for each in assembly.trainer.networks.values():
                each.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return assembly

    def _timed(self, function: Callable[[], Any]) -> dict[str, Any]:
        for _ in range(3):
            function()
        if self.device != "cuda":
            return {"milliseconds": self._seconds(function) * 1e3}
        from triton.testing import do_bench

        reserved = torch.cuda.max_memory_reserved()  # before `do_bench` takes a buffer; pools of graphs included
        low, median, high = do_bench(function, warmup=50, rep=200, quantiles=[0.2, 0.5, 0.8])
        return {
            "milliseconds": median,
            "p20": low,
            "p80": high,
            "launches": _launches(function),
            "peak_bytes": reserved,
        }

    def _seconds(self, function: Callable[[], Any]) -> float:
        if self.device == "cuda":
            from triton.testing import do_bench

            return float(do_bench(function, return_mode="median")) / 1e3
        times = []
        for _ in range(3):
            began = time.perf_counter()
            function()
            times.append(time.perf_counter() - began)
        return statistics.median(times)


def _launches(function: Callable[[], Any]) -> int:
    """Calls of the driver that start work on the device; a replayed graph is one."""
    with torch.profiler.profile(activities=list(torch.profiler.supported_activities())) as profile:  # type: ignore[no-untyped-call]
        function()
        torch.cuda.synchronize()
    names = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cudaMemcpyAsync", "cudaMemsetAsync")
    return sum(event.count for event in profile.key_averages() if event.key.startswith(names))


def description(device: str) -> dict[str, str]:
    """What the figures were taken on."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    try:
        triton = version("triton")
    except ModuleNotFoundError:
        triton = "none"
    return {"device": name, "torch": torch.__version__, "triton": triton, "python": platform.python_version()}


def tests() -> dict[str, Any]:
    """The tests of kernels and replayed steps on this machine."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", *TESTS]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    except subprocess.TimeoutExpired:
        return {"code": None, "last": ["the tests took more than 400 seconds"]}
    return {"code": done.returncode, "last": done.stdout.splitlines()[-8:]}


def trained(schedule: Schedule, folder: Path, seconds: float) -> dict[str, Any]:
    """How long a whole run took, and how good it became."""
    run = folder / schedule.name.replace(", ", "-")
    words = [sys.executable, "-m", "genframe", "run", *schedule.words, "--output-dir", str(run)]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"failed": f"it took more than {seconds:.0f} seconds"}
    if done.returncode:
        return {"failed": done.stderr.strip().rpartition("\n")[2]}
    content = json.loads((run / "run.json").read_text())
    metrics = {name: entry.get("value") for name, entry in content["metrics"].items()}
    return {key: content[key] for key in ("steps", "cuda_graphs", "precision", "timings")} | {"metrics": metrics}


def main() -> int:
    """Goes on where the last call ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "gpu.json")
    parser.add_argument("--minutes", type=float, default=9.0, help="no case begins after so long")
    parser.add_argument("--smoke", action="store_true", help="tiny networks on the CPU")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases in whose name this stands")
    parser.add_argument("--mnist", type=Path, help="the folder of its four files, for the whole published training")
    parser.add_argument("--no-tests", action="store_true", help="leave the tests out")
    asked = parser.parse_args()
    device = "cpu" if asked.smoke else "cuda"
    if not asked.smoke and not torch.cuda.is_available():
        print("there is no CUDA device; --smoke tries the command on the CPU", file=sys.stderr)
        return 2
    networks, sizes = (TINY, (4,)) if asked.smoke else (NETWORKS, (64, 128, 1024))
    end = time.monotonic() + 60 * asked.minutes
    said = description(device)
    content: dict[str, Any] = json.loads(asked.output.read_text()) if asked.output.exists() else {}
    if content and content["machine"] != said:
        print(f"{asked.output} is of another machine: {content['machine']}; name another --output", file=sys.stderr)
        return 2
    content = content or {"machine": said, "cases": {}, "schedules": {}}

    def keep(key: str, value: Any, into: dict[str, Any]) -> None:
        into[key] = value
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(json.dumps(content, indent=1) + "\n")

    if "tests" not in content and not asked.smoke and not asked.no_tests:
        keep("tests", tests(), content)
        print("\n".join(content["tests"]["last"]))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(device, networks, Path(folder))
        if "ceilings" not in content:
            keep("ceilings", bench.ceilings(), content)
        wanted = cases(networks, sizes, lambda case: len(bench.calls(case)))
        for case in wanted:
            if str(case) in content["cases"] or asked.only not in str(case):
                continue
            if time.monotonic() > end:
                print("time is up; call it again to go on")
                break
            found = bench.measure(case)
            if case.question == "layer":
                call = bench.calls(case)[case.layer]
                found |= {"call": str(call), **floor(call)}
            elif case.question == "generator":
                found["floor"] = [floor(call) for call in bench.calls(case)]
            keep(str(case), found, content["cases"])
            print(f"{case}: {found.get('failed') or format(found['milliseconds'], '.3f') + ' ms'}", flush=True)
        else:
            print("everything is measured")
        finished = content["schedules"]
        data: tuple[str, ...] = ("--data", "mnist", "--data-dir", str(asked.mnist.resolve())) if asked.mnist else ()
        if asked.smoke:
            data = ("--data", "digits", "--image-size", "28", "--steps", "2", "--batch-size", "8")
        for schedule in schedules(device, data) if data else []:
            left = end - time.monotonic()
            if schedule.name in finished or asked.only not in schedule.name or left < 0:
                continue
            keep(schedule.name, trained(schedule, Path(folder), max(left, 60.0)), finished)
            print(f"{schedule.name}: {finished[schedule.name]}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
