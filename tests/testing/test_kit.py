"""The kit as authors meet it: results, names, settings, and a process that stays as it was."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

import pytest
import torch

import genframe
from genframe.errors import ConfigError, PluginError
from genframe.randomness import uniform
from genframe.specs import (
    ArchitectureSpec,
    AugmentationSpec,
    DatasetSpec,
    NoiseSpec,
    ObjectiveSpec,
    RegularizerSpec,
    TermSpec,
)
from genframe.testing import Check, Result, check, checks
from genframe.testing.surroundings import Surroundings, restored


@dataclass(frozen=True, kw_only=True)
class Settings:
    dim: int = 4


class Noise:
    def __init__(self, settings):
        self.shape = (settings.dim,)

    def draw(self, indices, key):
        return uniform(indices, self.shape, key)

    def project(self, noise):
        return noise.clamp(0, 1)


class Wild(Noise):
    def draw(self, indices, key):
        os.environ["WILD"] = "1"
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(1)
        raise SystemExit(f"{os.getcwd()}\nis left")


class Caller(Noise):
    def project(self, noise):
        socket.create_connection(("example.org", 80))
        return noise


def register(factory: Any, name: str = "planted") -> None:
    genframe.register(NoiseSpec(name=name, summary="Planted", factory=factory, settings=Settings))


def by_name(results):
    return {result.name: result for result in results}


def test_results_say_part_name_outcome_and_reason():
    register(Noise)
    found = checks("noise/planted")
    assert all(isinstance(each, Check) and each.explanation and "\n" not in each.explanation for each in found)
    assert len({each.name for each in found}) == len(found)
    results = by_name(each() for each in found)
    assert results["shape"] == Result(
        part="noise/planted", name="shape", outcome="passed", reason="z has the shape (4,)"
    )
    assert results["state"].outcome == "skipped"
    assert results["throughput"].reason.endswith("samples a second")


def test_settings_reach_the_part():
    register(Noise)
    assert by_name(check("noise/planted", settings={"dim": 7}))["shape"].reason == "z has the shape (7,)"


def test_a_wrong_setting_is_a_reason_and_no_exception():
    register(Noise)
    results = by_name(check("noise/planted", settings={"dam": 7}))
    assert results["settings"].outcome == "failed"
    assert "noise/planted.dam is not a setting" in results["settings"].reason


def test_settings_for_several_parts_are_refused():
    with pytest.raises(ConfigError, match="settings are for one part, and 'noise' means 'noise/"):
        checks("noise", settings={"dim": 3})


def test_a_name_that_nobody_offers_is_refused():
    with pytest.raises(PluginError, match="no noise is called 'fig'"):
        checks("noise/fig")


def test_whatever_a_part_does_is_a_result_with_its_line_and_the_process_stays_as_it_was():
    register(Wild)
    before = Surroundings()
    result = by_name(check("noise/planted"))["shape"]
    assert result.outcome == "failed"
    assert result.reason.startswith("SystemExit: ")
    assert "is left (tests/testing/test_kit.py:" in result.reason.replace(os.sep, "/")
    assert "\n" not in result.reason
    assert before.changes() == []
    assert "WILD" not in os.environ


def test_checks_open_no_connection():
    register(Caller)
    result = by_name(check("noise/planted"))["projection"]
    assert result.outcome == "failed"
    assert "the conformance kit opens no connections" in result.reason
    assert socket.getaddrinfo.__module__ == "socket"


def test_what_a_part_prints_does_not_reach_stdout(capsys):
    register(type("Chatty", (Noise,), {"project": lambda self, noise: print("hello") or noise}))
    check("noise/planted")
    assert capsys.readouterr().out == ""


def test_a_broken_factory_is_a_failed_check():
    register("nowhere_at_all:Noise")
    result = by_name(check("noise/planted"))["factory"]
    assert result.outcome == "failed"
    assert "nowhere_at_all" in result.reason


def refuse(settings):
    raise ConfigError("this part needs a file: give its path")


def test_a_part_that_wants_settings_is_skipped_in_its_own_words():
    genframe.register(DatasetSpec(name="planted", summary="Planted", factory=refuse, settings=Settings))
    results = by_name(check("dataset/planted"))
    assert results["types"].outcome == "skipped"
    assert results["types"].reason.endswith("with its default settings: this part needs a file: give its path")
    assert results["settings"].outcome == "passed"


@pytest.mark.parametrize("spec", [NoiseSpec, ObjectiveSpec, RegularizerSpec, AugmentationSpec, TermSpec])
def test_a_part_that_has_no_data_to_lack_and_refuses_its_defaults_fails(spec):
    genframe.register(spec(name="planted", summary="Planted", factory=refuse, settings=Settings))
    results = by_name(check(f"{spec.kind}/planted"))
    assert results["factory"].outcome == results["state"].outcome == "failed"
    assert "with its default settings: this part needs a file: give its path" in results["factory"].reason


def test_the_surroundings_name_what_has_changed_and_put_it_back():
    before = Surroundings()
    with restored():
        torch.set_grad_enabled(False)
        os.environ["SOMETHING"] = "else"
        torch.rand(1)
        assert before.changes() == ["torch's global generator", "torch's grad mode", "os.environ"]
    assert before.changes() == []


def test_an_architecture_that_refuses_everything_passes_nothing_of_its_kind():
    class Refuses:
        def __init__(self, settings):
            pass

        def build(self, problem, conditioning):
            raise ConfigError("architecture 'planted' got pictures and makes points only; choose another")

    genframe.register(
        ArchitectureSpec(name="planted", summary="Planted", factory=Refuses, roles=frozenset({"generator"}))
    )
    results = by_name(check("architecture/planted"))
    passed = {name for name, result in results.items() if result.outcome == "passed"}
    assert passed == {"settings", "factory", "no-pickling"}
    assert "makes points only" in results["problems"].reason
