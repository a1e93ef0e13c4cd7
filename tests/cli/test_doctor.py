"""``genframe doctor``: what a run would find here, and every plugin: OK or the reason."""

from __future__ import annotations

import importlib.metadata
import platform

import pytest
import torch

from genframe.registry import load_registry

TOO_NEW = """
import genframe
from genframe.specs import NoiseSpec

@genframe.hookimpl
def genframe_noise_samplers():
    yield NoiseSpec(name="tomorrow", summary="From the future", factory="nowhere:Noise", api=2)
"""


def rows(out: str) -> dict[str, dict[str, str]]:
    """Section -> name -> value."""
    sections = (section.splitlines() for section in out.strip().split("\n\n"))
    return {title: dict(row.split(maxsplit=1) for row in table) for title, *table in sections}


def test_where_all_is_well_it_says_so_and_exits_with_0(cli):
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == "everything is fine"


def test_it_names_the_versions_that_a_bug_report_needs(cli):
    report = rows(cli("doctor").out)
    assert report["system"]["python"].startswith(platform.python_version())
    assert report["libraries"]["pluggy"] == importlib.metadata.version("pluggy")
    assert "pytest" not in report["libraries"]
    assert report["torch"]["torch"].startswith(torch.__version__)
    assert report["torch"]["cpu"].startswith(f"{torch.get_num_threads()} threads")


def test_it_lists_every_gpu_or_says_why_there_is_none(cli):
    report = rows(cli("doctor").out)["torch"]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            assert torch.cuda.get_device_name(number) in report[f"cuda:{number}"]
    else:
        assert len(report["cuda"]) > len("not available: ")
        assert report["triton"].endswith(("no GPU to run on", "without it"))


def test_every_plugin_is_ok_or_has_its_reason_and_then_it_exits_with_4(cli, make_distribution):
    make_distribution("genframe-bad", {"bad": "1 / 0"}, version="2.7")
    result = cli("doctor")
    plugins = rows(result.out)["plugins"]
    assert plugins.pop("bad") == "genframe-bad 2.7: ZeroDivisionError: division by zero"
    assert plugins.keys() == {plugin.name for plugin in load_registry().plugins} - {"bad"}
    assert all(value.endswith(": OK") for value in plugins.values())
    assert result.code == 4
    assert result.err.startswith("genframe: 'bad' is broken")
    assert "GENFRAME_DISABLED_PLUGINS=bad" in result.err
    assert "torch" in rows(result.out)


def test_a_spec_for_a_newer_genframe_counts_as_broken(cli, make_distribution):
    make_distribution("genframe-future", {"future": TOO_NEW})
    result = cli("doctor")
    assert result.code == 4
    assert "version 2 of the contracts" in rows(result.out)["plugins"]["future"]


def test_a_switched_off_plugin_is_named_and_not_broken(cli, make_distribution, monkeypatch):
    make_distribution("genframe-bad", {"bad": "1 / 0"})
    monkeypatch.setenv("GENFRAME_DISABLED_PLUGINS", "bad")
    result = cli("doctor")
    assert result.code == 0
    assert "switched off" in rows(result.out)["plugins"]["bad"]


def test_a_plugins_folder_is_examined_too(cli, tmp_path):
    (tmp_path / "wreck.py").write_text("1 / 0")
    result = cli("doctor", "--plugins-dir", tmp_path)
    assert result.code == 4
    assert rows(result.out)["plugins"]["wreck"].endswith("ZeroDivisionError: division by zero")


def test_a_gpu_build_of_torch_that_sees_no_gpu_says_what_hides_it(genframe_process):
    if not torch.backends.cuda.is_built():
        pytest.skip("this build of torch has no CUDA")
    result = genframe_process("-m", "genframe", "doctor", CUDA_VISIBLE_DEVICES="")
    assert "CUDA_VISIBLE_DEVICES=''" in rows(result.stdout)["torch"]["cuda"]
