"""What fully connected networks serve, and the sentences about what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from genframe.errors import ConfigError, quoted
from genframe.shapes import FieldKind, Problem


def refuse_what_does_not_fit(name: str, problem: Problem, kinds: Sequence[FieldKind]) -> None:
    """Refuses other outputs than of these kinds, no noise, and conditions that are no labels.

    Args:
        name: of the architecture.
        problem: to serve.
        kinds: that it makes.

    Raises:
        ConfigError: the sentence says what is wanted.
    """
    if problem.output.kind not in kinds:
        raise ConfigError(
            f"architecture '{name}' got data of kind {problem.output.kind!r} and makes {' and '.join(kinds)} only; "
            "choose other data or another architecture"
        )
    if problem.noise_shape is None:
        raise ConfigError(
            f"architecture '{name}' got no noise and makes its samples from it; "
            "choose an algorithm with a noise sampler"
        )
    others = problem.condition.keys() - problem.labels.keys()
    if others:
        raise ConfigError(
            f"architecture '{name}' got the condition {quoted(sorted(others))} and takes labels only; "
            "choose an architecture that reads it"
        )
