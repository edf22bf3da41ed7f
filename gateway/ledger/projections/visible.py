"""What a subject is shown of the ledger: who looked at it, and what became of its records (Art. 42).

Which entries those are, and from when each is shown, is `extract.visible`; nothing else of an entry decides it. Rows
are ordered by (visible from, id): what was secret comes behind what could be read before, and leaves no gap where it
would have stood. Until then it is in no row, page, count or cursor (`gateway/adr/0023-order-of-the-history.md`).

Exact to the last committed entry: what `looked` and `acted` do not have is read from the entries themselves, in the
same snapshot, as `lookups` does. Where that is too much, a page ends before it and says when that was (`until`).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Column, select, tuple_
from sqlalchemy import bindparam as p

from gateway.errors import VerificationFailed
from gateway.ledger.entry.entries import Acted, Told
from gateway.ledger.projections import extract
from gateway.ledger.projections.lookups import MOST_OPENED, named_in_tail, oversight_of, told_of, without_key
from gateway.ledger.projections.positions import START, Covered, Place, Tail, covered, keys_of, tail
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.ledger.stored.statements import AT_ONCE
from gateway.storage.port import Reader
from gateway.storage.projections.tables import looked, not_released
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, micros

SETTLED = 500_000
"""Microseconds within which entries of several processes are committed in another order than they were made in."""
_TAKEN_BACK = 600 * 1_000_000
"""Microseconds within which it is entered that an answer did not leave."""
_MOST_GIVEN = 1_000
_CURSOR = re.compile("[0-9a-f]{1,15}-[0-9a-f]{1,15}([.][0-9a-f]{1,15}-[0-9a-f]{1,15}){0,1000}")


def _rows(visible: Column[int], *, at_once: bool, newest: bool) -> Statement:
    """A subject's rows behind one, of those that were visible at once or of the others, by their index."""
    place, behind = tuple_(visible, looked.c.entry), tuple_(p("after"), p("entry"))
    return Statement(
        select(visible, looked.c.entry)
        .where(
            looked.c.subject == p("subject"),
            looked.c.visible.is_(None) if at_once else looked.c.visible.is_not(None),
            place < behind if newest else place > behind,
            visible <= p("now"),
        )
        .order_by(*((each.desc() if newest else each) for each in (visible, looked.c.entry)))
        .limit(p("count"))
        .offset(p("skip")),
        *("subject", "after", "entry", "now", "count", "skip"),
    )


_ROWS = {
    newest: (
        _rows(looked.c.at, at_once=True, newest=newest),
        _rows(looked.c.visible, at_once=False, newest=newest),
    )
    for newest in (False, True)
}
"""How rows are read from the oldest, and from the newest."""

_LAST = Statement(
    select(looked.c.visible)
    .where(
        looked.c.subject == p("subject"),
        looked.c.visible.is_not(None),
        looked.c.visible > p("now"),
        looked.c.visible < p("never"),
    )
    .order_by(looked.c.visible.desc(), looked.c.entry.desc())
    .limit(p("count"))
    .offset(p("skip")),
    *("subject", "now", "never", "count", "skip"),
)

_NAMED = Statement(
    select(looked.c.entry).where(looked.c.subject == p("subject"), looked.c.named == p("named")), "subject", "named"
)

_NOT_RELEASED = Statement(
    select(not_released.c.entry).where(not_released.c.entry.in_([p(f"entry{n}") for n in range(AT_ONCE)])),
    *(f"entry{n}" for n in range(AT_ONCE)),
)


class Row(NamedTuple):
    """Where an entry stands in a history: from when it is visible (microseconds), and its id."""

    visible: int
    entry: int


class Cursor(NamedTuple):
    """Where a page ends: behind a row, and which rows behind that were given already.

    It goes on from the last row that is `SETTLED`: one that was made before a younger one may be committed after it.
    """

    row: Row = Row(*START)
    given: tuple[Row, ...] = ()

    @property
    def text(self) -> str:
        """As the next call gives it back."""
        return ".".join([f"{each.visible + 1:x}-{each.entry + 1:x}" for each in (self.row, *self.given)])

    @classmethod
    def read(cls, text: str) -> Cursor:
        """From its text; raises `ValueError` where it is none."""
        if _CURSOR.fullmatch(text) is None:
            raise ValueError("this is not a cursor of a history")
        rows = [each.split("-") for each in text.split(".")]
        row, *given = [Row(int(visible, 16) - 1, int(entry, 16) - 1) for visible, entry in rows]
        return cls(row, tuple(given))


BEGIN = Cursor()


class Look(NamedTuple):
    """An entry that a subject is shown. `own`: it asked itself; `left`: what was disclosed by it did leave."""

    row: Row
    told: Told
    own: bool
    left: bool

    @property
    def at_counter(self) -> bool:
        """Whether a department's counter did it for the subject."""
        return extract.at_counter(self.told)

    @property
    def of_recall(self) -> bool:
        """Whether a recall of the subject's records was sent to a recipient, or answered."""
        return isinstance(self.told, Acted) and self.told.what in extract.RECALLS


class Page(NamedTuple):
    """Looks in order, the cursor to continue from where there are more, and the time up to which none is missing."""

    looks: list[Look]
    next: Cursor | None
    until: int


class _Behind(NamedTuple):
    """What the projections do not have of one subject: entries, opened; and what says that an answer did not leave.

    `until` is the time up to which nothing is missing, None where nothing is.
    """

    opened: dict[Row, StoredEntry]
    later: list[int]
    kept_back: frozenset[int]
    until: int | None


