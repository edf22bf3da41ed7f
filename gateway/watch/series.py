"""Detectors of how an official asks: one identifier after another, at what hours, and how much. Pure."""

from __future__ import annotations

import bisect
import collections
import datetime
import statistics
from typing import NamedTuple

from gateway.rules.files.calendar import Calendar
from gateway.rules.files.thresholds import FarAbove, OutOfHours, Sequence
from gateway.watch.finding import counted, finding
from gateway.watch.model import MOST_ENTRIES, Actor, Finding, Look
from gateway.watch.recent import MOST_KEYS, Recent


class _Number(NamedTuple):
    ordinal: int
    entry: int


class SequentialIdentifiers:
    """Many identifiers in a row: a register is being gone through."""

    id, article = "sequential-identifiers", "28(1)"

    def __init__(self, wanted: Sequence) -> None:
        self._wanted = wanted
        self._recent: Recent[tuple[Actor, str], _Number] = Recent(wanted.within)

    def see(self, look: Look) -> Finding | None:
        found = None
        for seen in look.subjects:
            if seen.ordinal is not None:
                slot = self._recent.add((look.actor, seen.scheme), look.at, _Number(seen.ordinal, look.entry))
                run = self._run(sorted(set(slot)), seen.ordinal)
                length = len({number.ordinal for number in run})
                if length < self._wanted.run:
                    slot.found = None
                    continue
                words = (
                    f"{look.actor} asked for {length} identifiers in a row, none further than {self._wanted.gap} from "
                    f"the next, in {counted(slot.span)}; from {self._wanted.run} on it is looked at"
                )
                found = finding(self, look, slot, sorted({number.entry for number in run}), words)
        return found

    def _run(self, numbers: list[_Number], ordinal: int) -> list[_Number]:
        """The numbers around one, each near enough to the next."""
        first = bisect.bisect_left(numbers, ordinal, key=lambda number: number.ordinal)
        last = first
        while first > 0 and numbers[first].ordinal - numbers[first - 1].ordinal <= self._wanted.gap:
            first -= 1
        while last + 1 < len(numbers) and numbers[last + 1].ordinal - numbers[last].ordinal <= self._wanted.gap:
            last += 1
        return numbers[first : last + 1]


class OutOfHoursInquiries:
    """Inquiries at night or on days off, of officials who are not on duty then."""

    id, article = "out-of-hours", "28(1)"

    def __init__(self, wanted: OutOfHours, calendar: Calendar) -> None:
        self._wanted, self._calendar = wanted, calendar
        self._recent: Recent[Actor, int] = Recent(datetime.timedelta(days=1))

    def see(self, look: Look) -> Finding | None:
        actor, wanted = look.actor, self._wanted
        if actor.official is None or wanted.on_duty & {actor.client, f"{actor.client}/{actor.official}"}:
            return None
        local = self._calendar.local(look.at)
        if self._calendar.worked(local.date()) and wanted.opens <= local.time() < wanted.closes:
            return None
        slot = self._recent.add(actor, look.at, look.entry)
        if len(slot) < wanted.inquiries:
            slot.found = None
            return None
        words = (
            f"{actor} asked {len(slot)} times within 24 hours outside {wanted.opens:%H:%M} to {wanted.closes:%H:%M} of "
            f"working days, the last time on {local:%A %Y-%m-%d at %H:%M}; from {wanted.inquiries} on it is looked at"
        )
        return finding(self, look, slot, list(slot), words)


class _Days:
    """An official's day so far, and how many subjects there were on earlier days with inquiries."""

    __slots__ = ("day", "earlier", "entries", "found", "subjects")

    def __init__(self, kept: int) -> None:
        self.day = datetime.date.min
        self.subjects: set[bytes] = set()
        self.entries: collections.deque[int] = collections.deque(maxlen=MOST_ENTRIES)
        self.earlier: collections.deque[int] = collections.deque(maxlen=kept)
        self.found: str | None = None


class FarAboveOwnHistory:
    """Many more subjects in a day than on the same official's other days."""

    id, article = "far-above-own-history", "28(1)"

    _MOST_SUBJECTS = 100_000

    def __init__(self, wanted: FarAbove, calendar: Calendar) -> None:
        self._wanted, self._calendar = wanted, calendar
        self._actors: collections.OrderedDict[Actor, _Days] = collections.OrderedDict()

    def see(self, look: Look) -> Finding | None:
        actor, wanted = look.actor, self._wanted
        if actor.official is None:
            return None
        days = self._actors.get(actor)
        if days is None:
            days = self._actors[actor] = _Days(wanted.of_last)
            if len(self._actors) > MOST_KEYS:
                self._actors.popitem(last=False)
        self._actors.move_to_end(actor)
        day = self._calendar.local(look.at).date()
        if day > days.day:
            if days.subjects:
                days.earlier.append(len(days.subjects))
            days.day, days.found = day, None
            days.subjects.clear()
            days.entries.clear()
        days.subjects.update(seen.key for seen in look.subjects[: self._MOST_SUBJECTS - len(days.subjects)])
        days.entries.append(look.entry)
        count = len(days.subjects)
        if count < wanted.least or len(days.earlier) < wanted.worked_days:
            return None
        usual = statistics.median(days.earlier)
        if count < wanted.times * usual:
            return None
        words = (
            f"{actor} asked about {count} subjects on {day}, and about {usual:g} on the median of the last "
            f"{len(days.earlier)} days with inquiries; {wanted.times} times as many, and {wanted.least}, are looked at"
        )
        return finding(self, look, days, list(days.entries), words)
