"""Who received what of many subjects, looked up together: for whoever reports thousands of records at once.

It gives what `recipients` gives of each of them (`tests/recall/selecting/test_several.py`), of what the projections
have: whoever asks has seen that they passed all that matters to them (`positions.passed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy import bindparam as p

from gateway.ledger.projections import extract
from gateway.ledger.projections.lookups import of_version_1, told_of
from gateway.ledger.projections.positions import Place, covered, opened
from gateway.ledger.projections.recipients import received_in
from gateway.ledger.stored import read
from gateway.storage.port import Reader
from gateway.storage.projections.tables import raced, received
from gateway.storage.recall.recalls import recall_job
from gateway.storage.statement import Statement
from gateway.storage.tables import requester, subject_key

__all__ = ["NAMES", "Received", "raced_since", "received_of"]

NAMES = ("received", "looked")
"""The projections that it is read from."""

_AT_ONCE = 50

_RECEIVED = Statement(
    select(
        *(subject_key.c.scheme, subject_key.c.value, received.c.at, received.c.entry),
        *(received.c.facts, received.c.shares, requester.c.issuer, requester.c.client),
    )
    .join(subject_key, subject_key.c.id == received.c.subject)
    .join(requester, requester.c.id == received.c.requester)
    .where(
        or_(
            *(
                and_(subject_key.c.scheme == p(f"scheme{n}"), subject_key.c.value == p(f"value{n}"))
                for n in range(_AT_ONCE)
            )
        )
    ),
    *(f"{name}{n}" for n in range(_AT_ONCE) for name in ("scheme", "value")),
)

_RACED = Statement(
    select(recall_job.c.id, raced.c.entry, raced.c.dataset)
    .join(raced, raced.c.change == recall_job.c.change)
    .where(recall_job.c.selected > p("since"))
    .order_by(recall_job.c.id, raced.c.entry, raced.c.dataset),
    "since",
)


class Received(NamedTuple):
    """An entry that disclosed records of a subject, of one or several datasets.

    `entry` is its id, `facts` the change number of the facts that it was decided from.
    """

    at: int
    entry: int
    issuer: str
    client: str
    facts: int | None
    shares: Sequence[extract.Share]


def received_of(reader: Reader, subjects: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Received]]:
    """What was disclosed of each of these subjects, oldest first; of one without anything nothing.

    Answers that disclosed the same, as where a subject is asked about again, have the same `shares`, read once. Raises
    `VerificationFailed` where an entry that had to be opened is damaged.
    """
    named = sorted(set(subjects))
    found: dict[tuple[str, str], list[Received]] = {}
    read: dict[bytes, Sequence[extract.Share]] = {}
    for start in range(0, len(named) if covered(reader, "received").usable else 0, _AT_ONCE):
        some = named[start : start + _AT_ONCE]
        some += [some[0]] * (_AT_ONCE - len(some))
        for row in reader.rows(_RECEIVED, *(each for subject in some for each in subject)):
            scheme, value, at, entry, facts, shares, issuer, client = row
            if shares not in read:
                read[shares] = extract.decode(shares)
            one = Received(at, entry, issuer, client, facts, read[shares])
            found.setdefault((scheme, value), []).append(one)
    _add_version_1(reader, set(named), found)
    return {subject: sorted(several, key=lambda one: one[:2]) for subject, several in found.items()}


def _add_version_1(reader: Reader, named: set[tuple[str, str]], found: dict[tuple[str, str], list[Received]]) -> None:
    """Entries of version 1 have no keys to be found by: each is opened, once for all subjects."""
    names = {head.id: head.name for head in read.heads(reader)}
    unreleased: set[tuple[int, int | None]] = set()
    made: list[tuple[tuple[str, str], Received]] = []
    for place in of_version_1(reader, covered(reader, "looked")):
        entered = opened(reader, place)
        told = told_of(entered)
        unreleased.add((place.shard, extract.not_released(told, names.get(place.shard, ""))))
        for subject in named & {(given.scheme, given.value) for given in extract.given(told)}:
            both = list(received_in(entered, told, place, subject))
            by = both[0][0]
            made.append((subject, Received(*place, by.issuer, by.client, by.facts, [share for _, share in both])))
    for subject, each in made:
        place = Place(each.at, each.entry)
        if (place.shard, place.number) not in unreleased:
            found.setdefault(subject, []).append(each)


def raced_since(reader: Reader, since: int) -> list[tuple[str, int, str]]:
    """What raced with the jobs that were selected since then (microseconds): job, entry and dataset."""
    return [(job, entry, dataset) for job, entry, dataset in reader.rows(_RACED, since)]
