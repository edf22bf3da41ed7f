"""How detectors report what they found: alike, with an id that lasts as long as the pattern does. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Protocol

from gateway.watch.model import MOST_ENTRIES, Detector, Finding, Look, place


class Pattern(Protocol):
    """Where a detector remembers which finding a pattern already is."""

    found: str | None


def finding(detector: Detector, look: Look, pattern: Pattern, entries: Sequence[int], words: str) -> Finding:
    """The finding that a look completes or continues; `entries` in the order they were seen."""
    if pattern.found is None:
        pattern.found = f"{detector.id}-{place(look.entry)}"
    named = tuple(entries[-MOST_ENTRIES:])
    return Finding(pattern.found, detector.id, detector.article, look.at, look.actor, look.purpose, named, words)


def counted(span: datetime.timedelta) -> str:
    """A length of time in words."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes != 1 else ''}"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
