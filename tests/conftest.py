"""What happens in CI when golden sets are missing, and the counts and figures printed behind the tests."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.shared import SHARED_GOLDENS

# A deadline measures the machine, not the code; in CI the same examples every time, elsewhere new ones.
settings.register_profile("nvdla", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("nvdla")
# the user properties that carry a test's counts and figures to the summary
COUNTS = "golden counts"
FIGURES = "figures"


# In CI the goldens must be there: a suite that skips its main evidence must not be green.
NEEDS_GOLDENS = bool(os.environ.get("CI"))
GOLDEN_SKIPS = ("golden set", "got empty parameter set")  # no file matches what the test is parametrised by


def pytest_configure(config: pytest.Config) -> None:
    if NEEDS_GOLDENS and not SHARED_GOLDENS.is_dir():
        raise pytest.UsageError(f"CI needs the golden sets, and {SHARED_GOLDENS} is not there")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NEEDS_GOLDENS and reporter is not None and _golden_skips(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _golden_skips(reporter: pytest.TerminalReporter) -> list[str]:
    """The tests that were skipped because goldens are missing."""
    return [
        report.nodeid
        for report in reporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and any(word in report.longrepr[2] for word in GOLDEN_SKIPS)
    ]


@pytest.fixture
def count_goldens(
    record_property: Callable[[str, object], None],
) -> Callable[[str, str, str, int, int], None]:
    """``count_goldens(suite, row, column, passed, failed)``: one cell of the table printed for the suite."""

    def count(suite: str, row: str, column: str, passed: int, failed: int) -> None:
        record_property(COUNTS, [suite, row, column, passed, failed])

    return count


@pytest.fixture
def tell_figure(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """``tell_figure(section, line)``: something measured, printed in the summary under its section."""

    def tell(section: str, line: str) -> None:
        record_property(FIGURES, [section, line])

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if NEEDS_GOLDENS:
        for test in _golden_skips(terminalreporter):
            terminalreporter.write_line(f"FAILED {test}: CI must not skip goldens", red=True)
    suites: dict[str, list[list]] = defaultdict(list)
    figures: dict[str, list[str]] = defaultdict(list)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, content in report.user_properties:
                    if name == COUNTS:
                        suites[content[0]].append(content[1:])
                    elif name == FIGURES:
                        figures[content[0]].append(content[1])
    for section, lines in figures.items():
        terminalreporter.section(section)
        for line in sorted(lines):
            terminalreporter.write_line(line)
    for suite, cells in suites.items():
        passed, failed = sum(cell[2] for cell in cells), sum(cell[3] for cell in cells)
        terminalreporter.section(f"goldens: {suite}: {passed} passed, {failed} failed")
        for line in table(cells):
            terminalreporter.write_line(line)


def table(cells: list[list]) -> list[str]:
    """Lines of a table of (row, column, passed, failed): "passed", or "passed/all" where some failed.

    Counts of the same row and column are added up.
    """
    rows, columns = ([*dict.fromkeys(sorted(cell[i] for cell in cells))] for i in (0, 1))
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row, column, good, bad in cells:
        sums[row, column][0] += good
        sums[row, column][1] += bad
    texts = {at: f"{good}" if not bad else f"{good}/{good + bad}" for at, (good, bad) in sums.items()}
    widths = [max(len(column), 5) for column in columns]
    margin = max(len(row) for row in rows)
    lines = [["", *columns], *([row, *(texts.get((row, column), "") for column in columns)] for row in rows)]
    return [
        f"{line[0]:{margin}}  " + "  ".join(f"{text:>{w}}" for text, w in zip(line[1:], widths, strict=True))
        for line in lines
    ]
