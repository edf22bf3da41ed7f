"""The calendar of the policies, read from `policies/calendar.yaml`: time zone, working days, holidays and terms.

Days end at midnight of the time zone. Which days are worked is a jurisdiction's own business, so holidays are listed by
date, year by year, as the gazette announces them; a holiday that falls on a day not worked changes nothing. A year of
which a holiday stands there is listed; what is counted beyond is `gateway/rules/deadlines.py`'s affair.
"""

from __future__ import annotations

import datetime
import hashlib
import zoneinfo
from functools import cached_property
from pathlib import Path

import msgspec

from gateway import documents
from gateway.documents import Node
from gateway.errors import Problem
from gateway.values import suggest

FILE = "calendar.yaml"

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


MOST_TERM = 260
"""Working days: a year of them."""


class Terms(msgspec.Struct, frozen=True):
    """Terms in working days: to decide an objection or an application, to correct, and to obey a recall.
    `consultation` is the shortest consultation on a supplement of the catalogue."""

    objection: int = 7
    restoration: int = 20
    correction: int = 5
    recall: int = 10
    consultation: int = 20


class Calendar(msgspec.Struct, frozen=True, dict=True):
    """`working_days` counts from 0 for Monday.

    `holidays` are days off that would be worked otherwise; `make_up` are days that are worked although they would be
    off, for a holiday before or after.
    """

    time_zone: str = "UTC"
    working_days: frozenset[int] = frozenset(range(5))
    holidays: frozenset[datetime.date] = frozenset()
    make_up: frozenset[datetime.date] = frozenset()
    terms: Terms = Terms()

    @cached_property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def local(self, at: datetime.datetime) -> datetime.datetime:
        """An aware moment as the clocks of the jurisdiction show it."""
        return at.astimezone(self.zone)

    def worked(self, day: datetime.date) -> bool:
        """Whether a day is a working day, as far as it is listed."""
        return (day.weekday() in self.working_days and day not in self.holidays) or day in self.make_up

    @cached_property
    def listed(self) -> frozenset[int]:
        """The years whose holidays are listed."""
        return frozenset(day.year for day in self.holidays)

    @property
    def ends(self) -> datetime.date | None:
        """The last day of the last year that is listed; `None` where none is."""
        return datetime.date(max(self.listed), 12, 31) if self.listed else None

    @cached_property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all of it: what a deadline was counted by."""
        days = [sorted(each) for each in (self.working_days, self.holidays, self.make_up)]
        return hashlib.sha256(msgspec.json.encode([self.time_zone, *days, self.terms], order="sorted")).hexdigest()


def load(policies_dir: Path, problems: list[Problem]) -> Calendar:
    """Read the calendar; what is wrong becomes problems, and has the defaults of `Calendar`."""
    root = documents.read(policies_dir / FILE, problems, within=policies_dir)
    optional = ["working_days", "holidays", "worked", "terms"]
    parts = root.mapping(["time_zone"], optional) if root is not None else {}
    holidays = _days(parts["holidays"]) if "holidays" in parts else {}
    make_up = _days(parts["worked"]) if "worked" in parts else {}
    for day in holidays.keys() & make_up.keys():
        make_up[day].problem(f"`{day}` is a holiday too; keep it in one of the two lists")
    return Calendar(
        _zone(parts["time_zone"]) if "time_zone" in parts else "UTC",
        _working(parts["working_days"]) if "working_days" in parts else Calendar().working_days,
        frozenset(holidays),
        frozenset(make_up),
        _terms(parts["terms"]) if "terms" in parts else Terms(),
    )


def _zone(node: Node) -> str:
    name = node.text(what="an IANA time zone, such as `Europe/Sofia`")
    if not name:
        return "UTC"
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = suggest(name, zoneinfo.available_timezones())
        node.problem(f"unknown time zone `{name}`{known}; write an IANA name, such as `Europe/Sofia`")
        return "UTC"


def _working(node: Node) -> frozenset[int]:
    found = [DAYS.index(item.choice(DAYS, "days are")) for item in node.items()]
    if node.is_sequence and not found:
        node.problem("is empty; name at least one day")
    return frozenset(found)


def _days(node: Node) -> dict[datetime.date, Node]:
    found: dict[datetime.date, Node] = {}
    for item in node.items():
        day = item.date()
        if day in found and not item.told:
            item.problem(f"`{day}` appears twice; keep one")
        found[day] = item
    return {day: item for day, item in found.items() if not item.told}


def _terms(node: Node) -> Terms:
    parts, usual = node.mapping((), Terms.__struct_fields__), Terms()
    return Terms(*(parts[name].integer(1, MOST_TERM, getattr(usual, name)) for name in Terms.__struct_fields__))
