"""Experiments: a question about trained runs, what is trained for the answer, and the answer.

An experiment is a part like any other, offered by the hook `genframe.hookspecs.genframe_experiments`; the core trains
what it names, keeps what was trained and measured, and writes its report as a page: ``genframe reproduce NAME``.
Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from genframe.interfaces import Picture, RunView

Verdict = Literal["confirmed", "refuted", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained once for each seed.

    Attributes:
        recipe: its name.
        steps: of the full schedule; a budget may leave fewer.
        data: a dataset's name or a path; empty is the recipe's own. A dataset with a ``data_dir`` gets the user's.
        flags: further ones of `genframe.train`.
        settings: what ``--set`` takes.
        origin: the name of a training, listed before, at whose end this one branches from it; `steps` count the
            origin's, too. The origin is no branch itself.
        least: steps that no budget goes below; an origin's length follows from its branches'.
        pictures: how many sheets the run draws on its way.
    """

    recipe: str
    steps: int
    data: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    least: int = 1
    pictures: int = 1


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measurement that was kept.

    Attributes:
        value: the figure; not a number where the metric gave none, or the run diverged.
        interval: 95%, where the metric gives one.
        protocol: how it was taken.
    """

    value: float
    interval: tuple[float, float] | None
    protocol: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A published claim beside what was found.

    Attributes:
        claim: in one sentence.
        source: who says so, and where.
        published: the value, in words; empty for a claim without one.
        measured: ours with its interval, in words.
        verdict: what follows.
        reason: why it follows, in a sentence.
    """

    claim: str
    source: str
    published: str = ""
    measured: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures as a reader compares them.

    Attributes:
        title: a line above it.
        columns: the headings.
        rows: texts, as many as there are columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The answer.

    Attributes:
        question: what is asked, and by whom, in a paragraph.
        protocol: how it was measured, in a paragraph.
        findings: one for each claim.
        tables: all figures that the findings rest on.
        pictures: by their captions.
        notes: what a reader should doubt; one sentence each.
    """

    question: str
    protocol: str
    findings: Sequence[Finding]
    tables: Sequence[Table] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Evidence(Protocol):
    """What was trained, and what can be asked of it. Answers are kept, so that nothing is asked twice."""

    @property
    def seeds(self) -> Sequence[int]:
        """Of the trainings."""

    @property
    def share(self) -> float:
        """The smallest share of its full schedule that any training got, in (0, 1]."""

    def steps(self, training: str) -> int:
        """How many steps that training made."""

    def outcome(self, training: str, seed: int) -> str:
        """``finished``, or ``diverged`` for a run that stopped before its end: it has no figures and no view."""

    def view(self, training: str, seed: int, *, noise: str | None = None) -> RunView:
        """The run at its end.

        Args:
            training: its name.
            seed: one of `seeds`.
            noise: another law of z than the training's, by name, with settings as in ``gaussian:deviation=2``.
        """

    def measure(self, training: str, seed: int, metric: str, *, noise: str | None = None, **settings: Any) -> Figure:
        """A metric of a run, with these settings."""

    def draw(self, training: str, seed: int, visualizer: str, *, noise: str | None = None, **settings: Any) -> Picture:
        """A picture of a run by that visualizer, with these settings."""

    def remember(self, training: str, seed: int, key: str, ask: Callable[[RunView], Any]) -> Any:
        """What `ask` says of a run, as JSON has it; `key` names the question and all that its answer depends on."""


class Experiment(Protocol):
    """A question and how it is answered."""

    @property
    def trainings(self) -> Mapping[str, Training]:
        """What is trained, by name; each once for each seed."""

    def conclude(self, evidence: Evidence) -> Report:
        """The answer.

        Raises:
            ConfigError: something does not fit.
            DataError: data is not there.
        """
