"""What tests of all folders share: the command line in-process, and distributions of third parties."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from genframe.cli.main import main
from genframe.registry import lookup

# Several tests at a time share the cores; threads that wait for each other are slower than one. Set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

EXTERNAL = Path(__file__).parent / "external"


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs ``genframe`` with these words, in this process."""

    def run(*words: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ending:
            main([str(word) for word in words])
        captured = capfd.readouterr()
        code = ending.value.code
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def genframe_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``python ARGUMENTS`` in a process of its own that sees what this one sees on its import path."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(autouse=True)
def _only_what_the_test_installs(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing of the user's environment comes in; no plugin of a temporary folder outlives its test."""
    for variable in [name for name in os.environ if name.startswith("GENFRAME_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    path, modules, registered = list(sys.path), set(sys.modules), dict(lookup._registered)
    yield
    sys.path[:] = path
    lookup._registered.clear()
    lookup._registered.update(registered)
    temporary = str(tmp_path_factory.getbasetemp().parent)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(temporary):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes the distributions of a folder visible to this test."""

    def add(site: Path) -> None:
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()

    return add


@pytest.fixture
def make_distribution(tmp_path: Path, on_path: Callable[[Path], None]) -> Callable[..., Path]:
    """Makes a tiny installed distribution, such as a build backend leaves it, and makes it visible.

    ``make_distribution("genframe-bad", {"bad": "import nothing"}, version="2.0")``: each plugin's name is its module's.
    """

    def make(distribution: str, plugins: Mapping[str, str], *, version: str = "1.0") -> Path:
        stem = distribution.replace("-", "_")
        site = tmp_path / "sites" / stem
        information = site / f"{stem}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entries = []
        for name, source in plugins.items():
            module = f"{stem}_{name}".replace("-", "_")
            (site / f"{module}.py").write_text(source)
            entries.append(f"{name} = {module}\n")
        (information / "entry_points.txt").write_text("".join(["[genframe]\n", *entries]))
        on_path(site)
        return site

    return make


@pytest.fixture(scope="session")
def external_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a distribution of ``tests/external`` is installed by pip, once for all workers; each has its own folder."""
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary.parent if os.environ.get("PYTEST_XDIST_WORKER") else temporary

    def site(distribution: str) -> Path:
        target = shared / f"site-{distribution}"
        done = target / ".done"
        with _lock(shared / f"site-{distribution}.lock"):
            if not done.exists():
                _pip_install(EXTERNAL / distribution, target)
                done.touch()
        return target

    return site


@pytest.fixture
def use_external(external_site: Callable[[str], Path], on_path: Callable[[Path], None]) -> Callable[[str], Path]:
    """Makes a distribution of ``tests/external`` visible to this test."""

    def use(distribution: str) -> Path:
        site = external_site(distribution)
        on_path(site)
        return site

    return use


@contextlib.contextmanager
def _lock(path: Path, patience: float = 120.0) -> Iterator[None]:
    deadline = time.monotonic() + patience
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            assert time.monotonic() < deadline, f"another worker holds {path} for too long"
            time.sleep(0.05)
    try:
        yield
    finally:
        path.unlink()


def _pip_install(project: Path, target: Path) -> None:
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(project)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
