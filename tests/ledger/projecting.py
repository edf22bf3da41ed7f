"""Logs for the projections: inquiries about some of a few subjects, as they are entered; and a straight scan of one.

The scan knows nothing of positions and keys: it opens everything, and is what the projections are held against.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections.lookups import by_official, by_requester_and_purpose, who_looked
from gateway.ledger.projections.positions import Place
from gateway.ledger.projections.recipients import recipients
from gateway.ledger.stored import read
from gateway.storage.port import Reader, Store
from gateway.storage.projections.tables import NAMES, acted, asked, displayed, looked, projected, raced, received
from gateway.storage.tables import SHARD_BITS, micros
from tests.ledger.support import AT

SUBJECTS = [("LEI", f"5299000000000000000{number}") for number in range(4)]
DATASETS = ("tax-arrears", "permits")
CLIENTS = ("market-regulator", "high-court", "environment-agency")
OFFICIALS = ("m.ivanova", "j.okafor", None)
PURPOSES = ("TENDER_QUALIFICATION", "LICENCE_RENEWAL")


class Asked(NamedTuple):
    """An inquiry to enter: subjects and datasets by number; `records` are numbers of records, each with its version."""

    client: int = 0
    purpose: int = 0
    subjects: tuple[int, ...] = (0,)
    datasets: tuple[int, ...] = (0,)
    records: tuple[tuple[int, int], ...] = ((1, 1),)
    facts: int = 0
    refused: bool = False
    official: int = 0
    own: bool = False


def told(each: Asked, number: int, at: datetime.datetime) -> tuple[entries.Told, entries.Oversight]:
    """The two sides of its entry."""
    who = entries.Who("https://login.example", CLIENTS[each.client], "some department")
    declared = entries.Declared(PURPOSES[each.purpose], case=f"case-{number}")
    oversight = entries.Oversight(entries.VERSION, OFFICIALS[each.official], each.facts, by_subject=each.own)
    head = (entries.VERSION, f"inquiry-{number}", at, who)
    named = [("organisation", *SUBJECTS[subject]) for subject in dict.fromkeys(each.subjects)]
    if each.refused:
        subjects = [entries.Named(*one) for one in named]
        return entries.Refused(*head, "5ec0de", "QUOTA_EXCEEDED", "enough", None, declared, subjects), oversight
    disclosed = [
        entries.Disclosed(
            *one,
            [
                entries.Dataset(
                    DATASETS[dataset],
                    ("amount", "period"),
                    [f"{DATASETS[dataset]}/R-{one[2][-1]}-{record}@{version}" for record, version in each.records],
                    until=[20_000 + record for record, _ in each.records],
                    since=[1_095] if each.records else [],
                )
                for dataset in dict.fromkeys(each.datasets)
            ],
        )
        for one in named
    ]
    data = entries.Data(bytes(32), bytes(32))
    return entries.Inquiry(*head, None, declared, "5ec0de", [], disclosed, data), oversight


async def enter(ledger: Ledger, each: Asked, number: int, at: datetime.datetime = AT) -> Place:
    """Enter it, and give its place."""
    sides = told(each, number, at)
    parts = split(*sides)
    by = (sides[0].requester.issuer, sides[0].requester.client)
    receipt = await ledger.append(parts.told, parts.oversight, at, by, (), parts.subjects)
    with contextlib.closing(ledger.store.reader()) as reader:
        [shard] = [head.id for head in read.heads(reader) if head.name == receipt.shard]
    return Place(micros(at), (shard << SHARD_BITS) + receipt.index)


async def enter_all(ledger: Ledger, every: Iterable[Asked]) -> list[Place]:
    """Enter them, a second apart."""
    return [await enter(ledger, each, n, AT + datetime.timedelta(seconds=n)) for n, each in enumerate(every)]


class Told(NamedTuple):
    """What one entry says to the scan."""

    place: Place
    told: entries.Told
    oversight: entries.Oversight


def scan(reader: Reader) -> list[Told]:
    """Every entry of version 2, opened, by time."""
    found = []
    for head in read.heads(reader):
        for entry in read.read_entries(reader, head.id, 0, head.size):
            place = Place(micros(entry.at), (head.id << SHARD_BITS) + entry.index)
            found.append(Told(place, entry.read_told(), entry.read_oversight()))
    return sorted(found, key=lambda each: each.place)


def looks_of(reader: Reader, subject: tuple[str, str]) -> list[Place]:
    """Where a subject stands, by the scan."""
    found = []
    for each in scan(reader):
        if isinstance(each.told, entries.Operation):
            named = each.told.disclosed if isinstance(each.told, entries.Inquiry) else each.told.subjects
            if subject in [(one.scheme, one.value) for one in named]:
                found.append(each.place)
    return found


def received_of(reader: Reader, subject: tuple[str, str], dataset: str) -> list[tuple[Place, str, tuple[str, ...]]]:
    """Who received records of a dataset, by the scan: place, client, records without their dataset."""
    found = []
    for each in scan(reader):
        if isinstance(each.told, entries.Inquiry):
            for one in each.told.disclosed:
                for given in one.datasets:
                    if (one.scheme, one.value) == subject and given.dataset == dataset and given.records:
                        records = tuple(record.removeprefix(f"{dataset}/") for record in given.records)
                        found.append((each.place, each.told.requester.client, records))
    return found


def asked_of(reader: Reader, client: str, purpose: str) -> list[Place]:
    """When a requester asked for a purpose, by the scan."""
    return [
        each.place
        for each in scan(reader)
        if isinstance(each.told, entries.Operation)
        and each.told.requester.client == client
        and each.told.declaration is not None
        and each.told.declaration.purpose == purpose
    ]


def acted_of(reader: Reader, client: str, official: str) -> list[Place]:
    """When an official asked for a requester, by the scan."""
    return [
        each.place
        for each in scan(reader)
        if isinstance(each.told, entries.Operation)
        and each.told.requester.client == client
        and each.oversight.official == official
        and not each.oversight.by_subject
    ]


def rows(store: Store) -> dict[str, set[tuple[object, ...]]]:
    """All that the projections hold."""
    with store.engine.connect() as connection:
        return {
            table.name: {tuple(row) for row in connection.execute(table.select())}
            for table in (looked, received, asked, raced, acted, displayed)
        }


def reached(store: Store) -> dict[tuple[str, int], int]:
    """The position of each projection in each shard."""
    with store.engine.connect() as connection:
        return {(row.projection, row.shard): row.next for row in connection.execute(projected.select())}


def whole(store: Store) -> bool:
    """Whether every projection has every entry."""
    with contextlib.closing(store.reader()) as reader:
        sizes = {head.id: head.size for head in read.heads(reader)}
    return reached(store) == {(name, shard): size for name in NAMES for shard, size in sizes.items()}


def check(store: Store, subjects: Sequence[tuple[str, str]] = SUBJECTS) -> None:
    """The projections say what the scan says, exactly asked, of every subject, dataset, requester and purpose."""
    exact = not whole(store)
    with contextlib.closing(store.reader()) as reader:
        for subject in subjects:
            assert who_looked(reader, *subject, exact=exact) == (looks_of(reader, subject), 0, None)
            for dataset in DATASETS:
                found = recipients(reader, *subject, dataset, exact=exact)
                given = [(each.place, each.client, each.records) for each in found.found]
                assert given == received_of(reader, subject, dataset)
                assert found.behind == 0
        for client in CLIENTS:
            for purpose in PURPOSES:
                got = by_requester_and_purpose(reader, "https://login.example", client, purpose, exact=exact)
                assert got == (asked_of(reader, client, purpose), 0, None)
            for official in OFFICIALS:
                if official is not None:
                    at = by_official(reader, "https://login.example", client, official)
                    assert list(at) == acted_of(reader, client, official)
