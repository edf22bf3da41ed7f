"""Who looked at a subject, what a requester asked for, and which official: places, oldest first, over all shards.

`exact` reads what is not projected yet from the entries themselves, in the same snapshot: then nothing that was
committed before it is missing, however far the projections are behind. Only an entry of version 1, which has no keys,
is opened for it.

Places only: whoever opens them has entered a view, or is the subject itself (invariant 17).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import bindparam as p
from sqlalchemy import select, tuple_

from gateway.errors import VerificationFailed
from gateway.ledger.entry.entries import Oversight, Told
from gateway.ledger.projections import extract
from gateway.ledger.projections.positions import START, Covered, Place, covered, keys_of, opened, tail
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.history import Places
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.projections import WITHOUT_KEY, acted, asked, looked
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, entry_requester, requester, subject_key

ALL = 1 << 40
_PAGE = 1024

_LOOKED = Statement(
    sql.page(
        select(looked.c.at, looked.c.entry)
        .join(subject_key, subject_key.c.id == looked.c.subject)
        .where(subject_key.c.scheme == p("scheme"), subject_key.c.value == p("value")),
        looked,
    ),
    *("scheme", "value", *sql.PAGE),
)

_LOOKED_WITHOUT_KEY = Statement(
    sql.page(select(looked.c.at, looked.c.entry).where(looked.c.subject == p("subject")), looked),
    *("subject", *sql.PAGE),
)

_ASKED = Statement(
    sql.page(
        select(asked.c.at, asked.c.entry)
        .join(requester, requester.c.id == asked.c.requester)
        .where(
            requester.c.issuer == p("issuer"),
            requester.c.client == p("client"),
            asked.c.purpose == p("purpose"),
        ),
        asked,
    ),
    *("issuer", "client", "purpose", *sql.PAGE),
)

_ACTED = Statement(
    sql.page(
        select(acted.c.at, acted.c.entry)
        .join(requester, requester.c.id == acted.c.requester)
        .where(
            requester.c.issuer == p("issuer"),
            requester.c.client == p("client"),
            acted.c.official == p("official"),
        ),
        acted,
    ),
    *("issuer", "client", "official", *sql.PAGE),
)

_ENTERED = Statement(
    select(entry_requester.c.at, entry_requester.c.entry)
    .join(requester, requester.c.id == entry_requester.c.requester)
    .where(
        requester.c.issuer == p("issuer"),
        requester.c.client == p("client"),
        tuple_(entry_requester.c.at, entry_requester.c.entry) > tuple_(p("after"), p("entry")),
        entry_requester.c.entry >= p("first"),
        entry_requester.c.entry < p("last"),
    )
    .order_by(entry_requester.c.at, entry_requester.c.entry),
    *("issuer", "client", "after", "entry", "first", "last"),
)


class Looks(NamedTuple):
    """Places, oldest first. `behind` is how many entries were not looked at: 0 where nothing can be missing."""

    places: list[Place]
    behind: int


def who_looked(
    reader: Reader, scheme: str, value: str, after: Place = START, first: int = ALL, *, exact: bool = False
) -> Looks:
    """The first entries after a place that name a subject: inquiries, refusals, views and whatever else was done.

    Raises `VerificationFailed` where an entry that had to be opened is damaged.
    """
    of = covered(reader, "looked")
    found = _rows(reader, _LOOKED, of, after, first, scheme, value)
    found += _of_version_1(reader, _rows(reader, _LOOKED_WITHOUT_KEY, of, after, ALL, WITHOUT_KEY), (scheme, value))
    if exact:
        found += [place for place in named_in_tail(reader, of, scheme, value) if place > after]
    return Looks(heapq.nsmallest(first, found) if first < len(found) else sorted(found), 0 if exact else of.behind)


def by_requester_and_purpose(
    reader: Reader,
    issuer: str,
    client: str,
    purpose: str,
    after: Place = START,
    first: int = ALL,
    *,
    exact: bool = False,
) -> Looks:
    """The first entries after a place in which a requester asked for a purpose, answered or refused."""
    of = covered(reader, "asked")
    found = _rows(reader, _ASKED, of, after, first, issuer, client, purpose)
    if exact:
        tail = _entered(reader, of, issuer, client, after)
        found += [place for place, entry in tail if extract.purpose(told_of(entry)) == purpose]
    return Looks(sorted(found)[:first], 0 if exact else of.behind)


def by_official(reader: Reader, issuer: str, client: str, official: str, after: Place = START) -> Iterator[Place]:
    """The entries after a place in which an official asked for a requester, oldest first; none is missing.

    Raises `VerificationFailed` where an entry that had to be opened is damaged.
    """
    of = covered(reader, "acted")
    tail = [
        place
        for place, entry in _entered(reader, of, issuer, client, after)
        if extract.official(told_of(entry), oversight_of(entry)) == official
    ]
    return heapq.merge(_pages(reader, _ACTED, of, after, issuer, client, official), sorted(tail))


def places_of_official(issuer: str, client: str, official: str) -> Places:
    """`by_official`, to be read when its places are asked for."""
    return lambda reader, after: by_official(reader, issuer, client, official, Place(*after))


def _entered(
    reader: Reader, of: Covered, issuer: str, client: str, after: Place
) -> Iterator[tuple[Place, StoredEntry]]:
    """A requester's entries after a place that a projection does not have, opened."""
    for shard, size in of.sizes.items():
        base = shard << SHARD_BITS
        for row in reader.rows(_ENTERED, issuer, client, *after, base + of.next[shard], base + size):
            place = Place._make(row)
            yield place, opened(reader, place)


