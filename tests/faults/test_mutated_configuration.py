"""Mutated flags, assignments and files of settings: each case runs, or ends in one sentence and the right exit code."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable

import pytest
import tomli_w

import genframe
from genframe.cli.run import run as run_command
from genframe.config import leaves, resolve
from genframe.registry import load_registry

RECIPES = ("cdcgan", "dcgan")

#: Seconds that no case takes; the first one imports torch.
PATIENCE = 20.0

#: Usage or configuration, data, plugin, checkpoint, storage.
CODES = (2, 3, 4, 5, 7)

FLAGS = [
    (parameter.opts[0], parameter.is_flag)
    for parameter in run_command.params
    if parameter.name not in ("dry_run", "assignments", "config_file", "help")
]

#: Words where a flag or a setting wants another; the first ones are what somebody would type.
PLAUSIBLE = ("3", "0", "-1", "0.5", "32", "8x8", "1e-3", "30s", "true", "auto", "cpu", "uniform", "gaussian", "digits")
WORDS = (
    *PLAUSIBLE * 3,
    *("", " ", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "1e400", "1_000", "0x10", "2147483648"),
    *(
        str(2**63 - 1),
        str(2**63),
        str(-(2**63)),
        str(2**64),
        "9" * 400,
        "9" * 5000,
        "0x" + "f" * 5000,
        "-" + "9" * 5000,
    ),
    *("9" * 5000 + "s", "9" * 400 + "s", "9" * 11 + "TB", "99999999999x1", "4096x4096", "3x", "²", "٣", "³s"),
    *("ü", "日本語", "\udcff", "a\nb", "\x1b[31m", "a" * 100_000, ".", "~", "~nobody", "/nowhere/x.npz"),
    *("a/b", "cuda:99", "cuda:-1", "cuda:" + "9" * 5000, "meta", "mps", "[]", "{}", "''", '"', "None", "null", "%s"),
    *("['a']", "[1, 2]", "{a = 1}", "[" * 2000, "[" * 100 + "]" * 100, "1979-05-27", "--", "-"),
)

#: The same as TOML writes them, and some that only TOML can say.
VALUES = (
    *(
        1,
        0,
        -1,
        3,
        0.5,
        1e-3,
        True,
        False,
        "",
        "auto",
        "none",
        "uniform",
        "digits",
        "ü",
        "\x00",
        "a\x00b",
        "a" * 100_000,
    ),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        1e308,
        -1e308,
        5e-324,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
        10**400,
    ),
    *([], {}, [[]], [{}], {"name": 3}, {"name": ""}, {"name": "digits", "x": 1}, [1, "a"], ["nn1", "nn1"], [["nn1"]]),
    *({"a": {"b": {"c": 1}}}, "a\nb", "\u2028", "~nobody/x", "/nowhere", [{"name": "nn1", "name2": 1}]),
)


@pytest.fixture
def judged(cli, in_time, limited_memory, tmp_path, monkeypatch):
    """Runs a case and returns its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(*words):
        shown = [str(word)[:200] for word in words]
        in_time(PATIENCE)
        result = cli(*words)
        in_time(0)
        assert result.code in (0, *CODES), (result.code, shown, result.err[-2000:])
        assert "Traceback" not in result.err, (shown, result.err[-2000:])
        assert "Warning" not in result.err, (shown, result.err[-2000:])
        if result.code:
            *notes, sentence = result.err.splitlines()
            assert sentence.startswith("genframe: "), (shown, result.err[-2000:])
            assert len(sentence) < 3000, shown
            assert not any(note.startswith("genframe: ") for note in notes), (shown, result.err[-2000:])
        return result.code

    run("run", "--plugin", RECIPES[0], "--dry-run")  # what is imported once counts for no case
    return run


def spelt(word: str, chance: random.Random) -> str:
    """The word, sometimes misspelt."""
    if chance.random() < 0.8 or len(word) < 4:
        return word
    place = chance.randrange(2, len(word))
    return chance.choice([word[:place] + word[place + 1 :], word[:place] + "x" + word[place:], word.upper()])


