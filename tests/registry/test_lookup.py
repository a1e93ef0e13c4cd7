"""Names: how they are found, what happens when two plugins offer one, and the roads by which specs come in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genframe.errors import ConfigError, PluginError
from genframe.registry import load_registry, register
from genframe.specs import KINDS, SPEC_CLASSES, NoiseSpec, PartSpec

NOISE = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="{name}", summary="{summary}", factory="nowhere:Noise")
"""


def noise(name: str, summary: str = "Of a test") -> str:
    return NOISE.format(name=name, summary=summary)


def spec(name: str, summary: str = "Of a notebook") -> NoiseSpec:
    return NoiseSpec(name=name, summary=summary, factory="nowhere:Noise")


def test_every_first_party_plugin_loads_and_offers_something():
    registry = load_registry()
    assert not registry.broken
    assert {each.plugin for each in registry.all()} == set(registry.plugins)
    assert {plugin.distribution for plugin in registry.plugins} == {"genframe"}


def test_specs_are_listed_by_kind_then_by_name():
    listed = [(KINDS.index(each.spec.kind), each.spec.name) for each in load_registry().all()]
    assert listed == sorted(listed)
    assert {each.spec.kind for each in load_registry().all("noise")} == {"noise"}


def test_every_kind_has_a_hook_of_its_own():
    assert len({spec_class.hook for spec_class in SPEC_CLASSES}) == len(KINDS) == len(set(KINDS))


