"""What a department was asked by the ledger's record, entry by entry, in order of time."""

from __future__ import annotations

import contextlib
import datetime
import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from gateway.acts.sampling import SAMPLE
from gateway.errors import CommandRefused, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import held, read
from gateway.storage.port import Reader, Store

DISORDER = datetime.timedelta(seconds=120)
"""How far what is made at the same time may be out of order."""
_T = TypeVar("_T")
Subject = tuple[str, str]
"""Scheme and value."""


class Expected:
    """An entry: where it stands, when it was decided, and which datasets of the department of which subjects it names.

    `asked` says of each whether a call must have been made: not where the department failed, or where a person may have
    looked. `erased`: it named a subject that nobody can tell any more. `calls` counts those that were of what is in
    `asked`, by path; with the path 0, all of them.
    """

    __slots__ = ("asked", "at", "calls", "erased", "id", "met", "place")

    def __init__(
        self, place: str, id_: str, at: datetime.datetime, asked: dict[tuple[Subject, str], bool], erased: bool
    ) -> None:
        self.place, self.id, self.at, self.asked, self.erased = place, id_, at, asked, erased
        self.met: set[tuple[Subject, str]] = set()
        self.calls: dict[tuple[tuple[Subject, str], int], int] = {}


def in_order(items: Iterable[_T], at: Callable[[_T], datetime.datetime], late: Callable[[_T], str]) -> Iterator[_T]:
    """Items that are nearly in order of time, in order; raises `CommandRefused` for one that is later than `DISORDER`.

    So many are held as came within that time.
    """
    waiting: list[tuple[datetime.datetime, int, _T]] = []
    given = newest = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    for number, item in enumerate(items):
        time = at(item)
        if time < given:
            raise CommandRefused(late(item))
        newest = max(newest, time)
        heapq.heappush(waiting, (time, number, item))
        while waiting and waiting[0][0] <= newest - DISORDER:
            given, _, item = heapq.heappop(waiting)
            yield item
    while waiting:
        yield heapq.heappop(waiting)[2]


def expected(
    store: Store,
    datasets: Collection[str],
    since: datetime.datetime,
    until: datetime.datetime,
    progress: Callable[[str, int, int], None],
) -> Iterator[Expected]:
    """The entries from `since` to before `until` by which a department with these datasets was asked.

    Every entry is checked against its leaf, and every shard to its head. Raises `VerificationFailed`.
    """  # fmt: skip
    with contextlib.closing(store.reader()) as reader:
        shards = [_of_shard(reader, head, datasets, since, until, progress) for head in read.heads(reader)]
        ordered = [in_order(each, lambda found: found.at, _late) for each in shards]
        yield from heapq.merge(*ordered, key=lambda found: found.at)


def _late(found: Expected) -> str:
    return (
        f"entry {found.place} is more than {DISORDER.seconds} s older than one before it: the clock was set back."
        " Reconcile the time before and after it apart, with `--since` and `--until`"
    )


def _of_shard(
    reader: Reader, head: read.Head, datasets: Collection[str], since: datetime.datetime, until: datetime.datetime,
    progress: Callable[[str, int, int], None],
) -> Iterator[Expected]:  # fmt: skip
    for entry in held.entries(reader, head):
        if entry.index % 1024 == 0:
            progress(head.name, entry.index, head.size)
        if entry.told is None or entry.at < since:  # `at` is never before what it is of
            continue
        try:
            told = entry.read_told()
        except ValueError as error:
            raise VerificationFailed(f"entry {entry.index} of shard `{head.name}`: {error}") from error
        if since <= told.at < until and (found := _made(f"{head.name}/{entry.index}", told, datasets)) is not None:
            yield found


def _made(place: str, told: entries.Told, datasets: Collection[str]) -> Expected | None:
    if isinstance(told, entries.View) and told.format == SAMPLE and told.looked.value is not None:
        own = [part for part in told.parts if part in datasets]
        subject = (told.looked.scheme or "", told.looked.value)
        return Expected(place, told.id, told.at, {(subject, name): False for name in own}, False) if own else None
    if not isinstance(told, entries.Inquiry):
        return None
    asked = {
        ((subject.scheme, subject.value), dataset.dataset): dataset.failure is None
        for subject in told.disclosed
        for dataset in subject.datasets
        if dataset.dataset in datasets
    }
    erased = any(subject == entries.ERASED for subject in told.disclosed)
    return Expected(place, told.id, told.at, asked, erased) if asked or erased else None
