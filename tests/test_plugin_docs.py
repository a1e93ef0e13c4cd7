"""The pages for authors of plugins: what the tutorial says is done here, from an empty folder on.

The reference is the one that the code gives, and what the page on stability promises is so.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import genframe
from genframe import hookspecs, interfaces
from genframe.specs import API_VERSION, KINDS, SPEC_CLASSES, PartSpec

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "plugins"
TUTORIAL = PAGES / "tutorial.md"


@dataclass
class Block:
    """A block in fences.

    Attributes:
        language: behind the fence.
        text: within.
        file: which it is, or is to be added to.
        added: whether the page says "Add to".
        section: the heading above.
    """

    language: str
    text: str
    file: str | None
    added: bool
    section: str


def blocks(page: Path = TUTORIAL) -> Iterator[Block]:
    section, above = "", ""
    text = page.read_text(encoding="utf-8")
    for part in re.split(r"(^```\w+\n.*?^```$)", text, flags=re.DOTALL | re.MULTILINE):
        if match := re.fullmatch(r"```(\w+)\n(.*?)```", part, re.DOTALL):
            files = re.findall(r"`(genframe-garden/[\w./]+)`", above)
            named = above.strip().splitlines()[-1].rstrip(":").endswith("`") if files else False
            added = re.search(r"Add to\s+`[^`]+`:\s*$", above) is not None
            yield Block(match[1], match[2], files[-1] if named else None, added, section)
        else:
            above = part
            section = (re.findall(r"^## (.*)$", part, re.MULTILINE) or [section])[-1]


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block and the lines that the page shows under it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether the page shows what was printed; ``...`` stands for anything, on a line or for lines."""
    pattern = "".join("(.*\n)*" if line == "..." else _line(line) for line in shown)
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed)) is not None


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.split("..."))) + "\n"


def shorter(words: list[str]) -> tuple[str, ...]:
    """What makes a run of the page short enough for a test: few steps, thin networks, no metrics but the page's own."""
    if words[0] == "reproduce":
        return ("--set", "steps=2", "--seeds", "1")
    further = ("--set", "metrics=[]") if "cdcgan" in words else ()
    return ("--steps", "2", "--batch-size", "16", "--set", "architecture.width=4", *further)


def write(folder: Path, block: Block) -> None:
    assert block.file is not None, f"the page does not say which file this is:\n{block.text}"
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    assert path.exists() == block.added, f"{block.section}: {block.file} is there already, or it is not"
    earlier = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n\n" if path.exists() else ""
    path.write_text(earlier + block.text, encoding="utf-8")


@dataclass
class Desk:
    """Where the reader sits: a folder, and a command line.

    Attributes:
        folder: the working directory.
        cli: runs ``genframe``.
        on_path: makes modules and distributions of a folder visible.
        done: the commands of genframe that were run.
        modules: what was installed.
    """

    folder: Path
    cli: Callable[..., Any]
    on_path: Callable[[Path], None]
    done: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    def type(self, command: str, shown: list[str]) -> None:
        """Runs a command of the page and compares."""
        program, *words = shlex.split(command)
        if program == "pip":
            assert words[:2] == ["install", "--editable"]
            self.install(words[2])
            return
        assert program == "genframe"
        for name in [name for name in sys.modules if name.partition(".")[0] in self.modules]:
            del sys.modules[name]  # each command is a process of its own
        result = self.cli(*words, *(shorter(words) if words[0] in ("run", "reproduce") else ()))
        printed = [*result.err.splitlines(), *result.out.splitlines()]  # the course of a run is on stderr
        told = f"$ {command}\n{result.err}{result.out}"
        assert (result.code == 0) == (not any(line.startswith("genframe: ") for line in shown)), told
        assert agrees(shown or ["..."], printed), (
            "the page shows\n" + "\n".join(shown) + "\nand this was printed\n" + told
        )
        self.done.append(command)

    def install(self, project: str = "genframe-garden") -> None:
        """What pip leaves of an installation in place."""
        told = tomllib.loads((self.folder / project / "pyproject.toml").read_text())["project"]
        entries = told["entry-points"]["genframe"]
        self.modules += entries.values()
        information = self.folder / "site" / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
        information.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n"
        (information / "METADATA").write_text(metadata)
        lines = [f"{name} = {module}\n" for name, module in entries.items()]
        (information / "entry_points.txt").write_text("".join(["[genframe]\n", *lines]))
        self.on_path(self.folder / "site")
        self.on_path(self.folder / project)


