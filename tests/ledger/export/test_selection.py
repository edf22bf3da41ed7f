"""Entries chosen by subject: those that a scan would give, at any state of the projections, and no other is opened."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.export import select
from gateway.ledger.projections.lookups import who_looked
from gateway.ledger.projections.positions import START
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import raced, recipients
from gateway.ledger.stored import read
from gateway.storage.migrating import migrate_store
from gateway.storage.port import Reader
from gateway.storage.store import open_store
from gateway.storage.subjects import facts
from tests.ledger.projecting import SHARD_BITS, SUBJECTS, Asked, enter_all
from tests.ledger.support import SUBJECT, disclosed, opened, store_in
from tests.vectors.test_store_vectors import HERE, restored

LOG = [Asked(n % 3, n % 2, (n % 4, (n + 1) % 4), refused=n % 5 == 0) for n in range(23)]


def chosen(reader: Reader, looked: entries.Looked) -> list[tuple[str, int]]:
    return [(each.head.name, each.entry.index) for each in select.choose(reader, looked)]


def scanned(reader: Reader, looked: entries.Looked) -> list[tuple[str, int]]:
    return [
        (head.name, entry.index)
        for head in read.heads(reader)
        for entry in read.read_entries(reader, head.id, 0, head.size)
        if entry.told is not None and select.fits(entry.read_told(), looked)
    ]


async def test_it_gives_what_a_scan_gives_and_passes_nothing_over(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    projector = Projector(store, 5)
    async with opened(store) as ledger, opened(store) as other:
        places = await enter_all(ledger, LOG)
        await enter_all(other, LOG[:7])
    since = read.moment(places[4].at)
    for _ in range(8):
        with contextlib.closing(store.reader()) as reader:
            for subject in SUBJECTS:
                for looked in (
                    entries.Looked(*subject),
                    entries.Looked(*subject, case="case-3"),
                    entries.Looked(*subject, since=since),
                    entries.Looked(*subject, until=since),
                ):
                    assert chosen(reader, looked) == scanned(reader, looked)
            assert len(scanned(reader, entries.Looked(*SUBJECTS[0]))) > 10
        projector.turn()
    with store.engine.begin() as connection:  # an entry about others: nobody can tell any more what it is about
        damaged = {"id": (1 << SHARD_BITS) + 1, "told": bytes(90)}
        connection.execute(text("UPDATE entry SET told = :told WHERE id = :id"), damaged)
    with contextlib.closing(store.reader()) as reader:
        assert LOG[1].subjects == (1, 2)
        for subject in SUBJECTS[:2]:
            with pytest.raises(VerificationFailed, match="entry 1"):
                chosen(reader, entries.Looked(*subject))
    projector.close()


async def test_entries_of_version_1_are_found_too(tmp_path: Path) -> None:
    url = restored(HERE / "store-v1", tmp_path)
    migrate_store(url)
    store = open_store(url)
    change = facts.withdraw(store.engine, SUBJECT, "tax-arrears", "N-1", read.moment(0)).change
    subject = (SUBJECT.scheme, SUBJECT.value)
    async with opened(store) as ledger:
        await disclosed(ledger, 9)
    projector = Projector(store, 2)
    for _ in range(4):
        with contextlib.closing(store.reader()) as reader:
            looks = who_looked(reader, *subject, exact=True).places
            assert len(looks) == 6
            assert who_looked(reader, *subject, looks[1], 2, exact=True).places == looks[2:4]
            assert who_looked(reader, "LEI", "another", START, exact=True).places == []
            given = recipients(reader, *subject, "tax-arrears", "N-1", exact=True).found
            told = [each.told for each in select.choose(reader, entries.Looked(*subject))]
            assert len(given) == sum(isinstance(each, entries.Inquiry) for each in told) > 1
            assert scanned(reader, entries.Looked(*subject)) == chosen(reader, entries.Looked(*subject))
        projector.turn()
    with contextlib.closing(store.reader()) as reader:
        assert who_looked(reader, *subject).places == looks
        assert [each.place for each in recipients(reader, *subject, "tax-arrears", "N-1").found] == [
            each.place for each in given
        ]
        before = [each.place for each in given if each.facts is not None and each.facts < change]
        assert [each.place for each in raced(reader, change)] == before
        assert {each.subject for each in raced(reader, change)} <= {None, subject}
    projector.close()
