"""Who received a subject's records, by dataset, record, version and field; and who did while they changed (Art. 47).

Whoever tells past recipients of a change needs all that were decided from facts that did not know it (`before_facts`
is the number of the change), those that become durable later among them. This finds them all:

1. the change is committed, and after that the sizes of the shards are read (`sizes`);
2. once the projection `received` has passed these sizes (`positions.passed`), ask `recipients`;
3. from then on, ask `raced` now and then.

Why that is enough: take an entry that was decided from facts before the change. Either its index is below its shard's
size of step 1; then step 2 finds it. Or it is not; then it was not in the snapshot of step 1, and snapshots are ordered
by inclusion, so any snapshot that has the entry holds all that the one of step 1 held: the change too. The projector
reads the facts after the snapshot that its entries are from, so it reads the change, and writes the row of `raced`
in the transaction that moves its position past the entry. No fact is deleted, and the number of its end stays once set.

What an entry says was disclosed and another, later in its shard, says was not released, nobody received: its rows are
taken away when that one is projected, and `exact` looks for it among what is not projected yet.

`raced` may have more: entries that `recipients` gives as well, all of them after a rebuild. A change is there by its
number only if it is a row of `fact`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import bindparam as p
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections import extract
from gateway.ledger.projections.lookups import named_in_tail, told_of, without_key
from gateway.ledger.projections.positions import Place, before, covered, opened, tail
from gateway.ledger.stored import read
from gateway.storage.port import Reader
from gateway.storage.projections.tables import raced as raced_table
from gateway.storage.projections.tables import received
from gateway.storage.statement import Statement
from gateway.storage.tables import entry, requester, subject_key

_RECEIVED = Statement(
    select(
        received.c.at,
        received.c.entry,
        received.c.facts,
        received.c.shares,
        requester.c.issuer,
        requester.c.client,
    )
    .join(subject_key, subject_key.c.id == received.c.subject)
    .join(requester, requester.c.id == received.c.requester)
    .where(subject_key.c.scheme == p("scheme"), subject_key.c.value == p("value")),
    *("scheme", "value"),
)

_RACED = Statement(
    select(entry.c.at, raced_table.c.entry, raced_table.c.dataset, subject_key.c.scheme, subject_key.c.value)
    .join(entry, entry.c.id == raced_table.c.entry)
    .outerjoin(subject_key, subject_key.c.id == raced_table.c.subject)
    .where(raced_table.c.change == p("change")),
    "change",
)


class Recipient(NamedTuple):
    """One entry that disclosed records of a dataset of the subject. `records` are those that were asked for.

    `facts` is the change number of the facts that it was decided from.
    """

    place: Place
    issuer: str
    client: str
    facts: int | None
    fields: tuple[str, ...]
    records: tuple[str, ...]


class Recipients(NamedTuple):
    """Oldest first; `behind` and `until` as in `lookups.Looks`."""

    found: list[Recipient]
    behind: int
    until: int | None = None


class Raced(NamedTuple):
    """An entry decided from facts older than a change; the subject is None in an entry of version 1."""

    place: Place
    dataset: str
    subject: tuple[str, str] | None


def sizes(reader: Reader) -> dict[int, int]:
    """How many entries each shard has, by its id."""
    return {head.id: head.size for head in read.heads(reader)}


def recipients(
    reader: Reader,
    scheme: str,
    value: str,
    dataset: str,
    record: str | None = None,
    *,
    version: str | None = None,
    field: str | None = None,
    before_facts: int | None = None,
    exact: bool = False,
) -> Recipients:
    """Who received records of a dataset: all, those of one record, of one version, or with one field.

    Raises `VerificationFailed` where an entry that had to be opened is damaged.
    """
    of, shown = covered(reader, "received"), covered(reader, "looked")
    found: list[Recipient] = []
    if of.usable:
        for at, id_, facts, shares, issuer, client in reader.rows(_RECEIVED, scheme, value):
            for share in extract.decode(shares):
                if share.dataset == dataset:
                    found.append(Recipient(Place(at, id_), issuer, client, facts, share.fields, share.records))
    beside = set(without_key(reader, shown, scheme, value))
    tails = [tail(reader, each, exact) for each in (of, shown)]
    until = min((each.until for each in tails if each.until is not None), default=None)
    if exact:
        beside.update(*(named_in_tail(reader, each, scheme, value) for each in tails))
    known = {each.place for each in found}
    names = {head.id: head.name for head in read.heads(reader)}
    unreleased: set[tuple[int, int]] = set()
    for place in beside - known:
        entered = opened(reader, place)
        told = told_of(entered)
        several = received_in(entered, told, place, (scheme, value))
        found += [one for one, share in several if share.dataset == dataset]
        if (index := extract.not_released(told, names.get(place.shard, ""))) is not None:
            unreleased.add((place.shard, index))
    kept = []
    for each in found:
        if (each.place.shard, each.place.number) in unreleased:
            continue
        if exact and not before(each.place, until):
            continue
        chosen = tuple([one for one in each.records if record is None or extract.is_of(one, record, version)])
        in_time = before_facts is None or each.facts is None or each.facts < before_facts
        if chosen and in_time and (field is None or field in each.fields):
            kept.append(each._replace(records=chosen))
    return Recipients(sorted(kept, key=lambda each: each.place), max(each.left for each in tails), until)


def raced(reader: Reader, change: int) -> list[Raced]:
    """The entries found so far that disclosed what a change concerns, from facts older than it."""
    return [
        Raced(Place(at, id_), dataset, None if value is None else (scheme, value))
        for at, id_, dataset, scheme, value in sorted(reader.rows(_RACED, change), key=lambda row: row[:3])
    ]


def received_in(
    found: read.StoredEntry, told: entries.Told | None, place: Place, subject: tuple[str, str]
) -> Iterator[tuple[Recipient, extract.Share]]:
    """What an opened entry disclosed of a subject: its recipient, and a share of each dataset."""
    for each in extract.given(told):
        if (each.scheme, each.value) == subject:
            assert isinstance(told, entries.Inquiry), "nothing else discloses"
            try:
                facts = found.read_oversight().facts if found.oversight is not None else None
            except ValueError as error:
                raise VerificationFailed(f"entry {place.number}: {error}") from error
            by = told.requester
            for share in extract.decode(each.shares):
                yield Recipient(place, by.issuer, by.client, facts, share.fields, share.records), share
