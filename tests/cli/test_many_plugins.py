"""A hundred installed plugins cost nothing until something of them is asked for."""

from __future__ import annotations

import pytest

PLUGIN = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="{name}", summary="One of many", factory="nowhere:Noise")
"""

RUN = "from genframe.cli.main import main\nimport sys\ntry: main({words})\nexcept SystemExit: pass\n"


@pytest.fixture
def hundred(make_distribution):
    names = [f"law-{number}" for number in range(100)]
    for name in names:
        make_distribution(f"genframe-{name}", {name: PLUGIN.format(name=name)})
    return names


@pytest.mark.parametrize(
    "words", [["--help"], ["plugins", "--help"], ["plugins", "list"], ["plugins", "list", "--json"]]
)
def test_help_and_the_list_import_none_of_them(genframe_process, hundred, words):
    result = genframe_process("-c", RUN.format(words=words) + "print(*sys.modules, file=sys.stderr)")
    modules = set(result.stderr.split())
    assert not {module for module in modules if module.startswith("genframe_")}
    assert not {"pluggy", "torch", "numpy", "pydantic"} & modules
    listed = [name for name in hundred if f"genframe-{name}" in result.stdout]
    assert listed == (hundred if "list" in words else [])


def test_a_part_of_theirs_is_shown_without_torch(genframe_process, hundred):
    script = RUN.format(words=["plugins", "show", "noise/law-99"]) + "print(*sys.modules, file=sys.stderr)"
    result = genframe_process("-c", script)
    assert "genframe-law-99 1.0" in result.stdout
    assert not {"torch", "numpy"} & set(result.stderr.split())
