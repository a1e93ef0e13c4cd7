"""Checking the settings that users write against the dataclass that an author wrote.

pydantic does the work, so that an author needs none and a user reads the path of the wrong key, what was received and
the nearest name.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from genframe.errors import ConfigError, nearest, quoted

#: As long as a path may be on Linux.
_LONGEST_TEXT = 4096

#: pydantic names the member of a union in the location of an error; a user has not written it.
_UNION_TAGS = frozenset({"int", "float", "str", "bool", "none"})


def validated(settings_class: type, raw: Mapping[str, Any], path: str) -> Any:
    """An instance of the dataclass `settings_class` from plain values.

    Raises:
        ConfigError: an unknown key or a wrong type; the sentence begins with the path of the key.
    """
    from pydantic import TypeAdapter, ValidationError

    known = typing.get_type_hints(settings_class)
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"{path}.{key} is not a setting; known are {quoted(known)}.{nearest(key, known)}")
        if isinstance(value, bool) and not _takes_bool(known[key]):
            raise ConfigError(f"{path}.{key} = {str(value).lower()}: {_type_name(known[key])} is wanted")
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise ConfigError(
                f"{path}.{key} is a text of {len(value):,} characters; at most {_LONGEST_TEXT:,} are read"
            )
    try:
        settings: Any = TypeAdapter(settings_class).validate_python(dict(raw), extra="forbid")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([path, *(str(part) for part in first["loc"] if part not in _UNION_TAGS)])
        raise ConfigError(f"{where} = {first['input']!r}: {first['msg']}") from None
    _check_numbers(settings, path)
    return settings


def _check_numbers(value: Any, path: str) -> None:
    """Refuses numbers that no part can reckon with, so that no author has to."""
    if isinstance(value, (int, float)):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            bits = value.bit_length()
            raise ConfigError(f"{path} is a number of {bits} bits; whole numbers are from -2**63 to 2**63 - 1")
        if isinstance(value, float) and math.isnan(value):
            raise ConfigError(f"{path} = nan: a number is wanted")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check_numbers(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, (list, tuple)):
        for place, each in enumerate(value):
            _check_numbers(each, f"{path}.{place}")


def _takes_bool(hint: Any) -> bool:
    if hint in (bool, object, Any):
        return True
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return any(_takes_bool(each) for each in typing.get_args(hint)) if union else False


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
