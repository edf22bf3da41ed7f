"""Seconds by folder of `tests/`, at the end of a run: what setting up, running and tearing down its tests took.

They are summed over the workers of a run, so they are more than the run took.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest


class Spent(NamedTuple):
    """What a folder's tests took: seconds, and how many tests there were."""

    seconds: float = 0.0
    tests: int = 0


def by_folder(reports: Iterable[Any]) -> dict[str, Spent]:
    """The sums of a run's reports by the test's folder, the longest first. `tests/x/y/test_z.py` is of `tests/x`."""
    sums: dict[str, Spent] = {}
    for report in reports:
        if isinstance(report, pytest.TestReport):
            folder = "/".join(report.nodeid.partition("::")[0].split("/")[:2])
            spent = sums.get(folder, Spent())
            sums[folder] = Spent(spent.seconds + report.duration, spent.tests + (report.when == "setup"))
    return dict(sorted(sums.items(), key=lambda each: -each[1].seconds))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    spent = by_folder(reports)
    if spent:
        terminalreporter.section("seconds by folder")
        for folder, (seconds, tests) in spent.items():
            terminalreporter.line(f"{seconds:8.1f}  {folder} ({tests:,} tests)")
        terminalreporter.line(f"{sum(each.seconds for each in spent.values()):8.1f}  in all")
