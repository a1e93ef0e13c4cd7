"""The observer ``health``: it looks, writes a row of ``health.jsonl``, and speaks once an episode.

What it says follows from the rows alone. So a resumed run, which keeps the rows up to its checkpoint, says what a run
that never stopped would have said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from genframe.errors import DivergenceError
from genframe.interfaces import RunView
from genframe.rundir import RunDirectory
from genframe.rundir.files import storage_errors
from genframe_health import HealthSettings
from genframe_health.diversity import Yardstick, measurable

#: What a look writes down; equal runs write equal bytes.
FILE = "health.jsonl"

Row = Mapping[str, Any]

#: Of what was logged, a row keeps these.
_LOGGED = ("critic_loss", "generator_loss", "real_logit", "fake_logit")

#: A critic with less than this left to learn, in units of its loss, is sure of itself.
_SURE = 0.05

#: What helps against collapse.
_ADVICE = "look at samples/, and try a smaller --lr, a larger --batch-size or another --objective"

#: A diversity that grew so many times within `patience` looks is on its way up.
_MENDING = 1.5


class Episode:
    """One kind of trouble, from the look at which it is told to the look at which it is over.

    Args:
        patience: so many bad looks in a row begin it, twice as many where none was good yet; as many good ones end it.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._bad = self._good = 0
        self._told = False
        self.was_well = False

    def look(self, bad: bool, *, mending: bool = False) -> bool:
        """Whether it is to be told now. Nothing begins while things are `mending`."""
        self._bad, self._good = (self._bad + 1, 0) if bad else (0, self._good + 1)
        self.was_well |= not bad
        if self._good >= self._patience:
            self._told = False
        if self._told or mending or self._bad < self._patience * (1 if self.was_well else 2):
            return False
        self._told = True
        return True


