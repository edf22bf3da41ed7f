"""Who received what of many subjects is what is found of each of them alone, in logs of any kind and on both stores."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.ledger.projections import several
from gateway.ledger.projections.projector import Projector
from gateway.ledger.projections.recipients import recipients
from gateway.ledger.projections.several import Received, received_of
from gateway.storage.migrating import migrate_store
from gateway.storage.port import Reader, Store
from tests.ledger import projecting
from tests.ledger.projecting import CLIENTS, DATASETS, PURPOSES, SUBJECTS, Asked, enter_all
from tests.ledger.support import SUBJECT, opened, store_in
from tests.storage.conftest import Place

OLD = Path(__file__).parents[2] / "vectors" / "store-v1" / "store.sql"
Found = set[tuple[int, str, str, int | None, str, tuple[str, ...], tuple[str, ...]]]


def project(store: Store) -> None:
    projector = Projector(store)
    while projector.turn():
        """There is more."""
    projector.close()


def log(seed: int) -> list[Asked]:
    """Inquiries of any kind."""
    made = random.Random(seed)
    return [
        Asked(
            made.randrange(len(CLIENTS)),
            made.randrange(len(PURPOSES)),
            tuple(made.sample(range(len(SUBJECTS)), made.randint(1, 3))),
            tuple(made.sample(range(len(DATASETS)), made.randint(1, 2))),
            tuple((made.randint(1, 3), made.randint(1, 2)) for _ in range(made.randint(0, 2))),
            facts=made.randint(0, 4),
            refused=made.random() < 0.1,
        )
        for _ in range(60)
    ]


def together(found: Mapping[tuple[str, str], Sequence[Received]], subject: tuple[str, str]) -> Found:
    return {
        (each.entry, each.issuer, each.client, each.facts, share.dataset, share.fields, share.records)
        for each in found.get(subject, ())
        for share in each.shares
    }


def alone(reader: Reader, subject: tuple[str, str]) -> Found:
    return {
        (each.place.entry, each.issuer, each.client, each.facts, dataset, each.fields, each.records)
        for dataset in DATASETS
        for each in recipients(reader, *subject, dataset).found
    }


async def test_together_is_as_alone(place: Place) -> None:
    store = place.open()
    async with opened(store) as ledger:
        await enter_all(ledger, log(7))
    project(store)
    with contextlib.closing(store.reader()) as reader:
        for subjects in (SUBJECTS[:1], SUBJECTS):
            found = received_of(reader, subjects)
            assert set(found) == set(subjects)
            for subject in subjects:
                assert together(found, subject) == alone(reader, subject) != set()
        assert received_of(reader, []) == {}


async def test_what_was_disclosed_again_is_read_once(place: Place) -> None:
    store = place.open()
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(subjects=(0,))] * 3)
    project(store)
    with contextlib.closing(store.reader()) as reader:
        [several] = received_of(reader, SUBJECTS[:1]).values()
    assert len(several) == 3
    assert len({id(each.shares) for each in several}) == 1


async def test_more_than_one_question_holds_are_all_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = place.open()
    many = [("LEI", f"5299000000000000{number:04}") for number in range(2 * several._AT_ONCE + 1)]
    monkeypatch.setattr(projecting, "SUBJECTS", many)
    async with opened(store) as ledger:
        await enter_all(ledger, [Asked(subjects=(number,)) for number in range(len(many))])
    project(store)
    with contextlib.closing(store.reader()) as reader:
        assert {subject: len(each) for subject, each in received_of(reader, many).items()} == dict.fromkeys(many, 1)


async def test_entries_without_keys_are_found_too(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(OLD.read_text())
    migrate_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    with contextlib.closing(store_in(tmp_path)) as store:
        project(store)
        with contextlib.closing(store.reader()) as reader:
            found = received_of(reader, [SUBJECT[1:]])
            assert together(found, SUBJECT[1:]) == alone(reader, SUBJECT[1:]) != set()