def test_a_name_is_found_alone_and_with_its_distribution():
    registry = load_registry()
    assert registry.find("noise", "uniform") == registry.find("noise", "genframe/uniform")
    assert isinstance(registry.find_spec("noise", "uniform"), PartSpec)


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("noise", "unifrom", "no noise is called 'unifrom'; known are .*'uniform'. Did you mean 'uniform'?"),
        ("recipe", "cdcgna", "Did you mean 'cdcgan'"),
        ("noise", "elsewhere/uniform", "no noise is called 'elsewhere/uniform'"),
        ("noise", "dcgan", "no noise is called 'dcgan'"),
        ("nois", "uniform", "'nois' is not a kind of part.*Did you mean 'noise'?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(kind, name, words):
    with pytest.raises(PluginError, match=words):
        load_registry().find(kind, name)


def test_a_name_offered_twice_is_an_error_only_when_used(make_distribution):
    make_distribution("genframe-clash", {"clash": noise("uniform")}, version="5.1")
    registry = load_registry()
    assert not registry.broken
    assert registry.find("noise", "gaussian").plugin.distribution == "genframe"
    with pytest.raises(PluginError) as caught:
        registry.find("noise", "uniform")
    for word in ("(genframe 0.", "(genframe-clash 5.1)", "'genframe/uniform'", "'genframe-clash/uniform'"):
        assert word in str(caught.value)


@pytest.mark.parametrize("distribution", ["genframe", "genframe-clash", "genframe_clash"])
def test_distribution_slash_name_picks_one_of_two(make_distribution, distribution):
    make_distribution("genframe-clash", {"clash": noise("uniform")})
    found = load_registry().find("noise", f"{distribution}/uniform")
    assert found.plugin.is_from(distribution)


def test_two_distributions_may_have_plugins_of_one_name(make_distribution):
    make_distribution("genframe-one", {"same": noise("first")})
    make_distribution("genframe-two", {"same": noise("second")})
    registry = load_registry()
    assert registry.find("noise", "first").plugin.distribution == "genframe-one"
    assert registry.find("noise", "second").plugin.distribution == "genframe-two"


def test_one_distribution_that_offers_a_name_twice_can_be_told_to_stop(make_distribution, monkeypatch):
    make_distribution("genframe-twice", {"one": noise("twin"), "two": noise("twin")})
    with pytest.raises(PluginError, match="GENFRAME_DISABLED_PLUGINS"):
        load_registry().find("noise", "twin")
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", "one")
    assert load_registry().find("noise", "twin").plugin.name == "two"


def test_one_module_may_serve_two_entry_points(make_distribution):
    site = make_distribution("genframe-alias", {"alias": noise("aliased")})
    entries = site / "genframe_alias-1.0.dist-info" / "entry_points.txt"
    entries.write_text(entries.read_text() + "second = genframe_alias_alias\n")
    registry = load_registry()
    assert not registry.broken
    assert [each.plugin.name for each in registry.all("noise") if each.spec.name == "aliased"] == ["alias", "second"]


def test_a_switched_off_plugin_is_named_when_something_is_missing(monkeypatch):
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", "noise")
    with pytest.raises(PluginError, match=r"GENFRAME_DISABLED_PLUGINS switches off 'noise' \(genframe"):
        load_registry().find("noise", "uniform")


def test_what_a_notebook_registers_is_found_and_says_where_it_is_from():
    register(spec("lab"))
    found = load_registry().find("noise", "lab")
    assert found.plugin.origin == "registered in this process"


def test_running_a_cell_again_replaces_what_it_registered():
    register(spec("lab", "First try"))
    register(spec("lab", "Second try"))
    assert load_registry().find("noise", "lab").spec.summary == "Second try"


def test_a_notebook_does_not_replace_an_installed_name_in_silence():
    register(spec("uniform"))
    with pytest.raises(PluginError, match=r"registered in this process.*this-process/uniform"):
        load_registry().find("noise", "uniform")
    assert load_registry().find("noise", "this-process/uniform").spec.summary == "Of a notebook"


def test_a_file_of_a_plugins_folder_is_a_plugin(tmp_path):
    (tmp_path / "misty.py").write_text(noise("mist"))
    plugin = load_registry([tmp_path]).find("noise", "mist").plugin
    assert (plugin.name, plugin.distribution, plugin.origin) == ("misty", "plugins-dir", str(tmp_path / "misty.py"))


def test_files_of_a_plugins_folder_may_import_each_other_and_helpers_begin_with_an_underscore(tmp_path):
    (tmp_path / "_shared_words.py").write_text("SUMMARY = 'Shared'")
    (tmp_path / "misty.py").write_text(
        f"from _shared_words import SUMMARY\n{noise('mist')}".replace('"Of a test"', "SUMMARY")
    )
    registry = load_registry([tmp_path])
    assert not registry.broken
    assert registry.find("noise", "mist").spec.summary == "Shared"


def test_plugins_folders_come_from_the_environment_too_and_each_counts_once(tmp_path, monkeypatch):
    (tmp_path / "misty.py").write_text(noise("mist"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "dewy.py").write_text(noise("dew"))
    monkeypatch.setenv("GENFRAME_PLUGINS_DIR", f"{tmp_path}{os.pathsep}{tmp_path / 'more'}")
    monkeypatch.chdir(tmp_path)
    registry = load_registry([tmp_path, tmp_path / "more" / "..", Path()])
    assert not registry.broken
    assert registry.find("noise", "mist").plugin.name == "misty"
    assert registry.find("noise", "dew").plugin.name == "dewy"


def test_a_broken_file_takes_nothing_else_down(tmp_path):
    (tmp_path / "misty.py").write_text(noise("mist"))
    (tmp_path / "wreck.py").write_text("1 / 0")
    registry = load_registry([tmp_path])
    assert registry.find("noise", "mist")
    with pytest.raises(PluginError, match=r"plugin 'wreck' \(.*wreck.py\) is broken: ZeroDivisionError"):
        registry.find("noise", "wreck")


@pytest.mark.parametrize("module", ["json", "tabnanny"], ids=["imported already", "not imported yet"])
def test_a_file_named_like_another_module_says_so_and_hides_nothing(tmp_path, module):
    (tmp_path / f"{module}.py").write_text(noise("mist"))
    (record,) = load_registry([tmp_path]).broken
    assert f"another module is called '{module}'" in record.reason


def test_a_plugins_folder_that_does_not_exist_is_a_usage_error(tmp_path):
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        load_registry([tmp_path / "nowhere"])
