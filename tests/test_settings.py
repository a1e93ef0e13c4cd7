"""Settings are checked against the author's dataclass, and the sentence names the path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from genframe.errors import ConfigError
from genframe.settings import validated


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    width: int = 64
    rate: float | None = None
    mode: Literal["fast", "slow"] = "fast"
    names: tuple[str, ...] = ("a",)
    flag: bool = False
    inner: Inner = Inner()


def test_plain_values_become_the_dataclass() -> None:
    raw = {"width": 32, "rate": 1, "mode": "slow", "names": ["x", "y"], "flag": True, "inner": {"depth": 2}}
    expected = Settings(width=32, rate=1.0, mode="slow", names=("x", "y"), flag=True, inner=Inner(depth=2))
    assert validated(Settings, raw, "part") == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"widht": 3}, ["part.widht", "Did you mean 'width'?", "'rate'"]),
        ({"width": "wide"}, ["part.width", "'wide'", "integer"]),
        ({"width": True}, ["part.width", "true", "int"]),
        ({"width": 2.5}, ["part.width", "2.5"]),
        ({"rate": True}, ["part.rate", "float"]),
        ({"mode": "medium"}, ["part.mode", "'medium'", "'fast' or 'slow'"]),
        ({"names": ["x", 3]}, ["part.names.1", "3"]),
        ({"inner": {"dept": 2}}, ["part.inner", "dept"]),
        ({"width": 2**63}, ["part.width", "64 bits", "2**63 - 1"]),
        ({"inner": {"depth": -(10**400)}}, ["part.inner.depth", "1329 bits"]),
        ({"rate": float("nan")}, ["part.rate", "nan"]),
        ({"width": "9" * 5000}, ["part.width", "5,000 characters", "at most 4,096"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(raw: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        validated(Settings, raw, "part")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)
