"""A chart is written whole, explains where it comes from, and has the same bytes whatever the user's settings are."""

import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from genframe.charts import DPI, Chart, styled
from genframe.errors import ConfigError

INFO = {"seed": "3", "genframe": "1.0"}


def chart() -> Chart:
    with styled():
        figure = Figure(figsize=(3.0, 2.0))
        figure.subplots().plot([0, 1, 2], [3, 1, 2], label="a loss")
        figure.axes[0].legend()
    return Chart(figure)


def saved(path, made=None) -> bytes:
    (made or chart()).save(path, INFO)
    return path.read_bytes()


def test_a_png_has_the_size_of_the_figure_and_the_info_as_text(tmp_path):
    saved(tmp_path / "chart.png")
    with Image.open(tmp_path / "chart.png") as image:
        assert image.format == "PNG"
        assert image.size == (3 * DPI, 2 * DPI)
        assert {key: image.text[key] for key in INFO} == INFO
        assert "Software" not in image.text


def test_an_svg_says_the_info_and_no_date(tmp_path):
    content = saved(tmp_path / "chart.SVG").decode()
    assert "<svg" in content
    assert "genframe: 1.0, seed: 3" in content
    assert "<dc:date>" not in content


@pytest.mark.parametrize("name", ["chart.png", "chart.svg"])
def test_the_same_figures_give_the_same_bytes(tmp_path, name):
    assert saved(tmp_path / name) == saved(tmp_path / f"again-{name}")


@pytest.mark.parametrize("name", ["chart.png", "chart.svg"])
def test_the_users_own_settings_change_nothing(tmp_path, name):
    plain = saved(tmp_path / name)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.hashsalt": "mine", "savefig.dpi": 10}):
        assert saved(tmp_path / f"mine-{name}") == plain


def test_a_chart_leaves_the_users_settings_as_they_were(tmp_path):
    with matplotlib.rc_context({"font.size": 30}):
        saved(tmp_path / "chart.png")
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("name", ["chart.jpg", "chart"])
def test_another_ending_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"ends in one of '\.png', '\.svg'; got '{name}'"):
        chart().save(tmp_path / name, INFO)
    assert list(tmp_path.iterdir()) == []


def test_pyplot_is_not_imported():
    code = "import sys, genframe.charts; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