@pytest.fixture
def desk(tmp_path: Path, cli: Any, on_path: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Desk(tmp_path, cli, on_path)


def is_check(command: str) -> bool:
    return command.startswith("genframe plugins check ")


CHECKS = [
    command for block in blocks() if block.language == "console" for command, _ in commands(block) if is_check(command)
]


def test_each_step_of_the_tutorial_works_and_prints_what_the_page_says(desk: Desk) -> None:
    for block in blocks():
        if block.language != "console":
            write(desk.folder, block)
            continue
        for command, shown in commands(block):
            if not is_check(command):
                desk.type(command, shown)
    assert len(desk.done) >= 20


def test_the_five_lines_of_the_index_work(desk: Desk) -> None:
    (block,) = blocks(PAGES / "README.md")
    for command, shown in commands(block):
        desk.type(command, shown)
    assert len(desk.done) == 4


@pytest.mark.parametrize("command", CHECKS)
def test_each_check_of_the_tutorial_passes(command: str, desk: Desk) -> None:
    for block in blocks():
        if block.language != "console":
            write(desk.folder, block)
    desk.install()
    result = desk.cli(*shlex.split(command)[1:])
    assert result.code == 0, result.out + result.err


def test_the_finished_package_is_installed_by_pip_and_its_code_is_clean(desk: Desk, genframe_process: Any) -> None:
    for block in blocks():
        if block.language != "console":
            write(desk.folder, block)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    project, target = desk.folder / "genframe-garden", desk.folder / "site"
    _run(sys.executable, "-m", "pip", "install", *offline, "--target", target, project)
    desk.on_path(target)
    tests = genframe_process("-m", "pytest", "-q", "-k", "registration", "-p", "no:cacheprovider", project)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert " passed" in tests.stdout
    offered = desk.cli("plugins", "show", "genframe-garden/garden")
    assert offered.code == 0, offered.err
    assert str(target) not in offered.err
    rules = ("--isolated", "--no-cache", "--line-length", "120", "--select", "B,C4,E,F,I,N,RUF100,UP,W")
    _run(sys.executable, "-m", "ruff", "check", *rules, "--ignore", "N803,N806", project)
    _run(sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--line-length", "120", "--check", project)


def _run(*words: object) -> None:
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_tutorial_has_a_section_for_each_kind_and_no_other() -> None:
    numbered = [section for section in {block.section for block in blocks()} if re.match(r"\d+\. ", section)]
    offered = re.findall(r"^def genframe_\w+\(\):\n +yield (\w+)Spec\(", TUTORIAL.read_text(), re.MULTILINE)
    assert sorted(each.lower() for each in offered) == sorted(KINDS)
    assert len(numbered) == len(KINDS)
    assert {shlex.split(command)[-1].partition("/")[0] for command in CHECKS} >= set(KINDS)


def test_a_page_that_shows_something_else_would_be_noticed() -> None:
    assert agrees(["a", "...", "c"], ["a", "b", "b", "c"])
    assert agrees(["a ... c"], ["a b c"])
    assert not agrees(["a", "c"], ["a", "b", "c"])
    assert not agrees(["a"], [])


@pytest.fixture(scope="module")
def maker() -> types.ModuleType:
    """The program that writes the reference."""
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says(maker: Any) -> None:
    written = (PAGES / "reference.md").read_text(encoding="utf-8")
    assert written == maker.page(), "run: python docs/make_reference.py"


@pytest.mark.parametrize("spec_class", SPEC_CLASSES)
def test_each_hook_and_each_field_is_in_the_reference(spec_class: type[PartSpec]) -> None:
    page = (PAGES / "reference.md").read_text(encoding="utf-8")
    assert f"### `{spec_class.hook}()`" in page
    assert f"### `{spec_class.__name__}`" in page
    for name in spec_class.__annotations__.keys() - {"kind", "hook"}:
        assert f"| `{name}` |" in page


def test_each_contract_is_in_the_reference() -> None:
    page = (PAGES / "reference.md").read_text(encoding="utf-8")
    contracts = [
        name
        for name, each in vars(interfaces).items()
        if inspect.isclass(each) and each.__module__ == interfaces.__name__
    ]
    assert len(contracts) >= 20
    assert [name for name in contracts if f"### `{name}`" not in page] == []


def test_what_has_no_documentation_is_refused(maker: Any) -> None:
    def genframe_bare() -> None: ...

    @dataclass
    class Half:
        """Half of it.

        Attributes:
            this, that: both.
        """

        this: int = 0
        that: int = 0
        other: int = 0

    @dataclass
    class Bare:
        field: int = 0

    class Silent:
        """A protocol."""

        def said(self) -> None:
            """Something."""

        def unsaid(self) -> None: ...

    assert maker.attributes(Half) == {"this": "both.", "that": "both."}
    for make, each in (
        (maker._text, genframe_bare),
        (maker._table, Half),
        (maker._text, Bare),
        (maker._protocol, Silent),
    ):
        with pytest.raises(maker.UndocumentedError):
            make(each)


def public() -> dict[str, list[str]]:
    """The modules that are public, and the names that the page lists, where it lists them one by one."""
    page = (PAGES / "stability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(genframe[\w.]*)` \| (.*) \|$", page, re.MULTILINE)
    return {
        module: re.findall(r"`([\w.]+)`", said) if re.fullmatch(r"(`[\w.]+`(, )?)+", said) else []
        for module, said in rows
    }


def test_what_is_said_to_be_public_is_there() -> None:
    assert len(public()) >= 10
    for module, names in public().items():
        home: Any = importlib.import_module(module)
        for name in names:
            place, _, last = name.rpartition(".")
            assert hasattr(importlib.import_module(f"{module}.{place}") if place else home, last), f"{module}: {name}"
    assert set(genframe.__all__) == set(public()["genframe"])


def test_genframes_own_plugins_use_what_is_public_and_nothing_else() -> None:
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "genframe":
                for alias in node.names:
                    assert is_public(node.module or "", alias.name), f"{path.name}: {node.module} {alias.name}"


def is_public(module: str, name: str) -> bool:
    homes = [home for home in public() if home != "genframe" and (module == home or module.startswith(f"{home}."))]
    if module == "genframe":
        return name in public()["genframe"] or f"genframe.{name}" in public()
    names = [each.rpartition(".")[2] for each in public()[homes[0]]] if homes else []
    return bool(homes) and not name.startswith("_") and (not names or name in names)


def test_only_what_is_public_counts_as_public() -> None:
    assert is_public("genframe.analysis.neighbours", "nearest_neighbours")
    assert is_public("genframe.interfaces", "Dataset")
    assert not is_public("genframe.pictures", "_font")
    assert not is_public("genframe.registry", "load_registry")
    assert not is_public("genframe.randomness", "_mixed")


def test_a_plugin_for_a_later_version_is_refused_in_the_words_of_the_page(cli: Any, make_distribution: Any) -> None:
    source = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="tomorrow", summary="Of version 2", factory="nowhere:Tomorrow", api=2)
    yield NoiseSpec(name="today", summary="Of version 1", factory="nowhere:Today", api=1)
"""
    make_distribution("genframe-tomorrow", {"tomorrow": source})
    result = cli("run", "--plugin", "cdcgan", "--noise", "tomorrow")
    assert (API_VERSION, result.code) == (1, 4)
    assert result.err in (PAGES / "stability.md").read_text(encoding="utf-8").replace("0.1.0", genframe.__version__)
    assert cli("plugins", "show", "noise/today").code == 0


def test_each_kind_is_in_the_index() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings(TUTORIAL)}
    for kind in KINDS:
        (target,) = re.findall(rf"^\| `{kind}` \|.*\(tutorial\.md#(.*?)\) \|$", index, re.MULTILINE)
        assert target in anchors
    links = re.findall(r"\]\(#(.*?)\)", TUTORIAL.read_text(encoding="utf-8"))
    assert len(links) == len(KINDS)
    assert set(links) <= anchors


def headings(page: Path) -> list[str]:
    return re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_hooks_are_marked_and_say_what_they_are_for() -> None:
    hooks = [each for each in vars(hookspecs).values() if hasattr(each, "genframe_spec")]
    assert len(hooks) == len(KINDS)
    assert all("```python" in (inspect.getdoc(each) or "") for each in hooks)
