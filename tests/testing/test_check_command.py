"""``genframe plugins check``."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
import genframe
from genframe.specs import NoiseSpec

class Noise:
    shape = (4,)

    def __init__(self, settings):
        pass

    def draw(self, indices, key):
        from genframe.randomness import uniform
        return uniform(indices, self.shape, {key})

    def project(self, noise):
        return noise.clamp(0, 1)

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="law", summary="A law", factory=Noise)
"""


def test_a_part_is_checked_line_by_line_and_counted(cli):
    result = cli("plugins", "check", "noise/uniform")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "noise/uniform"
    assert lines[1].split() == ["passed", "registration", *lines[1].split()[2:]]
    assert any(line.split()[:2] == ["skipped", "truncation"] or "truncation" in line for line in lines)
    assert any(line.split()[:2] == ["passed", "throughput"] and line.endswith("samples a second") for line in lines)
    passed, failed, skipped = (int(part.split()[0]) for part in lines[-1].split(", "))
    assert (passed + failed + skipped, failed) == (len(lines) - 3, 0)


def test_a_part_that_fails_is_exit_1_and_names_the_plugin(cli, make_distribution):
    make_distribution("genframe-laws", {"laws": PLUGIN.format(key="0 * key")}, version="2.7")
    result = cli("plugins", "check", "noise/law")
    assert result.code == 1
    assert "failed   seeds" in result.out
    assert result.err == (
        "genframe: plugin 'laws' (genframe-laws 2.7) does not keep its promises: noise/law fails 'seeds'\n"
    )


def test_json_says_the_same(cli, tmp_path):
    (tmp_path / "laws.py").write_text(PLUGIN.format(key="0 * key"))
    result = cli("plugins", "check", "laws", "--plugins-dir", tmp_path, "--json")
    assert result.code == 1
    content = json.loads(result.out)
    assert content["counts"]["failed"] == 1
    assert {row["part"] for row in content["checks"]} == {"noise/law"}
    (failed,) = [row for row in content["checks"] if row["outcome"] == "failed"]
    assert (failed["name"], failed["reason"]) == ("seeds", "another key gives the same numbers")


def test_settings_are_given_as_to_a_run(cli):
    result = cli("plugins", "check", "noise/uniform", "--set", "dim=3", "--set", "low=0")
    assert "z has the shape (3,)" in result.out


def test_a_dataset_without_its_file_is_skipped_and_not_passed(cli):
    result = cli("plugins", "check", "dataset/npz")
    assert result.code == 0
    assert "skipped  fields" in result.out
    assert "give its path" in result.out
    assert "as above" in result.out


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["noise/fig"], 4, "no noise is called 'fig'"),
        (["noise", "--set", "dim=3"], 2, "settings are for one part"),
        (["noise/uniform", "--set", "dim"], 2, "--set takes key.path=value"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_checked_is_one_line(cli, words, code, expected):
    result = cli("plugins", "check", *words)
    assert result.code == code
    assert expected in result.err
    assert result.err.count("\n") == 1
