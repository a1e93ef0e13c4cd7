"""The part that is checked: its spec, who offers it, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from genframe.build import build_part
from genframe.errors import ConfigError, DataError
from genframe.registry import Registered, Registry
from genframe.specs import Choice, PartSpec
from genframe.testing.results import FaultError, SkippedError

_T = TypeVar("_T")

#: Kinds whose parts are built of their settings alone: there is no data that they could lack.
_OF_SETTINGS_ALONE = frozenset({"objective", "regularizer", "augmentation", "term", "noise"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One part under examination.

    Attributes:
        found: its spec and its plugin.
        registry: where other parts come from.
        settings: what differs from the defaults.
        plugins_dirs: folders of plugins, beside those of the environment.
    """

    found: Registered
    registry: Registry
    settings: Mapping[str, Any]
    plugins_dirs: Sequence[Path] = ()
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """``noise/signs``."""
        return f"{self.found.spec.kind}/{self.found.spec.name}"

    @property
    def spec(self) -> PartSpec:
        """Its spec; a recipe has none of this kind."""
        return cast(PartSpec, self.found.spec)

    @property
    def choice(self) -> Choice:
        """The part as a configuration chooses it."""
        return Choice(name=self.found.qualified_name, settings=self.settings)

    @property
    def homes(self) -> frozenset[str]:
        """The packages whose lines are the plugin's."""
        factory = getattr(self.found.spec, "factory", "")
        module = factory.partition(":")[0] if isinstance(factory, str) else getattr(factory, "__module__", "")
        modules = (self.found.plugin.module.partition(":")[0], module)
        return frozenset(each.partition(".")[0] for each in modules if each)

    def build(self, *arguments: Any) -> Any:
        """A new instance.

        Args:
            arguments: what a factory of this kind takes after the settings.

        Raises:
            SkippedError: it needs other settings, data or a package that is not there, as it says itself.
            FaultError: it refuses its settings, and its kind is built of nothing else.
        """
        with_settings = f"with settings {dict(self.settings)}" if self.settings else "with its default settings"
        try:
            return build_part(self.registry, self.found.spec.kind, self.choice, self.name, *arguments)
        except (ConfigError, DataError) as error:
            said = f"it cannot be built here {with_settings}: {error}"
            if isinstance(error, ConfigError) and self.found.spec.kind in _OF_SETTINGS_ALONE:
                raise FaultError(said) from error
            raise SkippedError(said) from None

    def once(self, key: object, make: Callable[[], _T]) -> _T:
        """What `make` gives, made once for all checks of this part."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast(_T, self._kept[key])


def first_of(attempts: Iterable[Callable[[], _T]]) -> _T:
    """What the first of them gives that does not refuse.

    Raises:
        SkippedError: all refuse, with a `ConfigError` or a `DataError` each.
    """
    reasons = []
    for attempt in attempts:
        try:
            return attempt()
        except (ConfigError, DataError) as error:
            reasons.append(str(error))
    raise SkippedError("; ".join(dict.fromkeys(reasons)))
