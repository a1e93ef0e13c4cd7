"""The pytest plugin: ``@pytest.mark.genframe("noise/signs")`` turns each check of a part into a test.

pytest imports this module in every session of an environment that genframe is installed in. So it imports nothing but
pytest; whatever else it needs waits for a test that is marked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from genframe.testing.results import Check

_FIXTURE = "genframe_check"
_PROPERTY = "genframe_outcome"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers", "genframe(name, settings={}): run the conformance checks of this part or plugin of genframe"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each check of each part that a mark names."""
    if _FIXTURE not in metafunc.fixturenames:
        return
    marks = [mark for mark in metafunc.definition.iter_markers("genframe") if mark.args]
    if not marks:
        raise pytest.UsageError(f'{_FIXTURE} needs a part: mark the test with @pytest.mark.genframe("KIND/NAME")')
    from genframe.errors import GenframeError
    from genframe.testing import checks

    try:
        found = [each for mark in reversed(marks) for name in mark.args for each in checks(name, **mark.kwargs)]
    except GenframeError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(_FIXTURE, found, indirect=True, ids=[f"{each.part}-{each.name}" for each in found])


@pytest.fixture
def genframe_check(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Runs the check that this test is about: the test fails or is skipped with the check's reason."""
    check: Check = request.param

    def run() -> None:
        result = check()
        request.node.user_properties.append((_PROPERTY, result.outcome))
        if result.outcome == "failed":
            pytest.fail(f"{check.part}, {check.name}: {result.reason}\n({check.explanation})", pytrace=False)
        if result.outcome == "skipped":
            pytest.skip(f"{check.part}, {check.name}: {result.reason}")

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts the checks, those that say nothing included."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    outcomes = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if outcomes:
        counts = ", ".join(f"{outcomes.count(each)} {each}" for each in ("passed", "failed", "skipped"))
        terminalreporter.write_line(f"genframe checks: {counts}")