def keys_of(tree: dict, path: str = "") -> list[str]:
    """Every key path of a tree."""
    found = []
    for key, value in tree.items():
        found.append(f"{path}{key}")
        if isinstance(value, dict):
            found += keys_of(value, f"{path}{key}.")
    return found


@pytest.fixture(scope="module")
def trees():
    """The whole configuration of each recipe, as its run writes it."""
    registry = load_registry()
    return [resolve(registry.find("recipe", name).spec, [], registry.find_spec).tree() for name in RECIPES]


def check_progress(figure: Callable[[str], None], codes: Counter[int]) -> None:
    """Some cases were refused, and some were not."""
    figure(f"by exit code {dict(sorted(codes.items()))}")
    assert sum(codes[code] for code in CODES) > 0.3 * codes.total(), codes
    assert codes[0] > 0.02 * codes.total(), codes


def test_mutated_flags_run_or_end_in_a_sentence(judged, figure, count):
    chance, codes = random.Random(1), Counter()
    for _ in range(count(100, 1000)):
        words = []
        for flag, alone in chance.sample(FLAGS, chance.choice([1, 1, 1, 2, 3])):
            words += [spelt(flag, chance)] + ([] if alone else [chance.choice(WORDS)])
        codes[judged("run", "--plugin", chance.choice(RECIPES), "--dry-run", *words)] += 1
    check_progress(figure, codes)


def mutated(tree: dict, chance: random.Random) -> dict:
    """The tree with one key misspelt, dropped, moved, or given another value."""
    path = chance.choice(keys_of(tree)).split(".")
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    way = chance.choice(["value", "value", "value", "value", "key", "drop", "move", "copy"])
    if way == "value":
        inner[path[-1]] = chance.choice(VALUES)
    elif way == "key":
        inner[spelt(path[-1] + "x", chance)] = inner.pop(path[-1])
    elif way == "drop":
        del inner[path[-1]]
    elif way == "move":
        tree[path[-1]] = inner.pop(path[-1])
    else:
        inner[chance.choice(keys_of(tree)).rpartition(".")[2]] = inner[path[-1]]
    return tree


def mutated_text(text: bytes, chance: random.Random) -> bytes:
    """The bytes with a piece flipped, cut, doubled or put in, of which much is no TOML any more."""
    content, place = bytearray(text), chance.randrange(len(text))
    way = chance.choice(["flip", "flip", "end", "double", "put", "last", "lines"])
    if way == "flip":
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif way == "end":
        del content[place:]
    elif way == "double":
        content[place:place] = content[place : place + chance.randrange(1, 400)]
    elif way == "put":
        content[place:place] = chance.choice(PIECES)
    elif way == "last":
        content += chance.choice(PIECES)
    else:
        lines = content.splitlines(keepends=True)
        chance.shuffle(lines)
        content = bytearray(b"".join(lines))
    return bytes(content)


#: What is put into a file of settings.
PIECES = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n" * 10_000, b"#" * 100_000, b'"""', b"\n[", b"\nx = " + b"9" * 5000),
    *(
        b"\nx = " + b"[" * 3000,
        b"\nx = " + b"[" * 200 + b"]" * 200,
        b"\n[" + b"a." * 2000 + b"a]\n",
        b"\nx = {a = 1, a = 2}",
    ),
    *(b"\n[data." + b"a." * 2000 + b"a]\n", b"\n[[metrics]]\n", b"\n[training]\n", b"\nseed = 1\nseed = 2\n", b"\r"),
    b"\ndata." + b"a." * 300 + b"a = 1\n",
)


