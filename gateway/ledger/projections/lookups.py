"""Who looked at a subject, what a requester asked for, and which official: places, oldest first, over all shards.

`exact` reads what is not projected yet from the entries themselves, in the same snapshot: then nothing that was
committed before it is missing. It looks at no more than `positions.MOST_BEHIND` of them, and opens no more than
`MOST_OPENED`. Where there are more it gives what came before the first that it did not look at, and says when that was
(`until`): a page ends there, so who goes on from it passes nothing over. Only an entry of version 1, which has no keys,
is opened to learn whom it names.

Places only: whoever opens them has entered a view, or is the subject itself (invariant 17).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import bindparam as p
from sqlalchemy import select, tuple_

from gateway.errors import PastIncomplete, VerificationFailed
from gateway.ledger.entry.entries import Oversight, Told
from gateway.ledger.projections import extract
from gateway.ledger.projections.positions import (
    START,
    Covered,
    Place,
    Tail,
    before,
    covered,
    keys_of,
    named,
    opened,
    tail,
)
from gateway.ledger.stored import history, read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.history import Places
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.projections.tables import WITHOUT_KEY, acted, asked, looked, not_released
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS, entry_requester, moment, requester, subject_key

ALL = 1 << 40
MOST_OPENED = 5_000
"""The most entries of one requester that a read opens behind a projection: below a second."""
_PAGE = 1024
_SETTLED = 600 * 1_000_000
"""Microseconds within which the second entry of an answer that did not leave is made."""

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
    .order_by(entry_requester.c.at, entry_requester.c.entry)
    .limit(p("count"))
    .offset(p("skip")),
    *("issuer", "client", "after", "entry", "first", "last", "count", "skip"),
)


_NOT_RELEASED = Statement(select(not_released.c.by).where(not_released.c.entry == p("entry")), "entry")


class Looks(NamedTuple):
    """Places, oldest first. `behind` is how many entries were not looked at: 0 where nothing can be missing.

    `until` is the time (microseconds) up to which nothing is missing, None where nothing can be.
    """

    places: list[Place]
    behind: int
    until: int | None = None


def who_looked(
    reader: Reader, scheme: str, value: str, after: Place = START, first: int = ALL, *, exact: bool = False
) -> Looks:
    """The first entries after a place that name a subject: inquiries, refusals, views and whatever else was done.

    Raises `VerificationFailed` where an entry that had to be opened is damaged.
    """
    of = covered(reader, "looked")
    found = _rows(reader, _LOOKED, of, after, first, scheme, value)
    found += _of_version_1(reader, _rows(reader, _LOOKED_WITHOUT_KEY, of, after, ALL, WITHOUT_KEY), (scheme, value))
    behind = tail(reader, of, exact)
    if exact:
        found += [place for place in named_in_tail(reader, behind, scheme, value) if place > after]
        found = [place for place in found if before(place, behind.until)]
    places = heapq.nsmallest(first, found) if first < len(found) else sorted(found)
    return Looks(places, behind.left, behind.until)


def named_since(reader: Reader, scheme: str, value: str, since: int) -> list[int] | None:
    """The ids of all entries from a moment (microseconds) on that name a subject; None where one could be missing.

    Raises as `who_looked`.
    """
    looks = who_looked(reader, scheme, value, Place(since, -1), exact=True)
    return None if looks.behind else [place.entry for place in looks.places]


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
    if not exact:
        behind = tail(reader, of, exact)
        return Looks(sorted(found)[:first], behind.left, behind.until)
    entered, until = _entered(reader, of, issuer, client, after)
    found += [place for place, entry in entered if extract.purpose(told_of(entry)) == purpose]
    places = sorted([place for place in found if before(place, until)])
    return Looks(places[:first], 0 if until is None else of.behind, until)


def by_official(
    reader: Reader, issuer: str, client: str, official: str | None, after: Place = START
) -> Iterator[Place]:
    """The entries after a place in which an official (None: anybody) asked for a requester, and whose answer left.

    Oldest first; none is missing. Raises `VerificationFailed` where an entry that had to be opened is damaged; and
    `PastIncomplete`, that says up to when there was everything, where all before it were taken and more entries wait
    than are looked at.
    """
    of = covered(reader, "acted")
    entered, until = _entered(reader, of, issuer, client, after)
    if until is not None:
        until -= _SETTLED  # an answer before it may be kept back by what was not looked at
    names = {head.id: head.name for head in read.heads(reader)}
    kept_back = {
        (place.entry >> SHARD_BITS << SHARD_BITS) + index
        for place, entry in entered
        if (index := extract.not_released(told_of(entry), names[place.shard])) is not None
    }
    found: Iterator[Place]
    if official is None:
        found = map(Place._make, history.everybodys(issuer, client)(reader, after))
    else:
        mine = [place for place, entry in entered if extract.official(told_of(entry), oversight_of(entry)) == official]
        found = heapq.merge(_pages(reader, _ACTED, of, after, issuer, client, official), sorted(mine))
    for place in found:
        if not before(place, until):
            break
        if place.entry not in kept_back and not reader.rows(_NOT_RELEASED, place.entry):
            yield place
    if until is not None:
        raise PastIncomplete(
            f"past inquiries can be shown up to {moment(until).isoformat()} only: later ones are still being made"
            " ready;"
            " ask again later, or for fewer at once"
        )


def places_of(issuer: str, client: str, official: str | None, *, everybodys: bool = False) -> Places:
    """`by_official`, to be read when its places are asked for; of what was asked without an official for None."""
    mine = None if everybodys else official or extract.NO_OFFICIAL
    return lambda reader, after: by_official(reader, issuer, client, mine, Place(*after))


def _entered(
    reader: Reader, of: Covered, issuer: str, client: str, after: Place
) -> tuple[list[tuple[Place, StoredEntry]], int | None]:
    """A requester's entries after a place that a projection does not have, opened; and the time of the first left out.

    So many in all (`MOST_OPENED`), shared among the shards.
    """
    waiting = [shard for shard, size in of.sizes.items() if of.next[shard] < size]
    share = MOST_OPENED // max(1, len(waiting))
    found: list[tuple[Place, StoredEntry]] = []
    until: int | None = None
    for shard in waiting:
        base = shard << SHARD_BITS
        span = (base + of.next[shard], base + of.sizes[shard])
        places = [Place._make(row) for row in reader.rows(_ENTERED, issuer, client, *after, *span, share + 1, 0)]
        if len(places) > share:
            at = places.pop().at
            until = at if until is None else min(until, at)
        found += [(place, opened(reader, place)) for place in places]
    return found, until


def named_in_tail(reader: Reader, of: Tail, scheme: str, value: str) -> Iterator[Place]:
    """The places in a tail whose entries name a subject."""
    keys = keys_of(reader, scheme, value)
    for place, subjects in named(reader, of):
        if subjects is None:
            yield from _of_version_1(reader, [place], (scheme, value))
        elif keys.get(place.shard) in subjects:
            yield place


def without_key(reader: Reader, of: Covered, scheme: str, value: str) -> Iterable[Place]:
    """The places of version 1, among those that the projection `looked` has, whose entries name a subject."""
    return _of_version_1(reader, of_version_1(reader, of), (scheme, value))


def of_version_1(reader: Reader, of: Covered) -> list[Place]:
    """The places of version 1, among those that the projection `looked` has, whoever their entries name."""
    return _rows(reader, _LOOKED_WITHOUT_KEY, of, START, ALL, WITHOUT_KEY)


def told_of(entry: StoredEntry) -> Told | None:
    """What an entry disclosed; None where its period's key was destroyed. Damage is a `VerificationFailed`."""
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
