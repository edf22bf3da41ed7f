"""Compliance of each department, counted from the ledger and from nothing else, so that it can be checked against it.

Entries are read one after the other, each held to its leaf and all to the signed heads; what is counted is the general
part of acts, which stays when a subject is erased. What belongs to one recall may stand in several shards: it is put
together by sorting in a file that goes with the process. That file has ids of recalls, departments and times, and names
no subject. So memory depends on how many departments and periods there are, and not on how much they did.

Nobody sees a subject's data by this, so no view is entered: what comes out are counts of departments.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import sqlite3
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from gateway.errors import CommandRefused, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import held, read
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.recall.reporting import compliance
from gateway.recall.reporting.compliance import By, Event, Fate, Figures
from gateway.storage.port import Reader
from gateway.storage.tables import micros, moment

MOST_PERIODS = 240
"""As many as a page can show; twenty years of months."""
_CACHE = 16 * 1024
_TELL = 4096

Progress = Callable[[str, int, int], None]
Key = tuple[str | None, str | None]


class Wanted(NamedTuple):
    """From the first day to the last, both included, in the time zone; without them, all that there is."""

    since: datetime.date | None
    until: datetime.date | None
    by: By
    zone: zoneinfo.ZoneInfo

    def micros(self) -> tuple[int | None, int | None]:
        """The first moment, and the first one after the last."""
        ends = (self.since, self.until and self.until + datetime.timedelta(days=1))
        first, last = (datetime.datetime.combine(day, datetime.time(), self.zone) if day else None for day in ends)
        return (None if first is None else micros(first), None if last is None else micros(last))


class Shard(NamedTuple):
    """What was read of one shard: the entries from `first` to before `size`, of the tree with this root."""

    origin: str
    first: int
    size: int
    root: bytes


class Report(NamedTuple):
    """What was counted, as of the newest entry (`at`). Departments are in the order of their names.

    `figures` are by department and period; None stands for all. `lost` entries could not be read any more.
    """

    wanted: Wanted
    at: datetime.datetime
    departments: tuple[str, ...]
    periods: tuple[str, ...]
    figures: Mapping[Key, Figures]
    shards: tuple[Shard, ...]
    lost: int

    def of(self, department: str | None, period: str | None = None) -> Figures:
        """The figures of a department and period; None is all of them."""
        return self.figures.get((department, period), Figures())


def made(reader: Reader, wanted: Wanted, progress: Progress | None = None) -> Report:
    """Read the ledger and count. Raises `VerificationFailed` where it was altered, `CommandRefused` for too much."""
    heads = read.heads(reader)
    since, _ = wanted.micros()
    shards = []
    with contextlib.closing(_Counting(wanted)) as counting:
        for head in heads:
            first = 0 if since is None else read.first_since(reader, head, since)
            shards.append(Shard(head.origin, first, head.size, head.root))
            for entry in held.entries(reader, head, first, renew=True):
                if progress is not None and entry.index % _TELL == 0:
                    progress(head.name, entry.index, head.size)
                counting.take(head, entry)
        now = max((head.floor for head in heads), default=0)
        return counting.report(now, tuple(shards))


class _Counting:
    """What was read so far. Each of a recall's events waits in a file to be sorted; the rest is counted at once."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._since, self._until = wanted.micros()
        self._figures: dict[Key, Figures] = {}
        self._lost = 0
        self._file = sqlite3.connect("", isolation_level=None)  # a file without a name, removed by whoever closes it
        for pragma in (f"cache_size = -{_CACHE}", "journal_mode = OFF", "synchronous = OFF"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(
            "CREATE TABLE event (recall TEXT, what TEXT, at INT, department TEXT, term INT, outcome TEXT)"
        )
        self._file.execute("CREATE TABLE took (micros INT, department TEXT, period TEXT)")
        self._file.execute("BEGIN")

    def close(self) -> None:
        self._file.close()

    def take(self, head: Head, entry: StoredEntry) -> None:
        """One more entry."""
        if entry.told is None:
            self._lost += 1
            return
        try:
            told = entries.read_told(entry.told.general.body)
            if not isinstance(told, entries.Acted):
                return
            if told.what == compliance.LATE and told.to is None:
                told = entry.read_told()  # from before the general part said whose it is
        except ValueError as error:
            raise VerificationFailed(f"entry {entry.index} of shard `{head.name}`: {error}") from error
        if isinstance(told, entries.Acted):
            self._act(told)

    def _act(self, told: entries.Acted) -> None:
        at = micros(told.at)
        if told.what in compliance.OF_RECALLS:
            if told.what == compliance.RECALLED and not self._within(at):
                return
            term = None if told.term is None else micros(told.term)
            event = (told.recall, told.what, at, compliance.department(told), term, told.outcome)
            self._file.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", event)
        elif told.what in compliance.ALONE and self._within(at):
            for figures in self._all(compliance.department(told), self._period(at)):
                figures.suspensions += told.what == compliance.SUSPENDED
                figures.suspensions_ended += told.what == compliance.RESUMED
                figures.late_objections += told.what == compliance.LATE

    def _within(self, at: int) -> bool:
        return (self._since is None or at >= self._since) and (self._until is None or at < self._until)

    def _period(self, at: int) -> str:
        return compliance.period(moment(at), self._wanted.by, self._wanted.zone)

    def _all(self, department: str, period: str) -> Iterator[Figures]:
        """The figures that what a department did in a period counts for."""
        for key in ((department, period), (department, None), (None, period), (None, None)):
            yield self._figures.setdefault(key, Figures())

    def report(self, now: int, shards: tuple[Shard, ...]) -> Report:
        """All that was read, counted."""
        for fate in self._fates(now):
            period = self._period(fate.sent)
            for figures in self._all(fate.department, period):
                figures.add(fate)
            if fate.took is not None:
                self._file.execute("INSERT INTO took VALUES (?, ?, ?)", (fate.took, fate.department, period))
        self._times()
        names = sorted({period for _, period in self._figures if period is not None})
        periods = tuple(itertools.islice(compliance.between(names[0], names[-1]), MOST_PERIODS + 1)) if names else ()
        if len(periods) > MOST_PERIODS:
            raise CommandRefused(
                f"from {names[0]} to {names[-1]} are more than {MOST_PERIODS} periods: ask for fewer days (`--since`,"
                " `--until`), or for longer periods (`--by`)"
            )
        departments = tuple(sorted({department for department, _ in self._figures if department is not None}))
        return Report(self._wanted, moment(now), departments, periods, self._figures, shards, self._lost)

    def _fates(self, now: int) -> Iterator[Fate]:
        """What became of each recall, once all is read."""
        rows = self._file.execute(
            "SELECT recall, what, at, department, term, outcome FROM event ORDER BY recall, at, rowid"
        )
        for _, group in itertools.groupby(rows, key=lambda row: row[0]):
            found = compliance.fate((Event(*row[1:]) for row in group), now)
            if found is not None:
                yield found

    def _times(self) -> None:
        """The times to acknowledgement of each department and period, by nearest rank."""
        passed: dict[Key, int] = {}
        for took, department, period in self._file.execute("SELECT micros, department, period FROM took ORDER BY 1"):
            for key in ((department, period), (department, None), (None, period), (None, None)):
                figures, place = self._figures[key], passed.get(key, 0) + 1
                passed[key] = place
                if place == (figures.acknowledged + 1) // 2:
                    figures.p50 = took
                if place == -(-95 * figures.acknowledged // 100):
                    figures.p95 = took
