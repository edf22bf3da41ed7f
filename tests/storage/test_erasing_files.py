"""Nothing of an erased subject is left in the files of a store."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.tables import subject_key
from tests.ledger.support import SUBJECT, disclosed, opened
from tests.storage.conftest import Place
from tests.storage.erasures import NAME, VERIFIERS, approved, erased, requested


async def test_nothing_of_it_is_left_in_the_files(tmp_path: Path) -> None:
    """SQLite: neither the secrets nor the identifiers, whichever pages they stood on, with a gateway running."""
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
        rows = [(number * 7919 % 10_007, f"V{number * 104_729 % 1_000_003:08}", bytes([number % 251 + 1]) * 3)
                for number in range(1, 4000)]  # fmt: skip
        with store.engine.begin() as connection:
            connection.execute(insert(subject_key), [
                {"id": id_, "shard": 1, "scheme": "LEI", "value": value, "secret": secret + value.encode()}
                for id_, value, secret in rows
            ])  # fmt: skip
        id_ = await requested(store)
        assert len(destruction.keys_of(store.engine, *NAME)) == 2
        with store.engine.connect() as connection:
            secrets = list(
                connection.execute(select(subject_key.c.secret).where(subject_key.c.value == NAME[1])).scalars()
            )
        assert any(SUBJECT.value.encode() in content for content in contents(tmp_path))
        assert any(secret in content for secret in secrets for content in contents(tmp_path))
        done = await approved(store, id_)
        more = [id_ for id_, _, _ in rows[::7]]
        with store.engine.begin() as connection:
            gone = update(subject_key).where(subject_key.c.id.in_(more))
            connection.execute(gone.values(scheme=None, value=None, secret=None))
        assert destruction.scrub(store) is None
        assert len(done.keys) == len(secrets) == 2
        for content in contents(tmp_path):
            assert SUBJECT.value.encode() not in content
            assert not any(secret in content for secret in secrets)
            assert not any(value.encode() in content for _, value, _ in rows[::7])
    assert any(rows[1][1].encode() in content for content in contents(tmp_path)), "others' are there"
    store.close()


async def test_a_table_that_is_too_long_to_be_written_anew_is_left_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destruction, "MOST_ANEW", 0)
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
    await erased(store)
    told = destruction.scrub(store)
    assert told is not None
    assert "`VACUUM`" in told
    assert str(tmp_path) in told
    verify_store(store, VERIFIERS)
    place.close()


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("store.db*")]


async def test_a_log_that_is_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger)
    with contextlib.closing(store.reader()) as reader:
        read.heads(reader)
        await erased(store)
        real = SqliteStore.connect
        monkeypatch.setattr(SqliteStore, "connect", lambda self, wait_ms=10: real(self, 10))
        assert "is in use" in str(destruction.scrub(store))
    assert destruction.scrub(store) is None
    place.close()