def test_mutated_assignments_run_or_end_in_a_sentence(judged, figure, trees, count):
    chance, codes = random.Random(2), Counter()
    odd = (
        "",
        ".",
        "=",
        "training..steps",
        "a" + ".a" * 5000,
        "data" + ".a" * 300,
        "x\x00",
        "ü",
        "metrics.0",
        "metrics.9",
    )
    for _ in range(count(100, 1000)):
        settings = leaves(chance.choice(trees))
        known = chance.choice(list(settings))
        key = chance.choice(odd) if chance.random() < 0.1 else spelt(known, chance)
        value = chance.choice([chance.choice(WORDS), toml(chance.choice(VALUES)), toml(settings[known])])
        setting = chance.choice([f"{key}={value}"] * 9 + [key])
        codes[judged("run", "--plugin", chance.choice(RECIPES), "--dry-run", "--set", setting)] += 1
    check_progress(figure, codes)


def toml(value: object) -> str:
    """The value on one line, as TOML writes it."""
    return str(tomli_w.dumps({"x": [value]})).partition("[")[2].rpartition("]")[0].strip().rstrip(",")


def test_mutated_files_of_settings_run_or_end_in_a_sentence(judged, figure, trees, count, tmp_path):
    chance, codes = random.Random(3), Counter()
    path = tmp_path / "config.toml"
    for _ in range(count(100, 1000)):
        tree = copy.deepcopy(chance.choice(trees))
        if chance.random() < 0.5:
            path.write_bytes(mutated_text(tomli_w.dumps(tree).encode(), chance))
        else:
            path.write_bytes(tomli_w.dumps(mutated(tree, chance)).encode())
        codes[judged("run", "--config", path, "--dry-run")] += 1
    check_progress(figure, codes)


@pytest.mark.parametrize("what", ["a folder", "nothing", "a picture", "an empty file", "UTF-16"])
def test_what_is_no_file_of_settings_is_refused_by_name(judged, cli, what, tmp_path):
    path = tmp_path / "config.toml"
    if what == "a folder":
        path.mkdir()
    elif what != "nothing":
        content = {
            "a picture": bytes(range(256)) * 9,
            "an empty file": b"",
            "UTF-16": 'recipe = "cdcgan"'.encode("utf-16"),
        }
        path.write_bytes(content[what])
    assert judged("run", "--config", path, "--dry-run") == 2
    assert what == "an empty file" or str(path) in cli("run", "--config", path, "--dry-run").err


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    """A run directory with a checkpoint."""
    target = tmp_path_factory.mktemp("run") / "tiny"
    genframe.train("cdcgan", steps=1, output_dir=target, device="cpu")
    return target


#: Commands, the words that they need, and their flags.
COMMANDS = {
    "sample": (["RUN"], ["-n", "--first", "--class", "--seed", "--device", "--output", "--plugins-dir"]),
    "evaluate": (["RUN"], ["--metric", "-n", "--set", "--seed", "--plugins-dir"]),
    "visualize": (["RUN", "class-grid"], ["--set", "--network", "--layer", "--seed", "--output", "--plugins-dir"]),
    "plugins show": (["cdcgan"], ["--plugins-dir"]),
    "data info": (["digits"], ["--data-dir", "--image-size", "--set", "--output", "--plugins-dir"]),
    "kernels explain": (["cdcgan"], ["--set", "--data", "--batch-size", "--device", "--precision", "--backend"]),
}


#: So many samples may be asked for; drawing them only takes too long for a test.
@pytest.mark.parametrize("command", COMMANDS)
def test_other_commands_with_mutated_words_work_or_end_in_a_sentence(command, judged, figure, a_run, count):
    needed, flags = COMMANDS[command]
    chance, codes = random.Random(command), Counter()
    for _ in range(count(15, 150)):
        words = [str(a_run) if word == "RUN" else word for word in needed]
        if chance.random() < 0.4:
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        else:
            value = chance.choice(WORDS)
            flag = chance.choice(flags)
            words += [
                spelt(flag, chance),
                f"{chance.choice(['count', 'columns', 'dim', 'x'])}={value}" if flag == "--set" else value,
            ]
        codes[judged(*command.split(), *words)] += 1
    figure(f"by exit code {dict(sorted(codes.items()))}")
    assert sum(codes[code] for code in CODES) > 0.3 * codes.total(), codes
