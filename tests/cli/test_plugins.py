"""``genframe plugins``: what is installed, and what one part takes."""

from __future__ import annotations

import json

import pytest

from genframe.registry import load_registry

CLASH = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="uniform", summary="Another one", factory="nowhere:Noise")
"""

LIST = "from genframe.cli.main import main\nimport sys\ntry: main({words})\nexcept SystemExit: pass\n"


@pytest.mark.parametrize("words", [["plugins", "list"], ["plugins", "list", "--json"]])
def test_listing_names_imports_neither_a_plugin_nor_pluggy(genframe_process, words):
    script = LIST.format(words=words) + "print(*sys.modules, file=sys.stderr)"
    result = genframe_process("-c", script)
    assert "genframe_noise" in result.stdout
    modules = set(result.stderr.split())
    assert not {"pluggy", "torch", "numpy", "pydantic"} & modules
    assert not {module for module in modules if module.startswith("genframe_")}


@pytest.mark.parametrize("words", [["list", "--specs"], ["list", "--specs", "--json"], ["show", "cdcgan"]])
def test_listing_and_showing_specs_imports_no_torch(genframe_process, words):
    script = LIST.format(words=["plugins", *words]) + "print(*sys.modules, file=sys.stderr)"
    result = genframe_process("-c", script)
    assert "cdcgan" in result.stdout
    assert not {"torch", "numpy", "pydantic", "sklearn", "PIL"} & set(result.stderr.split())


def test_a_broken_plugin_does_not_disturb_the_list_of_names(cli, make_distribution):
    make_distribution("genframe-bad", {"bad": "1 / 0"}, version="2.7")
    result = cli("plugins", "list")
    assert result.code == 0
    assert ["bad", "genframe-bad", "2.7", "genframe_bad_bad"] in [line.split() for line in result.out.splitlines()]


def test_the_list_marks_what_is_switched_off(cli, monkeypatch):
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", "noise")
    lines = cli("plugins", "list").out.splitlines()
    assert [line.split()[0] for line in lines if "GENFRAME_DISABLED_PLUGINS" in line] == ["noise"]
    rows = json.loads(cli("plugins", "list", "--json").out)["plugins"]
    assert [row["plugin"] for row in rows if row["disabled"]] == ["noise"]


def test_columns_are_aligned(cli):
    header, *rows = cli("plugins", "list").out.splitlines()
    start = header.index("MODULE")
    assert all(row[start - 2 : start] == "  " and row[start] != " " for row in rows)


def test_specs_are_listed_by_kind_with_summary_and_origin(cli):
    sections = dict(each.split("\n", 1) for each in cli("plugins", "list", "--specs").out.rstrip().split("\n\n"))
    for found in load_registry().all():
        lines = sections[found.spec.kind].splitlines()
        (line,) = [each for each in lines if each.split()[0] == found.spec.name]
        assert found.spec.summary in line
        assert line.endswith(f"{found.plugin.name} (genframe {found.plugin.version})")


def test_broken_plugins_come_last_with_their_reason(cli, make_distribution):
    make_distribution("genframe-bad", {"bad": "1 / 0"}, version="2.7")
    result = cli("plugins", "list", "--specs")
    assert result.code == 0
    assert result.out.splitlines()[-1] == "  'bad' (genframe-bad 2.7): ZeroDivisionError: division by zero"


def test_json_of_the_specs_is_whole_even_where_a_plugin_prints(cli, make_distribution):
    make_distribution("genframe-chatty", {"chatty": "print('hello')\n1 / 0"})
    listed = json.loads(cli("plugins", "list", "--specs", "--json").out)
    assert [(each["kind"], each["name"]) for each in listed["specs"]] == [
        (each.spec.kind, each.spec.name) for each in load_registry().all()
    ]
    (broken,) = listed["broken"]
    assert (broken["plugin"], broken["reason"]) == ("chatty", "ZeroDivisionError: division by zero")


def test_names_that_clash_are_listed_in_the_way_that_picks_them(cli, make_distribution):
    make_distribution("genframe-clash", {"clash": CLASH})
    names = [line.split()[0] for line in cli("plugins", "list", "--specs").out.splitlines() if line]
    assert {"genframe/uniform", "genframe-clash/uniform", "gaussian"} <= set(names)
    for name in ("genframe/uniform", "genframe-clash/uniform"):
        assert cli("plugins", "show", f"noise/{name}").code == 0


@pytest.mark.parametrize("name", ["uniform", "noise/uniform", "genframe/uniform", "noise/genframe/uniform"])
def test_a_part_is_shown_by_each_of_its_names(cli, name):
    (shown,) = json.loads(cli("plugins", "show", name, "--json").out)
    assert (shown["kind"], shown["name"], shown["distribution"]) == ("noise", "uniform", "genframe")


def test_a_name_of_two_kinds_shows_both(cli):
    kinds = [each["kind"] for each in json.loads(cli("plugins", "show", "dcgan", "--json").out)]
    assert kinds == ["recipe", "architecture"]


def test_a_plugins_name_shows_all_that_it_offers(cli):
    shown = json.loads(cli("plugins", "show", "visualizers", "--json").out)
    offered = [each for each in load_registry().all("visualizer") if each.plugin.name == "visualizers"]
    assert [each["name"] for each in shown] == [each.spec.name for each in offered]


def test_a_part_shows_its_settings_with_type_default_and_meaning(cli, use_external):
    use_external("genframe-fog")
    lines = cli("plugins", "show", "noise/fog").out.splitlines()
    assert lines[0] == "noise fog"
    assert "    density: float = 0.25  of the fog, in [0, 1]; a thicker one brings z nearer to its mean." in lines
    (shown,) = json.loads(cli("plugins", "show", "noise/fog", "--json").out)
    assert shown["factory"] == "genframe_fog.parts:Fog"
    assert shown["settings"][0] == {"name": "dim", "type": "int", "default": 16, "meaning": "how many numbers z has."}


def test_a_recipe_shows_its_parts_and_what_differs_from_their_defaults(cli, use_external):
    use_external("genframe-fog")
    rows = [line.split(maxsplit=1) for line in cli("plugins", "show", "foggy-dcgan").out.splitlines()]
    assert ["architecture", "dcgan (width = 8)"] in rows
    assert ["slots.noise", "fog (density = 0.5)"] in rows
    assert ["slots.regularizers", "fog-drift"] in rows
    assert ["training.steps", "4"] in rows
    (shown,) = json.loads(cli("plugins", "show", "foggy-dcgan", "--json").out)
    assert shown["details"]["slots"]["terms"] == [{"name": "fog-haze", "weight": 0.1}]


def test_every_installed_spec_can_be_shown_as_text_and_as_json(cli):
    for found in load_registry().all():
        name = f"{found.spec.kind}/{found.spec.name}"
        text, as_json = cli("plugins", "show", name), cli("plugins", "show", name, "--json")
        assert text.out.startswith(f"{found.spec.kind} {found.spec.name}\n  {found.spec.summary}\n")
        assert json.loads(as_json.out)[0]["summary"] == found.spec.summary


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unifrom", "Did you mean 'uniform'"),
        ("noise/unifrom", "no noise is called 'unifrom'"),
        ("nosie/uniform", "Did you mean 'uniform'"),
        ("elsewhere/uniform", "no spec or plugin is called 'elsewhere/uniform'"),
        ("bad", "plugin 'bad' (genframe-bad 2.7) is broken: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_shown_is_exit_4_and_one_line(cli, make_distribution, name, expected):
    make_distribution("genframe-bad", {"bad": "1 / 0"}, version="2.7")
    result = cli("plugins", "show", name)
    assert (result.code, result.out) == (4, "")
    assert expected in result.err
    assert result.err.count("\n") == 1


def test_a_plugins_folder_joins_both_lists(cli, tmp_path):
    (tmp_path / "misty.py").write_text(CLASH.replace("uniform", "mist"))
    assert str(tmp_path / "misty.py") in cli("plugins", "list", "--plugins-dir", tmp_path).out
    assert "mist  " in cli("plugins", "list", "--specs", "--plugins-dir", tmp_path).out


def test_a_plugins_folder_that_does_not_exist_is_exit_2(cli, tmp_path):
    result = cli("plugins", "list", "--plugins-dir", tmp_path / "nowhere")
    assert result.code == 2
    assert "nowhere does not exist" in result.err
