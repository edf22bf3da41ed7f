"""What entries give the projection `displayed`: until when, and since when, what others were shown may be displayed.

Its rows are a set: which entry showed it is in `received`. So an answer that shows the same once more gives nothing
new, and what was kept lately need not be sent to the store again (`Known`). A row that is left over does no harm, since
whoever reads it finds nobody in `received`. One that is missing is a recall that is never made. So only this takes rows
away: that a key is destroyed, under which none is made again; that a day is over and noted; and that the projection is
dropped, whose position then is before what is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple, Protocol

from gateway.ledger.projections import extract

MOST = 16_384
"""Shares that are known, and as many of before: some megabytes."""
_NEIGHBOURS = itemgetter(1, 3, 2, 0)
"""Orders rows so that those beside each other are so in the index, and nearly so in the table."""

Row = tuple[int, str, int, int]
"""As the table has it: last day, dataset, subject's key, first day."""


class Shown(Protocol):
    """What is needed of an entry; `others`: whether somebody else than its subject was shown it."""

    @property
    def id(self) -> int: ...
    @property
    def keys(self) -> tuple[int, ...]: ...
    @property
    def given(self) -> Iterable[extract.Given]: ...
    @property
    def others(self) -> bool: ...


class Fresh(NamedTuple):
    """The rows of some entries that may not be kept yet, and what is known once they are."""

    rows: list[Row]
    digests: set[bytes]


def shares_of(taken: Iterable[Shown]) -> Mapping[tuple[int, bytes], int]:
    """What entries disclosed, each once: subject's key and shares (as stored), and the first entry of these."""
    found: dict[tuple[int, bytes], int] = {}
    for each in taken:
        if each.keys and each.others:
            for given in each.given:
                found.setdefault((each.keys[given.place], given.shares), each.id)
    return found


def rows_of(subject: int, shares: bytes) -> Iterator[Row]:
    """The rows of shares, as stored, of the subject of a key."""
    for dataset, day, since in extract.displays(extract.decode(shares)):
        yield day, dataset, subject, since


class Known:
    """What is kept of a store's shards already, as far as it is remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young, self._old = set[bytes](), set[bytes]()
        self._next: dict[int, int] = {}

    def fresh(self, shard: int, first: int, taken: Iterable[Shown]) -> Fresh:
        """What of a shard's entries, from `first` on, is to be sent to a store whose position that is."""
        if first < self._next.get(shard, 0):  # it was dropped, or set back, and its rows with it
            self._young, self._old, self._next = set(), set(), {}
        rows, digests = set[Row](), set[bytes]()
        for subject, shares in shares_of(taken):
            digest = hashlib.blake2b(shares, digest_size=16, key=subject.to_bytes(8)).digest()
            if digest not in self._young:
                digests.add(digest)
                if digest not in self._old:
                    rows.update(rows_of(subject, shares))
        return Fresh(sorted(rows, key=_NEIGHBOURS), digests)

    def kept(self, shard: int, last: int, digests: set[bytes]) -> None:
        """Remember it, once the store has all of a shard's entries up to `last`."""
        self._next[shard] = last
        if len(self._young) + len(digests) > self._most:
            self._young, self._old = set(), self._young
        self._young |= digests
