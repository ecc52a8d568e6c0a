"""pytest plugin: what was not tested is listed at the end, and `BITQUARRY_REQUIRE_ALL=1` turns it into failures.

Only tests marked `gpu` may still be skipped then.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

REQUIRE_ALL = "BITQUARRY_REQUIRE_ALL"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("gpu") is None:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = Counter(skip_reason(report) for report in terminalreporter.getreports("skipped"))
    if not skipped:
        return
    terminalreporter.section("NOT TESTED HERE", yellow=True)
    for reason, num_skipped in sorted(skipped.items()):
        terminalreporter.write_line(f"{num_skipped} skipped: {reason}")
    terminalreporter.write_line(f"({REQUIRE_ALL}=1 turns these into failures, except for missing GPUs)")


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The text given to `pytest.skip`, without file and line."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure also counts as "skipped", but did run.
    if os.environ.get(REQUIRE_ALL) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"skipped although {REQUIRE_ALL}=1: {skip_reason(report)}"
        report.outcome = "failed"
