"""The words and figures of a compliance report, the same in each of its forms."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.nouns import counted
from gateway.recall.reporting.compliance import Figures
from gateway.recall.reporting.report import Report, Shard

ALL = "all"

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Column(NamedTuple):
    """One figure: its name in CSV, its heading, and what it counts."""

    name: str
    heading: str
    means: str


COLUMNS = (
    Column("sent", "Sent", "recalls that were sent to the department in the period"),
    Column("delivered", "Delivered", "of these, whose webhook it took; one that only asks for its recalls has none"),
    Column("acknowledged", "Acknowledged", "of these, answered as done"),
    Column("passed_on", "Passed on", "of the acknowledged, answered with the names of others who have the records"),
    Column("refused", "Refused", "of those sent, whose last answer is a refusal, with the law that it rests on"),
    Column("unanswered", "No answer", "of those sent, without an answer"),
    Column("overdue", "Overdue", "of those sent, not acknowledged by their term; also where it came later"),
    Column("p50_seconds", "Half within", "half of the acknowledged were acknowledged within this time"),
    Column("p95_seconds", "95% within", "95 of 100 acknowledged were acknowledged within this time"),
    Column("suspensions", "Suspended", "grants of the department that were suspended in the period"),
    Column("suspensions_ended", "Ended", "suspensions of the department that ended in the period"),
    Column("late_objections", "Late objections", "objections that the department did not decide in time"),
)

HOW = (
    "A recall is counted in the period in which it was sent, for the department that has to answer, with what had"
    " become of it when the ledger was read. Suspensions and late objections are counted when they happened.",
    "Everything is counted from the ledger's entries, what became of erased subjects too. Departments are in the order"
    " of their names.",
    "Small figures can point to one case. Do not publish them as they are.",
)


def values(figures: Figures) -> Iterator[int | float | None]:
    """A figure for each column; times in seconds."""
    for column in COLUMNS:
        if column.name.endswith("_seconds"):
            time = getattr(figures, column.name.removesuffix("_seconds"))
            yield None if time is None else time / 1e6
        else:
            yield getattr(figures, column.name)


def cells(figures: Figures) -> list[str]:
    """The same for a reader."""
    return [
        "-" if value is None else duration(value) if column.name.endswith("_seconds") else f"{int(value):,}"
        for column, value in zip(COLUMNS, values(figures), strict=True)
    ]


def duration(seconds: float) -> str:
    """A length of time in its two largest units, such as `2 d 3 h`."""
    rest, found = round(seconds), list[str]()
    if rest == 0:
        return "0 s" if seconds == 0 else "under 1 s"
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        if count:
            found.append(f"{count} {unit}")
        if found and (len(found) == 2 or not count):
            break
    return " ".join(found)


def title(titles: Mapping[str, str], department: str) -> str:
    """What a department is called; its name where the catalogue has no title for it."""
    return titles.get(department, department)


def ordered(report: Report, titles: Mapping[str, str]) -> list[str]:
    """The departments in the order of what they are called."""
    return sorted(report.departments, key=lambda name: (title(titles, name).casefold(), name))


def day(date: datetime.date) -> str:
    """A day as it is read: `26 November 2026`."""
    return f"{date.day} {date:%B %Y}"


def minute(report: Report) -> str:
    """When the ledger's newest entry was made, in the time zone of the report."""
    at = report.at.astimezone(report.wanted.zone)
    return f"{day(at.date())}, {at:%H:%M}"


def span(report: Report) -> str:
    """Which days are counted, in words."""
    since, until = report.wanted.since, report.wanted.until
    if since is None and until is None:
        return "since the ledger began"
    if since is None:
        return f"until {day(until)}" if until is not None else ""
    return f"since {day(since)}" if until is None else f"from {day(since)} to {day(until)}"


def period(name: str) -> str:
    """The name of a period as it is read: `November 2026`, `4th quarter of 2026`, `2026`."""
    year, _, part = name.partition("-")
    if not part:
        return year
    if part.startswith("Q"):
        return f"{('1st', '2nd', '3rd', '4th')[int(part[1]) - 1]} quarter of {year}"
    return f"{datetime.date(2000, int(part), 1):%B} {year}"


def short(name: str) -> str:
    """The same where there is little room: `Nov 2026`, `Q4 2026`, `2026`."""
    year, _, part = name.partition("-")
    if not part or part.startswith("Q"):
        return f"{part} {year}".strip()
    return f"{datetime.date(2000, int(part), 1):%b} {year}"


def of_shard(shard: Shard) -> str:
    """What was read of a shard, so that it can be checked against the published log."""
    if shard.first >= shard.size:
        return f"nothing of {shard.origin}, which has {counted(shard.size, 'entry')}"
    return f"entries {shard.first} to {shard.size - 1} of {shard.origin}"


def lost(report: Report) -> str:
    """What could not be read, or nothing."""
    if not report.lost:
        return ""
    return (
        f"{counted(report.lost, 'entry', ',')} could not be read: the keys of their days were destroyed. They"
        " are not counted."
    )
