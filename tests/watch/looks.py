"""Looks made by hand, and detectors with the shipped thresholds."""

from __future__ import annotations

import datetime
import functools
import itertools
from pathlib import Path

from gateway.errors import Problem
from gateway.rules.files import calendar, thresholds
from gateway.rules.files.calendar import Calendar
from gateway.rules.files.thresholds import Thresholds
from gateway.watch.model import ANSWERED, Actor, Detector, Finding, Look, Seen

POLICIES = Path(__file__).parents[2] / "policies"
NOON = datetime.datetime(2026, 9, 15, 9, 0, tzinfo=datetime.UTC)
"""A Tuesday, 12:00 by the clocks of the policies."""
IVANOVA = Actor("https://login.example", "market-regulator", "m.ivanova")

_entries = itertools.count(1)


@functools.cache
def shipped() -> Thresholds:
    problems: list[Problem] = []
    found = thresholds.load(POLICIES, problems)
    assert problems == []
    return found


@functools.cache
def dates() -> Calendar:
    problems: list[Problem] = []
    found = calendar.load(POLICIES, problems)
    assert problems == []
    return found


def look(
    subject: int | str = "subject",
    *,
    after: datetime.timedelta = datetime.timedelta(),
    at: datetime.datetime = NOON,
    actor: Actor = IVANOVA,
    purpose: str = "TENDER_QUALIFICATION",
    case: str | None = None,
    outcome: str = ANSWERED,
) -> Look:
    """One inquiry; a subject that is a number has that serial number."""
    seen = Seen(f"{subject}".encode(), "PIN", subject if isinstance(subject, int) else None)
    return Look(next(_entries), at + after, actor, purpose, case, (seen,), outcome)


def show(detector: Detector, *looks: Look) -> list[Finding | None]:
    """What a detector says to each."""
    return [detector.see(each) for each in looks]


def named(number: int) -> Actor:
    return Actor(IVANOVA.issuer, IVANOVA.client, f"official-{number}")


def minutes(count: float) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)


def days(count: float) -> datetime.timedelta:
    return datetime.timedelta(days=count)
