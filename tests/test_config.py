"""Recipe, file, flags and single settings become one configuration; later sources win."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from genframe.config import Tree, assignment, read_toml, resolve, stored, tree_of
from genframe.errors import ConfigError
from genframe.specs import AlgorithmSpec, Choice, NoiseSpec, PartSpec, RecipeSpec, RegularizerSpec, Slot, VisualizerSpec


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    dim: int = 100


@dataclass(frozen=True, kw_only=True)
class OtherSettings:
    radius: float = 1.0


@dataclass(frozen=True, kw_only=True)
class GameSettings:
    learning_rate: float = 2e-4
    updates: tuple[str, ...] = ("critic", "generator")
    path: Path | None = None


SPECS: dict[tuple[str, str], PartSpec] = {
    ("algorithm", "game"): AlgorithmSpec(
        name="game",
        summary="s",
        factory="a:b",
        settings=GameSettings,
        slots={"noise": Slot(kind="noise", required=False), "penalties": Slot(kind="regularizer", many=True)},
    ),
    ("algorithm", "lonely"): AlgorithmSpec(name="lonely", summary="s", factory="a:b"),
    ("noise", "flat"): NoiseSpec(name="flat", summary="s", factory="a:b", settings=NoiseSettings),
    ("noise", "round"): NoiseSpec(name="round", summary="s", factory="a:b", settings=OtherSettings),
    ("regularizer", "soft"): RegularizerSpec(name="soft", summary="s", factory="a:b", settings=OtherSettings),
}
RECIPE = RecipeSpec(
    name="demo",
    summary="s",
    algorithm=Choice(name="game", settings={"learning_rate": 1e-3}),
    architecture=Choice(name="any"),
    data=Choice(name="any"),
    slots={"noise": Choice(name="flat", settings={"dim": 32})},
    training={"steps": 10},
)


def find(kind: str, name: str) -> PartSpec:
    return SPECS.get((kind, name)) or VisualizerSpec(name=name, summary="s", factory="a:b")


def resolved(*changes: Tree) -> Any:
    return resolve(RECIPE, changes, find)


def test_the_recipe_is_filled_with_defaults() -> None:
    config = resolved()
    assert config.parts["algorithm"].settings == {
        "learning_rate": 1e-3,
        "updates": ("critic", "generator"),
        "path": None,
    }
    assert config.slots == {"noise": Choice(name="flat", settings={"dim": 32}), "penalties": ()}
    assert (config.training.steps, config.training.batch_size, config.seed) == (10, None, 0)


def test_later_sources_win() -> None:
    config = resolved({"noise": {"dim": 8}, "seed": 3}, {"noise": {"dim": 4}})
    assert (config.slots["noise"].settings["dim"], config.seed) == (4, 3)


def test_another_part_starts_from_its_own_defaults() -> None:
    assert resolved({"noise": {"name": "round"}}).slots["noise"].settings == {"radius": 1.0}


def test_a_bare_name_is_a_part() -> None:
    config = resolved({"noise": "round", "penalties": ["soft", {"name": "soft", "radius": 2.0}]})
    assert config.slots["noise"].name == "round"
    assert [choice.settings["radius"] for choice in config.slots["penalties"]] == [1.0, 2.0]


def test_one_of_several_parts_is_set_by_its_place() -> None:
    config = resolved({"penalties": ["soft", "soft"]}, assignment("penalties.1.radius=5"))
    assert [choice.settings["radius"] for choice in config.slots["penalties"]] == [1.0, 5.0]


def test_slots_of_the_recipe_go_with_its_algorithm() -> None:
    config = resolved({"algorithm": {"name": "lonely"}})
    assert (config.parts["algorithm"].settings, config.slots) == ({}, {})


def test_steps_win_over_epochs_of_an_earlier_source() -> None:
    assert resolved({"training": {"epochs": 3}}).training.epochs == 3
    assert resolved({"training": {"epochs": 3}}, {"training": {"steps": 7}}).training.epochs is None


@pytest.mark.parametrize("changes", [[], [{"penalties": ["soft"], "seed": 5}], [{"algorithm": {"name": "lonely"}}]])
def test_the_tree_survives_toml_and_gives_the_same_configuration(changes: list[Tree]) -> None:
    config = resolved(*changes)
    tree = tomllib.loads(tomli_w.dumps(config.tree()))
    assert stored(tree, find).tree() == config.tree()
    del tree["recipe"]
    assert resolved(tree) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nosie": {"dim": 2}}, ["nosie", "Did you mean 'noise'?"]),
        ({"noise": {"dmi": 2}}, ["noise.dmi", "Did you mean 'dim'?"]),
        ({"noise": {"dim": "x"}}, ["noise.dim", "'x'"]),
        ({"noise": {"name": 3}}, ["noise.name", "3"]),
        ({"noise": 3}, ["noise", "3"]),
        ({"penalties": [{"radius": 1}]}, ["penalties.0"]),
        ({"penalties": [{"name": "soft", "r": 1}]}, ["penalties.0.r"]),
        ({"penalties": "soft"}, ["penalties", "list"]),
        ({"recipe": "other"}, ["recipe"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": True}, ["seed", "True"]),
        ({"training": {"steps": 0}}, ["training.steps", "at least 1"]),
        ({"training": {"keep_last": 1}}, ["training.keep_last", "at least 2"]),
        ({"training": {"ema": 1.0}}, ["training.ema", "[0, 1)"]),
        ({"training": {"epochs": 0}}, ["training.epochs"]),
        ({"training": {"precision": "float16"}}, ["training.precision", "float32"]),
        ({"training": 3}, ["training", "3"]),
        ({"algorithm": {"name": "lonely"}, "noise": {"dim": 3}}, ["noise"]),
    ],
)
def test_what_is_wrong_is_said_with_its_path(change: Tree, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        resolved(change)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("seed=3", {"seed": 3}),
        ("noise.dim=3", {"noise": {"dim": 3}}),
        ("noise.name=flat", {"noise": {"name": "flat"}}),
        ('algorithm.updates=["critic", "generator"]', {"algorithm": {"updates": ["critic", "generator"]}}),
        ("data.path=a=b", {"data": {"path": "a=b"}}),
        ("data.mirror=true", {"data": {"mirror": True}}),
    ],
)
def test_an_assignment_is_toml_or_a_bare_word(text: str, tree: Tree) -> None:
    assert assignment(text) == tree


@pytest.mark.parametrize("text", ["noise.dim", "=3", "noise..dim=3", ".=1"])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--set takes"):
        assignment(text)


def test_a_path_of_one_key_is_a_tree() -> None:
    assert tree_of("a", 1) == {"a": 1}


def test_an_assignment_of_an_endless_number_is_text() -> None:
    assert assignment("seed=" + "9" * 5000) == {"seed": "9" * 5000}


@pytest.mark.parametrize(
    "text", ["a" + ".a" * 5000 + "=1", "a=" + "[" * 50 + "]" * 50, "a={" + "a." * 60 + "a=1}", "seed=0x" + "f" * 5000]
)
def test_an_assignment_that_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="within each other"):
        assignment(text)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("a = = b")
    (tmp_path / "endless.toml").write_text("a = " + "9" * 5000)
    (tmp_path / "hexadecimal.toml").write_text("a = [0x" + "f" * 5000 + "]")
    (tmp_path / "deep.toml").write_text("[a" + ".a" * 5000 + "]")
    for name in ("broken.toml", "missing.toml", "endless.toml", "hexadecimal.toml", "deep.toml"):
        with pytest.raises(ConfigError, match=name):
            read_toml(tmp_path / name)
