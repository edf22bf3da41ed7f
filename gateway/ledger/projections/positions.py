"""How far the projections are, and what stands behind them: read from one snapshot, together with their rows.

Whoever must miss nothing reads the rows and, in the same snapshot, the entries from the position on (`tail`): of those
it opens none, since an entry names its subjects' keys in the clear. It looks at so many and no more (`MOST_BEHIND`),
and says up to when nothing is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy import bindparam as p

from gateway.errors import VerificationFailed
from gateway.ledger.stored import read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.encryption import segments
from gateway.storage.port import Reader
from gateway.storage.projections.tables import DROPPING, NAMES, projected
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, entry, subject_key

_PAGE = 1024
MOST_BEHIND = 20_000
"""The most entries that one `exact` read looks at behind a projection: below a tenth of a second."""

_POSITIONS = Statement(select(projected.c.projection, projected.c.shard, projected.c.next))

_TAIL = Statement(
    select(entry.c.id, entry.c.at, entry.c.subjects)
    .where(entry.c.id >= p("first"), entry.c.id < p("last"))
    .order_by(entry.c.id)
    .limit(p("count"))
    .offset(p("skip")),
    *("first", "last", "count", "skip"),
)

_KEYS = Statement(
    select(subject_key.c.shard, subject_key.c.id).where(
        subject_key.c.scheme == p("scheme"), subject_key.c.value == p("value")
    ),
    *("scheme", "value"),
)


class Place(NamedTuple):
    """Where an entry stands: its time in microseconds, and its id (`shard << 40 | index`). Places sort by time."""

    at: int
    entry: int

    @property
    def shard(self) -> int:
        return self.entry >> SHARD_BITS

    @property
    def number(self) -> int:
        """The index of the entry in its shard."""
        return self.entry & ((1 << SHARD_BITS) - 1)


START = Place(-1, -1)
"""Before every entry."""


class Lag(NamedTuple):
    """How far a projection is behind in a shard: entries, and the time (microseconds) of the first of them."""

    projection: str
    shard: str
    entries: int
    since: int | None


class Tail(NamedTuple):
    """What one `exact` read looks at of the entries that a projection does not have: per shard, from where to where.

    `left` is how many it does not look at; `until` the time (microseconds) of the first of these, None where there is
    none. A shard's times never fall, so an answer without anything of `until` and later lacks nothing before it.
    """

    spans: Mapping[int, tuple[int, int]]
    left: int
    until: int | None


def before(place: Place, until: int | None) -> bool:
    """Whether a place is among those of which none is missing (`Tail.until`)."""
    return until is None or place.at < until


class Covered(NamedTuple):
    """What a projection covers of a snapshot: per shard the index of the first entry that its rows do not have.

    `usable` is false while it is dropped to be built again: its rows count for nothing then.
    """

    sizes: Mapping[int, int]
    next: Mapping[int, int]
    usable: bool

    @property
    def behind(self) -> int:
        """How many entries it does not have."""
        return sum(size - self.next[shard] for shard, size in self.sizes.items())

    def has(self, sizes: Mapping[int, int]) -> bool:
        """Whether its rows have all entries of shards up to these sizes."""
        return all(self.next.get(shard, 0) >= size for shard, size in sizes.items())


def standing(reader: Reader) -> dict[tuple[str, int], int]:
    """The position of each projection in each shard, where it has one; or `DROPPING`."""
    return {(projection, shard): next_ for projection, shard, next_ in reader.rows(_POSITIONS)}


def covered(reader: Reader, name: str) -> Covered:
    """What the projection `name` covers of the reader's snapshot."""
    sizes = {head.id: head.size for head in read.heads(reader)}
    found = {shard: next_ for (projection, shard), next_ in standing(reader).items() if projection == name}
    usable = DROPPING not in found.values()
    return Covered(sizes, {shard: found.get(shard, 0) if usable else 0 for shard in sizes}, usable)


