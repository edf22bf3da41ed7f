"""A compliance report as text for a terminal, and as CSV (RFC 4180, UTF-8)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping

from gateway.errors import printable
from gateway.recall.reporting import words
from gateway.recall.reporting.compliance import Figures
from gateway.recall.reporting.report import Report
from gateway.recall.reporting.words import ALL, COLUMNS
from gateway.texts.sheet import cell, csv_line


def as_csv(report: Report, titles: Mapping[str, str]) -> Iterator[str]:
    """The file, line by line: each department and period, then each department, then all departments.

    Where a row is of all departments or periods it says so by `all`; times are in seconds. A cell of text that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    yield csv_line(("department", "title", "period", *(column.name for column in COLUMNS)))
    for department, name, figures in _rows(report):
        numbers = (_number(value) for value in words.values(figures))
        named = "" if department is None else words.title(titles, department)
        yield csv_line((cell(department or ALL), cell(named), name or ALL, *numbers))


def _rows(report: Report) -> Iterator[tuple[str | None, str | None, Figures]]:
    for department in (*report.departments, None):
        for name in (*report.periods, None):
            yield department, name, report.of(department, name)


def _number(value: int | float | None) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)


def as_text(report: Report, titles: Mapping[str, str]) -> Iterator[str]:
    """The report, line by line."""
    yield f"Recalls {words.span(report)} ({report.wanted.zone.key}), as the ledger has them on {words.minute(report)}"
    yield ""
    departments = words.ordered(report, titles)
    if departments:
        rows = [(words.title(titles, each), report.of(each)) for each in departments]
        yield from _table("Department", rows, report.of(None))
    else:
        yield "No recall was sent, no grant suspended, and no objection late."
    if len(report.periods) > 1:
        for each in departments:
            yield ""
            yield printable(words.title(titles, each))
            rows = [(name, report.of(each, name)) for name in report.periods]
            yield from _table("Period", rows, report.of(each))
    yield ""
    for column in COLUMNS:
        yield f"{column.heading}: {column.means}."
    yield ""
    yield from words.HOW
    if lacking := words.lost(report):
        yield lacking
    yield from read_from(report)


def read_from(report: Report) -> Iterator[str]:
    """What was read, so that whoever has the ledger's published log can check the report against it."""
    for shard in report.shards:
        yield f"Read: {words.of_shard(shard)}, of the tree with the root {b64encode(shard.root).decode()}"


def _table(heading: str, rows: list[tuple[str, Figures]], total: Figures) -> Iterator[str]:
    lines = [[heading, *(column.heading for column in COLUMNS)]]
    lines += [[printable(name), *words.cells(figures)] for name, figures in rows]
    lines.append([ALL, *words.cells(total)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for first, *rest in lines:
        told = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  ".join(told).rstrip()
