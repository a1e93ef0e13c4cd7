"""``--observer NAME`` adds to the observers that a recipe, a file or single settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import genframe
from genframe.errors import ConfigError, PluginError
from genframe.options import configure, configure_resumed
from genframe.registry import load_registry
from genframe.specs import ObserverSpec

TINY = {"architecture.width": 8, "architecture.hidden": 16, "metrics": []}


class Diary:
    """Remembers the steps that it is told of, and its own settings."""

    kept: dict[str, list[int]] = {}

    def __init__(self, settings: DiarySettings) -> None:
        self.steps = self.kept.setdefault(settings.label, [])

    def started(self, run: Mapping[str, Any]) -> None:
        self.steps.clear()

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        self.steps.append(step)

    def sampled(self, step: int, view: Any, picture: Path) -> None:
        pass

    def finished(self, outcome: Mapping[str, Any]) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class DiarySettings:
    label: str = "plain"


@pytest.fixture(autouse=True)
def _diaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Diary.kept.clear()
    for name in ("diary", "journal"):
        genframe.register(ObserverSpec(name=name, summary="s", factory=Diary, settings=DiarySettings))


def observers(observer: Any, settings: list[dict[str, Any]] | None = None, **options: Any) -> list[str]:
    config = configured(observer, settings, **options)
    return [each.name for each in config.observers]


def configured(observer: Any, settings: list[dict[str, Any]] | None = None, **options: Any) -> Any:
    given = {"observer": observer, **options}
    return configure(load_registry(), recipe="cdcgan", options=given, settings=settings or [])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ["health"]),
        ((), ["health"]),
        (("diary",), ["health", "diary"]),
        (["journal", "diary"], ["health", "journal", "diary"]),
        (("diary", "diary", "health"), ["health", "diary"]),
    ],
)
def test_the_named_stand_behind_the_recipes_own_and_each_once(given: Any, expected: list[str]) -> None:
    assert observers(given) == expected


def test_a_file_that_names_them_already_gets_no_second_ones(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('recipe = "cdcgan"\nobservers = [{name = "diary", label = "file"}]\n')
    config = configure(load_registry(), recipe=None, config_file=file, options={"observer": ("diary", "journal")})
    assert [(each.name, each.settings["label"]) for each in config.observers] == [
        ("diary", "file"),
        ("journal", "plain"),
    ]


def test_single_settings_reach_the_added_by_their_place() -> None:
    config = configured(("diary",), [{"observers": {"1": {"label": "set"}}}, {"observers": {"0": {"every": 7}}}])
    assert [config.observers[0].settings["every"], config.observers[1].settings["label"]] == [7, "set"]


def test_single_settings_of_the_whole_list_have_the_last_word() -> None:
    assert observers(("diary",), [{"observers": ["journal"]}]) == ["journal"]


def test_it_goes_with_the_flag_that_stops_on_collapse() -> None:
    config = configured(("diary",), stop_on_collapse=True)
    assert [(each.name, each.settings.get("stop")) for each in config.observers] == [("health", True), ("diary", None)]


def test_other_options_and_settings_land_as_without_it() -> None:
    settings = [{"noise": {"name": "gaussian"}}, {"training": {"steps": 7}}]
    with_it = configured(("diary",), settings, noise_dim=5).tree()
    without = configured(None, settings, noise_dim=5).tree()
    assert with_it.pop("observers")[:1] == without.pop("observers")
    assert with_it == without


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(PluginError, match="diary"):
        observers(("dairy",))


def test_a_resumed_run_that_has_it_says_nothing_and_another_one_is_not_taken() -> None:
    stored = configured(("diary",)).tree()
    config, note = configure_resumed(load_registry(), stored, recipe=None, options={"observer": ("diary",)})
    assert ([each.name for each in config.observers], note) == (["health", "diary"], "")
    config, note = configure_resumed(load_registry(), stored, recipe=None, options={"observer": ("journal",)})
    assert [each.name for each in config.observers] == ["health", "diary"]
    assert "observers stays" in note


def test_the_observers_of_the_command_line_and_of_python_watch_the_run(cli: Callable[..., Any]) -> None:
    words = [f"--set={key}={value}" for key, value in TINY.items()]
    words += ["--plugin", "cdcgan", "--steps", "4", "--log-every", "2", "--set", "observers.2.label=b"]
    result = cli("run", *words, "--observer", "diary", "--observer", "journal", "--output-dir", "a")
    assert result.code == 0, result.err
    assert Diary.kept == {"plain": [2, 4], "b": [2, 4]}
    Diary.kept.clear()
    genframe.train("cdcgan", steps=2, log_every=1, output_dir="b", observer=["diary"], settings=TINY)
    assert Diary.kept == {"plain": [1, 2]}
    with pytest.raises(ConfigError, match="observer takes names"):
        genframe.train("cdcgan", steps=2, output_dir="c", observer="diary", settings=TINY)