def passed(reader: Reader, name: str, sizes: Mapping[int, int]) -> bool:
    """Whether a projection has every entry of a moment at which the shards (by id) had these sizes."""
    found = covered(reader, name)
    return found.has(sizes)


def reached(connection: Connection, name: str, sizes: Mapping[int, int]) -> bool:
    """As `passed`, in what a connection sees: of its own snapshot only where it reads from one."""
    query = select(projected.c.shard, projected.c.next).where(projected.c.projection == name)
    found = {row.shard: row.next for row in connection.execute(query)}
    return all(found.get(shard, 0) >= size for shard, size in sizes.items())


def lags(reader: Reader) -> list[Lag]:
    """Of every projection and shard."""
    found = standing(reader)
    since: dict[int, int | None] = {}
    lags = []
    for head in read.heads(reader):
        for name in NAMES:
            first = max(0, found.get((name, head.id), 0))
            at = None
            if first < head.size:
                id_ = (head.id << SHARD_BITS) + first
                if id_ not in since:
                    since[id_] = time_of(reader, head.id, first)
                at = since[id_]
            lags.append(Lag(name, head.name, head.size - first, at))
    return lags


def keys_of(reader: Reader, scheme: str, value: str) -> dict[int, int]:
    """A subject's keys, by shard."""
    return dict(reader.rows(_KEYS, scheme, value))


def tail(reader: Reader, of: Covered, exact: bool) -> Tail:
    """What is looked at behind a projection: as much as is allowed, shared among the shards; nothing unless `exact`."""
    waiting = {shard: size - of.next[shard] for shard, size in of.sizes.items() if size > of.next[shard]}
    allowed = MOST_BEHIND if exact else 0
    spans: dict[int, tuple[int, int]] = {}
    for done, (shard, count) in enumerate(sorted(waiting.items(), key=lambda each: each[1])):
        share = min(count, allowed // (len(waiting) - done))
        allowed -= share
        spans[shard] = (of.next[shard], of.next[shard] + share)
    first_left = [(shard << SHARD_BITS) + last for shard, (_, last) in spans.items() if last < of.sizes[shard]]
    times = [at for id_ in first_left for (at,) in reader.rows(sql.AT, id_)]
    if len(times) < len(first_left):
        raise VerificationFailed("an entry that is not projected yet is missing: run `dutybound ledger verify`")
    taken = sum(last - first for first, last in spans.values())
    return Tail(spans, of.behind - taken, min(times, default=None))


def named(reader: Reader, of: Tail) -> Iterator[tuple[Place, tuple[int, ...] | None]]:
    """The entries of a tail, with the ids of their subjects' keys; None in version 1.

    Raises `VerificationFailed` where what an entry says of its subjects was altered.
    """
    for shard, (begin, end) in of.spans.items():
        first, last = (shard << SHARD_BITS) + begin, (shard << SHARD_BITS) + end
        while first < last:
            rows = reader.rows(_TAIL, first, last, _PAGE, 0)
            for id_, at, laid in rows:
                place = Place(at, id_)
                try:
                    yield place, None if laid is None else tuple([segment.key for segment in segments(laid)])
                except (ValueError, TypeError) as error:
                    raise VerificationFailed(f"entry {place.number}: {error}") from error
            if len(rows) < _PAGE:
                break
            first = rows[-1][0] + 1


def time_of(reader: Reader, shard: int, number: int) -> int | None:
    """The time (microseconds) of a shard's entry, by its index; None where the store has none."""
    rows = reader.rows(sql.AT, (shard << SHARD_BITS) + number)
    return rows[0][0] if rows else None


def opened(reader: Reader, place: Place) -> read.StoredEntry:
    """The entry at a place; raises `VerificationFailed` where it is missing or does not open."""
    for found in read.read_entries(reader, place.shard, place.number, 1):
        return found
    raise VerificationFailed(f"entry {place.number} is missing")
