"""What is installed is what was meant: the wheel's packages, the light import, the two commands of the README."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_each_source_root_once_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    packages = {
        path.parent.name for root in (ROOT / "plugins", ROOT / "kernels") for path in root.glob("*/__init__.py")
    }
    assert {name for name in top if not name.endswith(".dist-info")} == packages | {"genframe"}


def test_the_wheel_says_that_it_is_typed_and_carries_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "genframe/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_carries_every_template_of_new_plugins(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("genframe/scaffold/templates/")}
    templates = ROOT / "genframe" / "scaffold" / "templates"
    written = {path.relative_to(ROOT).as_posix() for path in templates.rglob("*") if path.is_file()}
    assert "genframe/scaffold/templates/package/.gitignore.tmpl" in packed
    assert packed == written


def test_every_first_party_plugin_is_an_entry_point() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["genframe"]
    assert set(points.values()) == {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}


@pytest.mark.parametrize("folder", ["plugins", "kernels"])
def test_a_source_root_is_no_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()


def test_importing_genframe_imports_neither_torch_nor_plugins(genframe_process: Any) -> None:
    code = (
        "import genframe, sys; print('genframe', *sorted({'torch', 'numpy', 'pluggy', 'pydantic'} & set(sys.modules)))"
    )
    assert genframe_process("-c", code).stdout.strip() == "genframe"


def test_constraints_pin_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {word.partition(">=")[0].strip().lower().replace("_", "-") for word in wanted}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in pin for pin in pins)
    assert names <= {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}


def test_make_says_which_python_it_needs() -> None:
    result = subprocess.run(
        ["make", "--dry-run", "--always-make", "run", "VENV=/nonexistent/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "genframe needs Python 3.11" in result.stdout
    assert "genframe run --plugin cdcgan" in result.stdout
