"""Another law of z at sampling time than in training: truncated, fitted to the run, or any other of the same shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from genframe.analysis.closeness import difference
from genframe.analysis.placing import device_of
from genframe.build import Builder, build_part
from genframe.config import Tree
from genframe.errors import ConfigError
from genframe.interfaces import Fitted, NoiseSampler, Stateful, Truncatable
from genframe.loading import LoadedGenerator, of_runs
from genframe.randomness import derive_key
from genframe.registry import Registry
from genframe.settings import validated
from genframe.specs import Choice


def with_noise(
    generator: LoadedGenerator,
    registry: Registry,
    *,
    noise: str | None = None,
    settings: Sequence[Tree] = (),
    truncation: float | None = None,
) -> tuple[LoadedGenerator, str]:
    """The generator with another law of z; the same one where nothing is asked for.

    Args:
        generator: loaded.
        registry: where the law is found.
        noise: its name; by default that of the training.
        settings: trees as `genframe.config.assignment` makes them, such as ``{"noise": {"bound": 0.7}}``. They go over
            the training's settings where the law is the training's, else over the law's defaults; the run says how many
            numbers z has.
        truncation: the bound of the law's truncated one.

    Returns:
        The generator, and a sentence that warns where the law is not near that of the training; empty where it is.

    Raises:
        ConfigError: the run has no noise, the law has not its shape or cannot be truncated, or settings do not fit.
        PluginError: no plugin offers the law.
    """
    if noise is None and not settings and truncation is None:
        return generator, ""
    training = generator.trained.noise
    if training is None:
        raise ConfigError("this run generates without noise: leave --noise, --truncation and --set noise.* out")
    own = cast(Choice, generator.config.slots["noise"])
    is_own = not settings and (noise is None or _are_one(registry, noise, own.name))
    choice = own if is_own else _chosen(generator, registry, own, noise, settings)
    law = training if is_own else _built(generator, registry, choice)
    if law is not training and isinstance(training, Stateful) and _are_one(registry, choice.name, own.name):
        cast(Stateful, law).load_state(training.state())
    if truncation is not None:
        law = _truncated(law, f"noise '{choice.name}'" if noise else f"this run's noise '{choice.name}'", truncation)
    changed = dataclasses.replace(
        generator, trained=dataclasses.replace(generator.trained, noise=law), law=_words(choice, truncation)
    )
    differs = difference(law, training, device_of(generator.trained.networks))
    cut = "" if truncation is None else f" truncated at {truncation:g}"
    return changed, f"noise '{choice.name}'{cut} {differs}" if differs else ""


def _chosen(
    generator: LoadedGenerator, registry: Registry, own: Choice, noise: str | None, settings: Sequence[Tree]
) -> Choice:
    """The law that was asked for, with all its settings."""
    change, name = _change(settings), noise or own.name
    raw = {**own.settings, **change} if _are_one(registry, name, own.name) else change
    settings_class = registry.find_spec("noise", name).settings
    shape = generator.trained.problem.noise_shape
    keys = [field.name for field in dataclasses.fields(settings_class)]
    if "dim" in keys and "dim" not in raw and shape is not None and len(shape) == 1:
        raw["dim"] = shape[0]
    checked = validated(settings_class, raw, "noise")
    return Choice(name=name, settings={key: getattr(checked, key) for key in keys})


def _are_one(registry: Registry, name: str, other: str) -> bool:
    """Whether a name means the law of that name in a run: ``gaussian`` and ``genframe/gaussian`` do."""
    return registry.find("noise", name).qualified_name == of_runs(registry).find("noise", other).qualified_name


def _change(settings: Sequence[Tree]) -> dict[str, Any]:
    change: dict[str, Any] = {}
    for key, value in (pair for tree in settings for pair in tree.items()):
        if key != "noise" or not isinstance(value, Mapping):
            raise ConfigError(f"what is sampled has settings of its noise alone, --set noise.KEY=VALUE; got '{key}'")
        if "name" in value:
            raise ConfigError("noise.name is no setting: name the law by --noise")
        change |= value
    return change


def _built(generator: LoadedGenerator, registry: Registry, choice: Choice) -> NoiseSampler:
    """The law, fitted where it wants to be, and of the run's shape."""
    law = build_part(registry, "noise", choice, "noise")
    if isinstance(law, Fitted):
        # Samples of a seed that nobody draws by: whatever is drawn from the law is new.
        law.fit(generator.view(derive_key(0, "fit"), Builder(generator.config, of_runs(registry)).dataset))
    wanted = generator.trained.problem.noise_shape
    if law.shape != wanted:
        raise ConfigError(
            f"noise '{choice.name}' makes z of the shape {law.shape}, and this run generates from z of the shape "
            f"{wanted}: leave noise.dim out, and it is that of the run"
        )
    return cast(NoiseSampler, law)


def _truncated(law: NoiseSampler, title: str, truncation: float) -> NoiseSampler:
    if not isinstance(law, Truncatable):
        raise ConfigError(
            f"--truncation {truncation:g}: {title} has no truncated law: take --noise truncated "
            f"--set noise.bound={truncation:g}, or leave --truncation out"
        )
    return law.truncated(truncation)


def _words(choice: Choice, truncation: float | None) -> dict[str, str]:
    """The law in the words that ask for it."""
    settings = {f"noise.{key}": str(value) for key, value in choice.settings.items() if value is not None}
    return {"noise": choice.name, **settings} | ({} if truncation is None else {"truncation": str(truncation)})
