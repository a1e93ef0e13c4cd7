"""The pytest plugin: an author's test file, run by pytest in a process of its own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PART = """
import genframe
import pytest
from genframe.randomness import uniform
from genframe.specs import NoiseSpec

class Noise:
    shape = (4,)

    def __init__(self, settings):
        pass

    def draw(self, indices, key):
        return uniform(indices, self.shape, key)

    def project(self, noise):
        return {projected}

genframe.register(NoiseSpec(name="mine", summary="Mine", factory=Noise))
"""

TEST = (
    PART
    + """
@pytest.mark.genframe("noise/mine")
def test_conformance(genframe_check):
    genframe_check()
"""
)


SECOND = """
@pytest.mark.genframe("noise/own", settings={"dim": 3})
def test_own(genframe_check):
    genframe_check()
"""

#: A plugin of a folder, whose default settings make no sense.
OWN = """
        from dataclasses import dataclass
        import genframe
        from genframe.specs import NoiseSpec

        @dataclass(frozen=True, kw_only=True)
        class Settings:
            dim: int = 0

        class Noise:
            def __init__(self, settings):
                self.shape = (settings.dim,)

            def draw(self, indices, key):
                from genframe.randomness import normal
                return normal(indices, self.shape, key)

            def project(self, noise):
                return noise

        @genframe.hookimpl
        def genframe_noise_samplers():
            yield NoiseSpec(name="own", summary="Own", factory=Noise, settings=Settings)
"""


@pytest.fixture
def run_pytest(genframe_process: Any, tmp_path: Path) -> Callable[..., Any]:
    def run(source: str, *words: str, **environment: str) -> Any:
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n")
        (tmp_path / "test_mine.py").write_text(textwrap.dedent(source))
        return genframe_process("-m", "pytest", "-p", "no:cacheprovider", tmp_path, *words, **environment)

    return run


def test_each_check_is_a_test_and_the_summary_counts_them(run_pytest, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "own.py").write_text(textwrap.dedent(OWN))
    source = TEST.format(projected="noise.clamp(0, 1)") + SECOND
    result = run_pytest(source, "-v", GENFRAME_PLUGINS_DIR=str(tmp_path / "plugins"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_conformance[noise/mine-independence] PASSED" in result.stdout
    assert "test_conformance[noise/mine-truncation] SKIPPED" in result.stdout
    assert "test_own[noise/own-registration] PASSED" in result.stdout
    assert re.search(r"genframe checks: \d+ passed, 0 failed, 5 skipped", result.stdout)


def test_a_failed_check_fails_its_test_with_the_reason_alone(run_pytest):
    result = run_pytest(TEST.format(projected="noise * 0.5"))
    assert result.returncode == 1
    assert "noise/mine, projection: project moves samples of the law by up to" in result.stdout
    assert "(project keeps samples as they are" in result.stdout
    assert "Traceback" not in result.stdout
    assert re.search(r"genframe checks: \d+ passed, 1 failed, 3 skipped", result.stdout)


def test_a_test_without_a_part_and_a_part_that_is_not_there_say_so(run_pytest):
    result = run_pytest("def test_conformance(genframe_check):\n    genframe_check()\n")
    assert result.returncode != 0
    assert 'mark the test with @pytest.mark.genframe("KIND/NAME")' in result.stdout + result.stderr
    source = "import pytest\n@pytest.mark.genframe('noise/fig')\ndef test_it(genframe_check):\n    genframe_check()\n"
    result = run_pytest(source)
    assert "no noise is called 'fig'" in result.stdout + result.stderr


def test_a_session_without_marked_tests_imports_nothing_of_it(run_pytest):
    source = """
    import sys

    def test_light():
        assert "genframe.testing.pytest_plugin" in sys.modules
        heavy = {"torch", "numpy", "pydantic", "genframe.registry", "genframe.testing.kit"}
        assert not heavy & set(sys.modules)
    """
    result = run_pytest(source)
    assert result.returncode == 0, result.stdout
    assert "genframe checks" not in result.stdout
