"""Experiments: trainings that can be planned, and a conclusion from the shortest of them."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from genframe.errors import DataError
from genframe.experiments import Experiment, Finding, Report, Table, Training, Verdict
from genframe.reproducing.laboratory import Laboratory, Means
from genframe.reproducing.page import write_page
from genframe.reproducing.schedule import affordable
from genframe.testing.catalogue import Checks
from genframe.testing.results import SkippedError, Work, require
from genframe.testing.subject import Subject

CHECKS = Checks()

#: An experiment whose shortest trainings make more steps in sum is not run: its author does not wait for a check.
_MOST_STEPS = 300

#: A budget in minutes that leaves each training the fewest steps that it allows.
_BUDGET = 1e-6


@dataclass(frozen=True, kw_only=True)
class Done:
    """What an experiment has been answered, once for all checks.

    Attributes:
        laboratory: the evidence.
        told: what it said that it did.
        folder: an empty one.
    """

    laboratory: Laboratory
    told: list[str]
    folder: Path


def made(subject: Subject) -> Experiment:
    """A new one."""
    experiment: Experiment = subject.build()
    return experiment


def work(subject: Subject) -> Work:
    """Concludes from what is measured already."""
    _report(subject)
    laboratory = _done(subject).laboratory
    return Work(run=lambda: made(subject).conclude(laboratory), count=1, unit="conclusions")


@CHECKS.add("trainings", "each training can be planned, and a further instance names the same ones")
def trainings(subject: Subject) -> str:
    """Recipes, data and settings are there; a branch goes beyond its origin; what was trained is found again."""
    named = dict(made(subject).trainings)
    require(named, "it names no training")
    for name, each in named.items():
        require(isinstance(each, Training), f"training '{name}' is a {type(each).__name__}, not a Training")
        least = min(each.steps, each.least, each.pictures)
        require(least >= 1, f"training '{name}' has steps, least and pictures of at least 1; one of them is {least}")
    again = dict(made(subject).trainings)
    changed = [name for name, each in named.items() if repr(again.get(name)) != repr(each)]
    require(not changed, f"another instance has another training '{''.join(changed[:1])}': what was trained is lost")
    laboratory = _laboratory(subject, Path(), [])
    for name, each in named.items():
        laboratory.planned(name, 0)
        origin = named[each.origin].steps if each.origin else 0
        require(each.steps > origin, f"training '{name}' ends after {each.steps} steps, and its origin after {origin}")
    return f"{len(named)} trainings of {sum(each.steps for each in named.values()):,} steps in all"


@CHECKS.add("conclude", "it concludes from one seed and the fewest steps that it allows")
def conclude(subject: Subject) -> str:
    """As ``genframe reproduce NAME --seeds 1`` with a small budget does."""
    report = _report(subject)
    require(isinstance(report, Report), f"conclude gives a {type(report).__name__}, not a Report")
    return f"{len(report.findings)} findings, {len(report.tables)} tables, {len(report.pictures)} pictures"


@CHECKS.add("report", "there are findings with reasons, tables have full rows, and all of it becomes a page")
def report(subject: Subject) -> str:
    """With its pictures beside it."""
    answer, done = _report(subject), _done(subject)
    require(answer.findings, "the report has no finding")
    for finding in answer.findings:
        _check_finding(finding)
    for table in answer.tables:
        _check_table(table)
    texts = {"question": answer.question, "protocol": answer.protocol}
    require(all(texts.values()), f"the report has no {' and no '.join(name for name in texts if not texts[name])}")
    page = done.folder / "page.md"
    write_page(page, subject.spec.summary, ["genframe", "reproduce", subject.spec.name], answer, done.laboratory)
    return f"a page of {len(page.read_text(encoding='utf-8')):,} characters"


@CHECKS.add("again", "asked again it concludes the same, and asks for nothing that was not kept")
def again(subject: Subject) -> None:
    """Another instance, from the same evidence."""
    first, done = _report(subject), _done(subject)
    before = len(done.told)
    second = made(subject).conclude(done.laboratory)
    asked = done.told[before:]
    require(not asked, f"the second time it asks anew: {'; '.join(asked[:1])}")
    for name in ("findings", "tables", "notes"):
        require(repr(getattr(first, name)) == repr(getattr(second, name)), f"its {name} are others the second time")


def _check_finding(finding: Finding) -> None:
    texts: Mapping[str, str] = {name: getattr(finding, name) for name in ("claim", "source", "measured", "reason")}
    bare = [name for name, text in texts.items() if not text]
    require(not bare, f"the finding '{finding.claim}' has no {' and no '.join(bare)}")
    words = get_args(Verdict)
    require(finding.verdict in words, f"a verdict is one of {', '.join(words)}; it is {finding.verdict!r}")


def _check_table(table: Table) -> None:
    for row in table.rows:
        wide, said = len(table.columns), f"the table '{table.title}'"
        require(len(row) == wide, f"{said} has {wide} columns, and a row of {len(row)}: {list(row)}")
        wrong = [cell for cell in row if not isinstance(cell, str)]
        require(not wrong, f"the cells of {said} are texts; one is {wrong[:1]}")


def _report(subject: Subject) -> Report:
    """What it says of the runs of a few steps."""

    def asked() -> Report:
        try:
            return made(subject).conclude(_done(subject).laboratory)
        except DataError as error:
            raise SkippedError(f"its data is not at hand: {error}") from None

    return subject.once("report", asked)


def _done(subject: Subject) -> Done:
    """Its trainings, made once for all checks.

    Raises:
        SkippedError: they would take too long, or their data is not there.
    """
    return subject.once("done", lambda: _trained(subject))


def _trained(subject: Subject) -> Done:
    folder = tempfile.TemporaryDirectory(prefix="genframe-conformance-")
    atexit.register(folder.cleanup)
    told: list[str] = []
    laboratory = _laboratory(subject, Path(folder.name), told)
    _refuse_downloads(subject, laboratory)
    shortest = affordable(laboratory.trainings, dict.fromkeys(laboratory.trainings, 1.0), 1, _BUDGET)
    steps = sum(shortest.values())
    if steps > _MOST_STEPS:
        raise SkippedError(f"it is not run: its trainings make at least {steps:,} steps, and a check {_MOST_STEPS}")
    try:
        laboratory.train()
    except DataError as error:
        raise SkippedError(f"its data is not at hand: {error}") from None
    return Done(laboratory=laboratory, told=told, folder=Path(folder.name) / "page")


def _laboratory(subject: Subject, folder: Path, told: list[str]) -> Laboratory:
    means = Means(folder=folder, seeds=(0,), budget=_BUDGET, device="cpu")
    return Laboratory(made(subject), means, subject.registry, told.append)


def _refuse_downloads(subject: Subject, laboratory: Laboratory) -> None:
    """What lies in files of the user's is too much for a check, even where it is there.

    Raises:
        SkippedError: a training is on such data.
    """
    for name in laboratory.trainings:
        data = laboratory.planned(name, 0).config.parts["data"].name
        if hasattr(subject.registry.find_spec("dataset", data).settings, "data_dir"):
            raise SkippedError(f"it is not run: training '{name}' is on '{data}', which is downloaded; set other data")
