"""The calendar of the policies, read from `policies/calendar.yaml`: time zone, working days and holidays.

Days end at midnight of the time zone. Which days are worked is a jurisdiction's own business, so holidays are listed by
date, year by year, as the gazette announces them; a holiday that falls on a day not worked changes nothing.
"""

from __future__ import annotations

import datetime
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


class Calendar(msgspec.Struct, frozen=True, dict=True):
    """`working_days` counts from 0 for Monday; `holidays` are days off that would be worked otherwise."""

    time_zone: str = "UTC"
    working_days: frozenset[int] = frozenset(range(5))
    holidays: frozenset[datetime.date] = frozenset()

    @cached_property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def local(self, at: datetime.datetime) -> datetime.datetime:
        """An aware moment as the clocks of the jurisdiction show it."""
        return at.astimezone(self.zone)

    def worked(self, day: datetime.date) -> bool:
        """Whether a day is a working day."""
        return day.weekday() in self.working_days and day not in self.holidays


def load(policies_dir: Path, problems: list[Problem]) -> Calendar:
    """Read the calendar; what is wrong becomes problems, and has the defaults of `Calendar`."""
    root = documents.read(policies_dir / FILE, problems)
    parts = root.mapping(["time_zone"], ["working_days", "holidays"]) if root is not None else {}
    return Calendar(
        _zone(parts["time_zone"]) if "time_zone" in parts else "UTC",
        _working(parts["working_days"]) if "working_days" in parts else Calendar().working_days,
        _holidays(parts["holidays"]) if "holidays" in parts else frozenset(),
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


def _holidays(node: Node) -> frozenset[datetime.date]:
    found: set[datetime.date] = set()
    for item in node.items():
        day = item.date()
        if day in found and not item.told:
            item.problem(f"`{day}` stands twice; keep one")
        found.add(day)
    return frozenset(found)