class Diagnosis:
    """What a course of looks says, row by row."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._rows: list[Row] = []
        self._samples, self._class, self._critic, self._losses = (Episode(settings.patience) for _ in range(4))

    @property
    def last(self) -> int:
        """The step of the last look; 0 before the first."""
        return self._rows[-1]["step"] if self._rows else 0

    @property
    def widest(self) -> float:
        """The largest distance so far."""
        return max((row["distance"] for row in self._rows if row.get("distance") is not None), default=0.0)

    def add(self, row: Row) -> tuple[str | None, str | None]:
        """The sentence about a collapse, and the one about the critic or the losses, where there is one to be said."""
        self._rows.append(row)
        try:
            return self._collapse(row), self._game(row)
        except (KeyError, TypeError):
            self._rows.pop()
            raise

    def _collapse(self, row: Row) -> str | None:
        settings, share, lowest = self._settings, row.get("diversity"), row.get("lowest")
        if share is None:
            return None
        low = share < settings.diversity
        one_low = not low and lowest is not None and lowest < settings.class_diversity
        told = self._samples.look(low, mending=self._mending("diversity", settings.diversity))
        one_told = self._class.look(one_low, mending=self._mending("lowest", settings.class_diversity))
        of = "the data's" if row["of_data"] else "its own best"
        if told:
            best = max(each["diversity"] for each in self._rows if each.get("diversity") is not None)
            what = f"fell from {best:.2f} to" if self._samples.was_well else "has never risen beyond"
            figure = f"{share if self._samples.was_well else best:.2f} of {of}"
            return f"mode collapse suspected at step {row['step']}: the samples' diversity {what} {figure}; {_ADVICE}"
        if one_told:
            return (
                f"mode collapse suspected at step {row['step']}: samples of the class '{row['lowest_class']}' have "
                f"{lowest:.2f} of {of} diversity, and those of all classes {share:.2f} on average; {_ADVICE}"
            )
        return None

    def _mending(self, name: str, wanted: float) -> bool:
        """Whether a share grows; next to nothing that becomes a little more is no growth."""
        before, now = (self._rows[at].get(name) for at in (-min(len(self._rows), self._settings.patience + 1), -1))
        return before is not None and now is not None and bool(now > _MENDING * max(before, wanted / 10))

    def _game(self, row: Row) -> str | None:
        settings = self._settings
        if any(row.get(name) is None for name in _LOGGED):
            return None
        critic, generator, real, fake = (row[name] for name in _LOGGED)
        saturated = real - fake > settings.gap and abs(critic) < _SURE
        less, more = min(critic, generator), max(critic, generator)
        lost = not saturated and 0 < less * settings.imbalance < more
        told, lost_told = self._critic.look(saturated), self._losses.look(lost)
        if told:
            return (
                f"the critic is saturated at step {row['step']}: it tells real from generated samples without effort "
                f"(mean logits {real:.1f} and {fake:.1f}, loss {critic:.3f}), and the generator learns next to nothing "
                "from it; try a smaller --lr, a --regularizer or an --augmentation"
            )
        if lost_told:
            ahead, behind = ("critic", "generator") if critic < generator else ("generator", "critic")
            return (
                f"the balance is lost at step {row['step']}: the {behind}'s loss is {more / less:,.0f} times the "
                f"{ahead}'s; try a smaller --lr or another --objective"
            )
        return None


class Health:
    """See `genframe.interfaces.Monitor`."""

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._diagnosis = Diagnosis(settings)
        self._values: Mapping[str, float] = {}
        self._yardstick: Yardstick | None = None

    def started(self, run: Mapping[str, Any]) -> None:
        """Goes on from the rows that a resumed run keeps."""
        self._path: Path = run["directory"] / FILE
        if resumed := run.get("resumed"):
            RunDirectory(run["directory"]).keep_rows(FILE, resumed[-1]["step"])
            if self._path.exists():
                for line in self._path.read_text(encoding="utf-8").splitlines():
                    with suppress(KeyError, TypeError):  # somebody has changed the row: it counts for nothing
                        self._diagnosis.add(json.loads(line))

    def logged(self, step: int, values: Mapping[str, float]) -> None:
        """Remembers the losses and logits of the latest step."""
        self._values = values

    def viewed(self, step: int, view: RunView) -> str | None:
        """Looks, where it is time to.

        Raises:
            DivergenceError: samples have collapsed and the run is to stop there.
        """
        if step - self._diagnosis.last < self._settings.every:
            return None
        row = {"step": step, **self._diversity(view), **self._logged()}
        with storage_errors(self._path), open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        collapse, game = self._diagnosis.add(row)
        if collapse and self._settings.stop:
            raise DivergenceError(f"{collapse}. The run stops here; {self._kept()}")
        return "; ".join(filter(None, (collapse, game))) or None

    def sampled(self, step: int, view: RunView, picture: Path) -> None:
        """Nothing."""

    def finished(self, outcome: Mapping[str, Any]) -> None:
        """Nothing."""

    def _diversity(self, view: RunView) -> dict[str, Any]:
        if not measurable(view.trained.problem):
            return {}
        self._yardstick = self._yardstick or Yardstick(view, self._settings.samples)
        found = self._yardstick.measure(view)
        distance, widest = _rounded(found.distance), self._diagnosis.widest
        share, of_data = found.mean, found.mean is not None
        if share is None and distance is not None:
            share = distance / widest if widest > distance else 1.0
        row: dict[str, Any] = {"diversity": _rounded(share), "of_data": of_data, "distance": distance}
        if found.lowest is not None:
            row |= {"lowest": _rounded(found.lowest), "lowest_class": found.lowest_class}
        return row

    def _logged(self) -> dict[str, float | None]:
        return {name: _rounded(self._values[name]) for name in _LOGGED if name in self._values}

    def _kept(self) -> str:
        saved = sorted((self._path.parent / "checkpoints").glob("step-*"))
        return f"its last checkpoint, {saved[-1].name}, is kept" if saved else "it had saved no checkpoint yet"


def _rounded(value: float | None) -> float | None:
    """Six decimals are enough to read, and what JSON cannot say is nothing."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
