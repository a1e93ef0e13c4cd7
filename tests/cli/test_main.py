"""The console program: it starts quickly, and every failure is one sentence and the right exit code."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import click
import pytest

import genframe
from genframe import errors
from genframe.cli.main import COMMANDS

HEAVY = {"torch", "numpy", "pluggy", "rich", "pydantic", "sklearn", "PIL"}

#: A plugin of a folder, whose dataset's settings are made by code that raises.
RAISES = """
import {imports}
from dataclasses import dataclass, field
import genframe
from genframe.specs import NoiseSpec

def stumble():
    {statement}

@dataclass(frozen=True, kw_only=True)
class Settings:
    dim: int = field(default_factory=stumble)

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="stumbling", summary="Raises when shown", factory="nowhere:Noise", settings=Settings)
"""


@pytest.fixture
def stumbling(tmp_path, cli):
    """Shows a part whose plugin executes `statement`; what came of it."""

    def show(statement: str, *words: str, imports: str = "os"):
        (tmp_path / "clumsy.py").write_text(RAISES.format(statement=statement, imports=imports))
        return cli(*words, "plugins", "show", "stumbling", "--plugins-dir", tmp_path)

    return show


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"], []])
def test_help_imports_nothing_heavy_and_no_command(genframe_process, words):
    script = (
        "import sys\n"
        "from genframe.cli.main import main\n"
        f"try: main({words})\n"
        "except SystemExit as ending: assert ending.code == 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    result = genframe_process("-c", script)
    assert result.returncode == 0, result.stderr
    modules = set(result.stderr.split())
    assert not modules & HEAVY
    assert not modules & {place.partition(":")[0] for place, _ in COMMANDS.values()}
    assert not {module for module in modules if module.startswith("genframe_")}


def test_help_lists_every_command_with_its_summary(cli):
    result = cli("--help")
    assert result.code == 0
    for name, (_, summary) in COMMANDS.items():
        assert any(line.split() == [name, *summary.split()] for line in result.out.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_has_help(cli, name):
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)
    result = cli(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: genframe {name}")


def test_version_is_the_packages(cli):
    assert genframe.__version__ in cli("--version").out


def test_python_dash_m_is_the_same_program(genframe_process):
    result = genframe_process("-m", "genframe", "nonsense")
    assert result.returncode == 2
    assert result.stderr.startswith("genframe: 'nonsense' is not a command")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rnu"], "Did you mean 'run'"),
        (["plugin", "list"], "Did you mean 'plugins'"),
        (["plugins", "lst"], "list"),
        (["run", "--stpes", "3"], "--steps"),
        (["run", "--steps", "many"], "'many' is not a valid integer"),
        (["sample"], "Missing argument 'RUN'"),
        (["plugins"], "genframe plugins --help"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_a_usage_error_is_one_line_that_says_where_to_look(cli, words, expected):
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("genframe: ")
    assert expected in result.err
    assert "--help" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "error_class",
    [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.GenframeError) and each is not errors.StoppedError
    ],
)
def test_every_genframe_error_is_one_line_with_its_exit_code(stumbling, error_class):
    statement = f"from genframe.errors import {error_class.__name__} as Error; raise Error('this is wrong:\\n do that')"
    result = stumbling(statement)
    assert (result.code, result.out) == (error_class.exit_code, "")
    assert result.err == "genframe: this is wrong: do that\n"


@pytest.mark.parametrize(
    "statement",
    [
        "raise MemoryError",
        "import torch; torch.empty(2**50)",
        "import torch; torch.empty(2**62, 8)",
        "import torch; torch.empty(2**70)",
        "raise OverflowError('cannot convert float infinity to integer')",
        "from genframe.errors import GenframeError; raise GenframeError('it cannot be built') from MemoryError()",
    ],
)
def test_what_is_too_large_for_the_machine_is_a_usage_error(stumbling, statement):
    result = stumbling(statement)
    assert result.code == 2
    assert "is too large for this machine: choose smaller numbers" in result.err
    assert result.err.count("\n") == 1
    assert len(result.err) < 1000


def test_a_name_that_no_file_can_have_is_a_usage_error(cli):
    result = cli("plugins", "list", "--plugins-dir", "a" * 300)
    assert result.code == 2
    assert result.err.startswith("genframe: no file or folder can have this name, it is too long: ")


def test_a_sentence_is_one_line_of_bounded_length_on_any_terminal(cli):
    result = cli("plugins", "show", "\x1b[31m\x07" + "a" * 10**6)
    assert result.code == 4
    assert len(result.err) < 2100
    assert r"\x1b[31m\x07aaa" in result.err
    assert "aaa ... " in result.err
    assert result.err.endswith("--specs.\n")


def test_a_stopped_run_exits_with_its_signals_code(stumbling):
    result = stumbling("from genframe.errors import StoppedError; raise StoppedError('saved', 143)")
    assert (result.code, result.err) == (143, "genframe: saved\n")


def test_an_interrupt_is_130(stumbling):
    result = stumbling("raise KeyboardInterrupt")
    assert (result.code, result.err) == (130, "genframe: interrupted\n")


def test_a_defect_of_a_plugin_names_the_plugin_and_where_it_is_from(stumbling, tmp_path):
    result = stumbling("raise LookupError('lost')")
    assert result.code == 1
    assert result.err.startswith(f"genframe: plugin 'clumsy' ({tmp_path / 'clumsy.py'}) failed: LookupError: lost")
    assert result.err.count("\n") == 1


def test_a_defect_deep_below_a_plugin_is_still_the_plugins(stumbling):
    result = stumbling("json.loads('{')", imports="json")
    assert "plugin 'clumsy'" in result.err
    assert "JSONDecodeError" in result.err


def test_a_plugin_that_could_not_be_imported_is_blamed_for_nothing(stumbling, tmp_path):
    (tmp_path / "json.py").write_text("a file that only shares its name with the library")
    assert "plugin 'clumsy'" in stumbling("json.loads('{')", imports="json").err


def test_a_defect_of_an_installed_plugin_names_its_distribution(make_distribution, cli):
    make_distribution("genframe-clumsy", {"clumsy": RAISES.format(statement="1 / 0", imports="os")}, version="4.2")
    result = cli("plugins", "show", "stumbling")
    assert result.code == 1
    assert "plugin 'clumsy' (genframe-clumsy 4.2) failed: ZeroDivisionError" in result.err


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_a_traceback_is_shown_only_on_request(stumbling, cli, tmp_path, monkeypatch, place):
    assert "Traceback" not in stumbling("1 / 0").err
    if place == "environment":
        monkeypatch.setenv("GENFRAME_DEBUG", "1")
    words = ["plugins", "show", "stumbling", "--plugins-dir", tmp_path]
    flag = ["--debug"] if place != "environment" else []
    result = cli(*flag, *words) if place == "before" else cli(*words, *flag)
    assert result.code == 1
    assert "Traceback" in result.err
    assert "in stumble" in result.err
    assert "genframe: plugin 'clumsy'" in result.err


def test_the_traceback_of_a_broken_plugin_is_shown_on_request(make_distribution, cli):
    make_distribution("genframe-bad", {"bad": "def broken():\n    1 / 0\nbroken()"})
    assert "in broken" in cli("--debug", "plugins", "show", "bad").err


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_reader_that_leaves_early_ends_the_program_quietly():
    script = "import sys\nfrom genframe.cli.main import main\nmain(['plugins', 'list', '--json'])"
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_broken_pipe_that_is_not_stdout_is_a_defect_like_any_other(stumbling):
    result = stumbling("raise BrokenPipeError('a worker died')")
    assert result.code == 1
    assert "a worker died" in result.err
