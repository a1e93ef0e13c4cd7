"""Settings of the training itself, whatever the algorithm, and the ranges that they lie in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genframe.errors import ConfigError
from genframe.settings import validated

#: More threads than this crash the libraries below.
_MOST_THREADS = 1024


@dataclass(frozen=True)
class Cadence:
    """Every so many steps, or every so many seconds; and always at the last step."""

    steps: int | None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: int | str) -> Cadence:
        """``500`` is steps, ``"30s"`` seconds.

        Raises:
            ConfigError: it is neither.
        """
        digits = str(text).removesuffix("s")
        if not digits.isdecimal() or int(digits) < 1:
            raise ConfigError(f"training.checkpoint_every is a number of steps (500) or of seconds (30s); got {text!r}")
        return cls(None, float(digits)) if digits != str(text) else cls(int(digits))


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of the training itself, whatever the algorithm.

    Attributes:
        steps: how many steps; ``epochs``, where it is given, decides instead.
        epochs: how many passes over the training part.
        batch_size: samples a step; None is 64, or all training samples where there are fewer.
        ema: decay of the running average of the generator's weights, in [0, 1); with 0 the average is a mere copy.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of the networks' arithmetic. ``auto`` is bfloat16 on a GPU that has it and float32 elsewhere.
        threads: of a run on the CPU. None decides by the size of the samples; what was decided is written down, since
            equal bytes need an equal number.
        workers: processes that read data; 0 reads in the training process.
        log_every, sample_every: in steps.
        checkpoint_every: in steps (``500``) or seconds (``"30s"``).
        keep_last: how many checkpoints to keep, at least 2.
    """

    steps: int = 1500
    epochs: float | None = None
    batch_size: int | None = None
    ema: float = 0.999
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int | None = None
    workers: int = 0
    log_every: int = 25
    sample_every: int = 500
    checkpoint_every: int | str = 500
    keep_last: int = 2


#: Their names.
TRAINING_KEYS = frozenset(field.name for field in dataclasses.fields(TrainingSettings))


def training_settings(raw: Any) -> TrainingSettings:
    """The settings from plain values.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of its range; the sentence begins with the key's path.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"training is a table of settings; got {raw!r}")
    settings: TrainingSettings = validated(TrainingSettings, raw, "training")
    if settings.threads is not None and not 1 <= settings.threads <= _MOST_THREADS:
        raise ConfigError(f"training.threads is from 1 to {_MOST_THREADS}; got {settings.threads}")
    lowest = {"steps": 1, "batch_size": 1, "workers": 0, "log_every": 1, "sample_every": 1, "keep_last": 2}
    for key, least in lowest.items():
        value = getattr(settings, key)
        if value is not None and value < least:
            raise ConfigError(f"training.{key} is at least {least}; got {getattr(settings, key)}")
    Cadence.parse(settings.checkpoint_every)
    if settings.epochs is not None and not 0 < settings.epochs < math.inf:
        raise ConfigError(f"training.epochs is a finite number above 0; got {settings.epochs}")
    if not 0 <= settings.ema < 1:
        raise ConfigError(f"training.ema is a decay in [0, 1); got {settings.ema}")
    return settings
