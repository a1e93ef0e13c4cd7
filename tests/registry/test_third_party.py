"""A distribution of strangers, built and installed by pip, is as good as genframe's own plugins."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def fog(use_external):
    return use_external("genframe-fog")


def test_an_installed_distribution_is_listed_with_its_version_and_module(cli, fog):
    rows = json.loads(cli("plugins", "list", "--json").out)["plugins"]
    assert {
        "plugin": "fog",
        "distribution": "genframe-fog",
        "version": "0.3.0",
        "module": "genframe_fog",
        "disabled": False,
    } in rows


def test_its_recipe_runs_with_its_own_parts_and_genframes_together(cli, fog, tmp_path):
    result = cli("run", "--plugin", "foggy-dcgan", "--device", "cpu", "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader((tmp_path / "run" / "fog.csv").read_text().splitlines()))
    told = [{key: value for key, value in row.items() if key != "digest"} for row in log]
    assert [{key: float(value) for key, value in row.items()} for row in rows] == told
    assert json.loads((tmp_path / "run" / "run.json").read_text())["plugins"].keys() == {"genframe", "genframe-fog"}


def test_its_parts_are_shown_without_importing_their_code(genframe_process, fog):
    names = ["noise/fog", "regularizer/fog-drift", "augmentation/fog-veil", "term/fog-haze", "observer/fog-csv"]
    script = (
        "import contextlib, sys\n"
        "from genframe.cli.main import main\n"
        f"for name in {names}:\n"
        "    with contextlib.suppress(SystemExit): main(['plugins', 'show', name])\n"
        "assert 'genframe_fog' in sys.modules and 'genframe_fog.parts' not in sys.modules\n"
    )
    result = genframe_process("-c", script)
    assert result.returncode == 0, result.stderr
    assert {name.replace("/", " ") for name in names} <= set(result.stdout.splitlines())


def test_without_its_folder_on_the_path_it_is_gone(cli):
    result = cli("plugins", "show", "foggy-dcgan")
    assert result.code == 4
    assert "foggy-dcgan" in result.err
