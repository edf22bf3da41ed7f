"""A simulation's result as text for a terminal, as CSV (RFC 4180, UTF-8) and as JSON. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from gateway.errors import printable
from gateway.nouns import counted
from gateway.simulation.compare import NOT_REPLAYABLE
from gateway.simulation.result import Result, Row

COLUMNS = ("change", *Row.__struct_fields__)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TRUTH = {True: "permitted", False: "denied", None: "unknown"}
_SHORT = 12


def as_json(result: Result) -> Iterator[str]:
    """One object."""
    yield msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"


def as_csv(result: Result) -> Iterator[str]:
    """A line for each department, purpose and field that is not decided alike; a cell that a spreadsheet would take for
    a formula begins with an apostrophe."""
    yield _line(COLUMNS)
    for row in result.rows:
        yield _line((row.change, *(_cell(value) for value in msgspec.structs.astuple(row))))


def _cell(value: str | bool | int | None) -> str:
    if value is None or isinstance(value, bool):
        return _TRUTH[value]
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def as_text(result: Result) -> Iterator[str]:
    """What a person reads: how much would change, then what opens, then what closes, the most frequent first."""
    for line in _lines(result):
        yield printable(line) + "\n"


def _lines(result: Result) -> Iterator[str]:
    since, until = (at.isoformat(sep=" ", timespec="minutes") for at in (result.since, result.until))
    yield f"Rule set {result.candidate[:_SHORT]} on what was asked from {since} until {until}"
    yield (
        f"  {counted(result.entries, 'entry', ',')}, {result.inquiries:,} of them inquiries, with"
        f" {counted(result.decisions, 'decision', ',')} about a subject"
    )
    yield f"  {result.changed:,} would be decided differently from what was recorded"
    if result.not_replayable:
        yield f"  {sum(result.not_replayable.values()):,} cannot be decided again, and are in no other count:"
        for reason, count in result.not_replayable.items():
            yield f"    {count:,}: {NOT_REPLAYABLE[reason]} (`{reason}`)"
    for change, title in (("opens", "Would open"), ("closes", "Would close")):
        rows = result.of(change)
        yield from table(title, [[*_named(row), f"{_was(change)}: {because(row.reason, row.rule)}"] for row in rows])
    if result.moved:
        rows = [row for row in result.rows if row.active not in (row.recorded, None)]
        title = f"The active rule set {result.active[:_SHORT]} decides {result.moved:,} otherwise than was recorded"
        yield from table(title, [[*_named(row), "opens" if row.active else "closes"] for row in rows])


def _named(row: Row) -> list[str]:
    return [f"{row.decisions:,}", row.department, row.purpose, f"{row.dataset}.{row.field}"]


def _was(change: str) -> str:
    return "was denied" if change == "opens" else "will be denied"


def because(reason: str, rule: str) -> str:
    """Why something is denied, in a word or two."""
    return ", ".join(part for part in (reason, rule) if part) or "the reason is unknown"


def table(title: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells under a title, for a terminal; nothing where there are none."""
    if not rows:
        return
    yield ""
    yield f"{title}:"
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = row
        cells = [first.rjust(widths[0]), *(text.ljust(width) for text, width in zip(rest, widths[1:], strict=True))]
        yield f"  {'  '.join(cells)}".rstrip()
