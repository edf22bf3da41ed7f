"""What is read of the store's counts: at a start what they lack, and how far one requester or official reached."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.inquiry.counting.counts import Asked, Counted, longest, micros
from gateway.inquiry.counting.quotas import Reach, Window, windows
from gateway.rules.model import Purpose
from gateway.storage.port import Looked, Reader, Store
from gateway.storage.projections.counted import (
    BY_OFFICIAL,
    BY_REQUESTER,
    COUNTING,
    LOOK,
    LOOK_AT_ONCE,
    REACHED_BY,
    Counting,
    Digests,
)

Key = tuple[int, int]
"""A subject, and the requester that asked about it for a purpose."""
Who = tuple[int, bool]
"""A requester for a purpose, or (true) one of its officials."""


class Sources(NamedTuple):
    """Where counts are read from. `unprojected` gives the entries that are not in `counted`, of a snapshot, since a
    moment in microseconds. `since` gives the moment of the first of these, in microseconds."""

    store: Store
    purposes: Callable[[], Mapping[str, Purpose]]
    unprojected: Callable[[Reader, int], list[Counted]]
    since: Callable[[Reader], int | None]
    now: Callable[[], float]


class Read(NamedTuple):
    """What a start reads, of one snapshot. `rows` are with the purpose that they were asked for."""

    counting: Counting
    entered: list[Asked]
    rows: dict[Key, tuple[Purpose, list[Looked]]]
    reaches: dict[Who, Reach]


def bounded_by(purpose: Purpose, asked: Asked) -> list[tuple[Who, int | None, tuple[Window, ...]]]:
    """Whose reach an inquiry is counted against, and by which windows: an official's first, its requester's last."""
    if purpose.quotas is None:
        return []
    official, requester = windows(purpose.quotas)
    of: list[tuple[Who, int | None, tuple[Window, ...]]] = [((asked.requester, False), None, requester)]
    return of if asked.official is None else [((asked.official, True), asked.official, official), *of]


def read_all(sources: Sources, marks: Sequence[Asked]) -> Read | None:
    """What is not in the store's counts, and what they have of those that it is about, of one snapshot; blocks.

    `marks` are inquiries that may be in no entry yet. None while rows are being dropped to be made again. Raises
    `LedgerUnavailable`.
    """
    try:
        return _read_all(sources, marks)
    except (VerificationFailed, StoreUnavailable) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error


def _read_all(sources: Sources, marks: Sequence[Asked]) -> Read | None:
    purposes, now = sources.purposes(), sources.now()
    with contextlib.closing(sources.store.reader()) as reader:
        counting = Counting._make(reader.rows(COUNTING)[0])
        if counting.generation % 2:
            return None
        since = micros(now - max((longest(each.frequency.per) for each in purposes.values()), default=0.0))
        digests = Digests(counting.secret)
        entered = [Asked.of(each, digests) for each in sources.unprojected(reader, since)]
        rows: dict[Key, tuple[Purpose, list[Looked]]] = {}
        reaches: dict[Who, Reach] = {}
        for asked in (*entered, *marks):
            if (purpose := purposes.get(asked.purpose)) is not None:
                rows |= {(subject, asked.requester): (purpose, []) for subject in asked.subjects}
                for who, _, of in bounded_by(purpose, asked):
                    if who not in reaches:
                        reaches[who] = _reach(reader, who, of, now)
        keys = list(rows)
        for first in range(0, len(keys), LOOK_AT_ONCE):
            some = keys[first : first + LOOK_AT_ONCE]
            some += [some[0]] * (LOOK_AT_ONCE - len(some))
            for found in map(Looked._make, reader.rows(LOOK, since, *(part for key in some for part in key))):
                if found.subject is not None and found.requester is not None:
                    rows[found.subject, found.requester][1].append(found)
    return Read(counting, entered, rows, reaches)


def read_reach(sources: Sources, who: Who, of: Sequence[Window], now: float) -> tuple[int, Reach]:
    """How far one reached, and of which generation that is; blocks."""
    with contextlib.closing(sources.store.reader()) as reader:
        return Counting._make(reader.rows(COUNTING)[0]).generation, _reach(reader, who, of, now)


def _reach(reader: Reader, who: Who, of: Sequence[Window], now: float) -> Reach:
    longest_of = max((window.seconds for window in of), default=0.0)
    rows = reader.rows(REACHED_BY[BY_OFFICIAL if who[1] else BY_REQUESTER], who[0], micros(now - longest_of))
    last: dict[int, int] = dict(rows)  # the latest of each, since they are in order
    reach = Reach()
    for window in of:
        after, wide = micros(now - window.seconds), window.width
        slots = Counter([(at + wide - 1) // wide * wide for at in last.values() if at > after])
        reach.fill(window, sorted(slots.items()))
    return reach