def shown_to(
    reader: Reader, scheme: str, value: str, now: int, after: Cursor = BEGIN, first: int = 50, *, newest: bool = False
) -> Page:
    """The first looks behind a cursor that a subject is shown at a time (microseconds).

    With `newest` they are read from the newest on; what comes meanwhile stands before the first of them.
    Raises `VerificationFailed` where an entry that had to be opened is damaged.
    """
    behind = _behind(reader, scheme, value)
    until = now if behind.until is None else min(now, behind.until - 1)
    row = Row(until + 1, -1) if newest and after == BEGIN else after.row
    found = {each for each in behind.opened if each.visible <= until and (each < row if newest else each > row)}
    count = first + 1 + len(after.given)
    for key in keys_of(reader, scheme, value).values():
        for statement in _ROWS[newest]:
            found.update(map(Row._make, reader.rows(statement, key, *row, until, count, 0)))
    several = (heapq.nlargest if newest else heapq.nsmallest)(first + 1, found - set(after.given))
    more, several = len(several) > first, several[:first]
    looks = list(_opened(reader, several, behind))
    if newest:
        return Page(looks, Cursor(several[-1]) if more else None, min(until, now - SETTLED))
    return Page(looks, _following(after, several, now) if more else None, until)


def _following(after: Cursor, several: Sequence[Row], now: int) -> Cursor:
    """Behind these rows; not behind any that was made with the youngest of them, and may still be committed."""
    settled = [each for each in several if each.visible <= now - SETTLED]
    row = settled[-1] if settled else after.row
    given = tuple(each for each in (*after.given, *several) if each > row)
    return Cursor(row, given) if len(given) <= _MOST_GIVEN else Cursor(several[-1])


def found_by(reader: Reader, scheme: str, value: str, id_: str, now: int) -> Look | None:
    """The look of that id, where a subject is shown it at a time (microseconds)."""
    behind = _behind(reader, scheme, value)
    digest = extract.digest(id_)
    keys = keys_of(reader, scheme, value).values()
    ids = [entry for key in keys for (entry,) in reader.rows(_NAMED, key, digest)]
    stored = {_row(each): each for each in read.read_at(reader, ids).values()} if ids else {}
    stored |= behind.opened
    shown = [each for each, entry in stored.items() if each.visible <= now and _id(entry) == id_]
    for look in _opened(reader, shown[:1], behind._replace(opened=stored)):
        return look
    return None


def secret_until(reader: Reader, scheme: str, value: str, now: int) -> int | None:
    """When the last of what is secret from a subject at a time is so no longer (both in microseconds), or None."""
    behind = _behind(reader, scheme, value)
    later = [each for each in behind.later if each > now]
    for key in keys_of(reader, scheme, value).values():
        later += [visible for (visible,) in reader.rows(_LAST, key, now, extract.NEVER, 1, 0)]
    return max(later, default=None)


def _opened(reader: Reader, places: Sequence[Row], behind: _Behind) -> Iterator[Look]:
    """The entries at these places; one whose general part was destroyed is passed over."""
    ids = [each.entry for each in places]
    stored = read.read_at(reader, [each.entry for each in places if each not in behind.opened])
    kept_back = behind.kept_back | _kept_back(reader, ids)
    for place in places:
        entry = behind.opened.get(place) or stored.get(place.entry)
        if entry is None:
            raise VerificationFailed("an entry that a projection names is missing: run `dutybound ledger verify`")
        told, oversight = told_of(entry), oversight_of(entry)
        if told is not None and oversight is not None:
            yield Look(place, told, oversight.by_subject, place.entry not in kept_back)


def _kept_back(reader: Reader, ids: Sequence[int]) -> set[int]:
    """Those of these entries whose answer did not leave, as far as it is projected."""
    found: set[int] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        some += [some[0]] * (AT_ONCE - len(some))
        found.update(entry for (entry,) in reader.rows(_NOT_RELEASED, *some))
    return found


def _behind(reader: Reader, scheme: str, value: str) -> _Behind:
    of = _covered(reader)
    several = tail(reader, of, exact=True)
    until = several.until
    names = {head.id: head.name for head in read.heads(reader)}
    opened: dict[Row, StoredEntry] = {}
    later: list[int] = []
    kept_back: set[int] = set()
    ids: list[int] = []
    for place in _places(reader, several, of, scheme, value):
        if len(ids) == MOST_OPENED:
            until = place.at if until is None else min(until, place.at)
            break
        ids.append(place.entry)
    for entry in read.read_at(reader, ids).values():
        row = _row(entry)
        if row.visible != extract.NEVER:
            opened[row] = entry
            later.append(row.visible)
        index = extract.not_released(told_of(entry), names[entry.shard])
        if index is not None:
            kept_back.add((entry.shard << SHARD_BITS) + index)
    if until is not None:
        until -= _TAKEN_BACK  # an answer before it may be kept back by what was not looked at
    return _Behind(opened, later, frozenset(kept_back), until)


def _covered(reader: Reader) -> Covered:
    """What both projections cover: who looked, and which answers did not leave."""
    one, other = covered(reader, "looked"), covered(reader, "acted")
    both = {shard: min(one.next[shard], other.next[shard]) for shard in one.sizes}
    return Covered(one.sizes, both, one.usable and other.usable)


def _places(reader: Reader, several: Tail, of: Covered, scheme: str, value: str) -> Iterable[Place]:
    """Oldest first: what stands behind the projections, and what of version 1 does not name its subject's key."""
    return sorted([*named_in_tail(reader, several, scheme, value), *without_key(reader, of, scheme, value)])


def _row(entry: StoredEntry) -> Row:
    at = micros(entry.at)
    visible = extract.visible(told_of(entry), oversight_of(entry), at)
    return Row(at if visible is None else visible, (entry.shard << SHARD_BITS) + entry.index)


def _id(entry: StoredEntry) -> str | None:
    told = told_of(entry)
    return None if told is None else told.id