def named_in_tail(reader: Reader, of: Covered, scheme: str, value: str) -> Iterator[Place]:
    """The places that a projection does not have whose entries name a subject."""
    keys = keys_of(reader, scheme, value)
    for place, named in tail(reader, of):
        if named is None:
            yield from _of_version_1(reader, [place], (scheme, value))
        elif keys.get(place.shard) in named:
            yield place


def without_key(reader: Reader, of: Covered, scheme: str, value: str) -> Iterable[Place]:
    """The places of version 1, among those that the projection `looked` has, whose entries name a subject."""
    return _of_version_1(reader, _rows(reader, _LOOKED_WITHOUT_KEY, of, START, ALL, WITHOUT_KEY), (scheme, value))


def told_of(entry: StoredEntry) -> Told | None:
    """What an entry told; None where its period's key was destroyed. An unknown kind is a `VerificationFailed`."""
    if entry.told is None:
        return None
    try:
        return entry.read_told()
    except ValueError as error:
        raise VerificationFailed(f"entry {entry.index}: {error}") from error


def oversight_of(entry: StoredEntry) -> Oversight | None:
    """What only oversight may open of it, as `told_of`."""
    if entry.oversight is None:
        return None
    try:
        return entry.read_oversight()
    except ValueError as error:
        raise VerificationFailed(f"entry {entry.index}: {error}") from error


def _of_version_1(reader: Reader, places: Iterable[Place], subject: tuple[str, str]) -> Iterator[Place]:
    for place in places:
        told = told_of(opened(reader, place))
        if told is not None and subject in extract.subjects_of(told):
            yield place


def _rows(
    reader: Reader, statement: Statement, of: Covered, after: Place, first: int, *parameters: object
) -> list[Place]:
    """Up to `first` rows after a place; none where the projection is not usable."""
    return list(itertools.islice(_pages(reader, statement, of, after, *parameters, page=min(_PAGE, first)), first))


def _pages(
    reader: Reader, statement: Statement, of: Covered, after: Place, *parameters: object, page: int = _PAGE
) -> Iterator[Place]:
    """The rows after a place, a page at a time; none where the projection is not usable."""
    while of.usable:
        rows = reader.rows(statement, *parameters, *after, page, 0)
        yield from map(Place._make, rows)
        if len(rows) < page:
            return
        after = Place._make(rows[-1])
