"""Rows that were written plain, sealed: whole, on the way, and what is refused; and keys that are changed."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from gateway.errors import CommandRefused, ConfigurationError, StoreUnavailable
from gateway.ledger.verify.store import verify_store
from gateway.storage.keys import converting, finishing, secret
from gateway.storage.port import Store
from gateway.storage.rules.drafts import draft
from gateway.storage.sealing import key_file
from gateway.storage.store import as_it_stands, open_store, open_to_read
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import subject_key
from tests.ledger.support import SUBJECT, VERIFIERS, disclosed, opened
from tests.storage.conftest import Place
from tests.storage.sealing.test_columns import MARK, planted, read

NOW = "gateway.yaml"


def quiet(*_: object) -> None:
    """Hears nothing."""


def finished(place: Place, key: Path) -> bool:
    """Seal a place's rows; whether there were any to seal."""
    with contextlib.closing(open_store(place.url, key=place.key)) as store:
        done = finishing.finish(store, key, NOW, quiet)
    place.key = key
    return done


def state(place: Place) -> str | None:
    """As the store's row says."""
    with contextlib.closing(open_store(place.url, key=place.key)) as store, store.engine.connect() as connection:
        row = secret.kept(connection)
    return None if row is None else row.state


async def entered(store: Store, number: int = 1) -> None:
    async with opened(store) as ledger:
        await disclosed(ledger, number)


def test_rows_that_were_plain_are_sealed_and_read_the_same(place: Place, key: Path) -> None:
    rows = planted(place.open())
    place.close()
    assert MARK.encode() in place.dump()
    assert finished(place, key)
    assert read(place.open()) == rows
    place.close()
    copy = place.dump()
    assert MARK.encode() not in copy
    assert MARK.encode().hex().encode() not in copy
    assert state(place) == secret.SEALED
    assert not finished(place, key)
    assert read(place.open()) == rows


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # of SQLite it is known at once
def test_a_session_that_is_only_just_ending_is_waited_for(
    place: Place, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(place.open())
    looked = list[float]()

    def ended(seconds: float) -> None:
        looked.append(seconds)
        place.close()
        time.sleep(seconds)

    monkeypatch.setattr(finishing, "time", SimpleNamespace(monotonic=time.monotonic, sleep=ended))
    assert finished(place, key)
    assert looked
    assert state(place) == secret.SEALED


async def test_a_ledger_goes_on_after_its_rows_were_sealed(place: Place, key: Path) -> None:
    await entered(place.open())
    with pytest.raises(CommandRefused, match="in use"):  # that store is open
        finishing.finish(place.open(), key, NOW, quiet)
    place.close()
    assert state(place) is None
    assert finished(place, key)
    store = place.open()
    await entered(store, 2)
    assert verify_store(store, VERIFIERS)[0].size == 2
    with store.engine.connect() as connection:
        assert connection.execute(select(subject_key.c.value)).scalars().all() == [SUBJECT.value]


def test_all_of_a_store_without_entries_is_sealed_when_it_is_opened(place: Place, key: Path) -> None:
    many = converting.BATCH + 7
    names = [f"{MARK}-{number}" for number in range(many)]
    with contextlib.closing(open_store(place.url)) as store, store.engine.begin() as connection:
        rows = [
            {"id": name, "issuer": "i", "official": name, "base": "b", "files": b"", "version": 1} for name in names
        ]
        connection.execute(insert(draft), [{**row, "began": 1, "used": 1} for row in rows])
    place.key = key
    with place.open().engine.connect() as connection:
        assert sorted(connection.execute(select(draft.c.official)).scalars()) == sorted(names)
    assert state(place) == secret.SEALED


def test_an_interrupted_one_is_refused_until_it_is_over(
    place: Place, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = planted(place.open())
    place.close()
    seal, tables = converting._seal, list[str]()

    def ending(connection: Any, of: Any, *more: Any, **named: Any) -> int:
        tables.append(of.name)
        if len(tables) == 8:
            raise KeyboardInterrupt
        return seal(connection, of, *more, **named)

    monkeypatch.setattr(converting, "_seal", ending)
    with contextlib.closing(open_store(place.url)) as store, pytest.raises(KeyboardInterrupt):
        finishing.finish(store, key, NOW, quiet)
    for way in (open_store, open_to_read):
        with pytest.raises(ConfigurationError, match="is not finished; run `dutybound store migrate --finish"):
            way(place.url, key=key)
    monkeypatch.undo()
    with contextlib.closing(as_it_stands(place.url, NOW)) as store:
        assert finishing.finish(store, key, NOW, quiet)
    place.key = key
    assert read(place.open()) == rows
    place.close()
    assert MARK.encode() not in place.dump()


def test_a_key_that_is_away_or_another_is_said_and_nothing_is_lost(sealed: Place, key: Path, tmp_path: Path) -> None:
    rows = planted(sealed.open())
    sealed.close()
    away = tmp_path / "away.key"
    key.rename(away)
    with pytest.raises(ConfigurationError, match=r"store\.key.*the key of the store is missing\. Nothing was changed"):
        sealed.open()
    other = key_file.generate(key)
    with pytest.raises(ConfigurationError, match=f"and `{key}` holds the key `{other.name}`"):
        sealed.open()
    with pytest.raises(ConfigurationError, match="name its file with `store_key_file`"):
        open_store(sealed.url)
    away.replace(key)
    assert read(sealed.open()) == rows


async def test_without_its_key_leaves_and_heads_are_verified_and_nothing_else(sealed: Place) -> None:
    store = sealed.open()
    await entered(store)
    whole = verify_store(store, VERIFIERS)
    locked = open_to_read(sealed.url, without=True)
    try:
        assert locked.locked
        assert verify_store(locked, VERIFIERS) == whole
    finally:
        locked.close()


async def test_the_key_outside_is_changed_while_a_ledger_is_open(sealed: Place, key: Path, tmp_path: Path) -> None:
    store, name, old = sealed.open(), key_file.load(key).name, tmp_path / "old.key"
    shutil.copy(key, old)
    async with opened(store) as ledger:
        await disclosed(ledger, 1)
        new = finishing.rotate_outside(store.engine, key, NOW)
        await disclosed(ledger, 2)
    assert new.name == key_file.load(key).name != name
    store.close()
    assert verify_store(sealed.open(), VERIFIERS)[0].size == 2
    with pytest.raises(ConfigurationError, match=f"sealed by the key `{new.name}`"):
        open_store(sealed.url, key=old)


async def test_a_change_of_the_key_outside_goes_on_where_it_ended(
    sealed: Place, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = sealed.open()
    await entered(store)
    for stops in (secret.replaced, key_file.KeyFile.first_alone):
        with monkeypatch.context() as patched:

            def stop(*_: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(secret if stops is secret.replaced else key_file.KeyFile, stops.__name__, stop)
            with pytest.raises(KeyboardInterrupt):
                finishing.rotate_outside(store.engine, key, NOW)
        assert key_file.load(key).several
        verify_store(sealed.open(), VERIFIERS)
    finishing.rotate_outside(store.engine, key, NOW)
    assert not key_file.load(key).several
    verify_store(sealed.open(), VERIFIERS)


async def test_secrets_are_sealed_anew_while_a_ledger_is_open(sealed: Place, key: Path) -> None:
    rows, store, other = planted(sealed.open()), sealed.open(), sealed.open()
    assert finishing.rotate_secrets(other.engine, key, NOW, quiet) == 2
    assert read(store) == rows  # it asked for the key that it did not know
    versions = set()
    with store.engine.connect() as connection:
        for each in converting.sealed_tables():
            raw = converting._raw(each)
            for one in converting.sealed_columns(each):
                if not isinstance(one.type, converting.Name):
                    value = connection.execute(select(raw.c[one.name])).scalar_one()
                    assert store.vault is not None
                    versions.add((each.name, one.type.newest(store.vault, value)))
    assert versions == {(name, True) for name, _ in versions}
    assert len(versions) > 8


def test_a_secret_that_nobody_sealed_is_not_believed_after_a_change_of_keys(sealed: Place, key: Path) -> None:
    store = sealed.open()
    planted(store)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE fact SET reason = 'written by hand'"))
    finishing.rotate_secrets(store.engine, key, NOW, quiet)
    with store.engine.connect() as connection, pytest.raises(StoreUnavailable, match="does not open"):
        connection.execute(select(fact.c.reason)).all()


def test_secrets_are_sealed_anew_though_others_write_between_reading_and_sealing(
    sealed: Place, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, store, other, page = planted(sealed.open()), sealed.open(), sealed.open(), converting._page

    def busy(*given: Any) -> Any:
        found = page(*given)
        with other.engine.begin() as connection:
            connection.execute(update(subject_key).values(shard=subject_key.c.shard))
        return found

    monkeypatch.setattr(converting, "_page", busy)
    assert finishing.rotate_secrets(store.engine, key, NOW, quiet) == 2
    monkeypatch.undo()
    assert read(other) == rows


@pytest.mark.parametrize("value", ["'x'", "''"])
def test_a_row_of_keys_that_was_altered_is_named(sealed: Place, key: Path, value: str) -> None:
    store = sealed.open()
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE store_secret SET sealed = {value}"))
    with pytest.raises(StoreUnavailable, match=r"the store's keys .*`store_secret`.*altered"):
        open_store(sealed.url, key=key)


async def test_a_store_whose_row_of_keys_is_gone_is_not_sealed_again(sealed: Place, key: Path) -> None:
    await entered(sealed.open())
    sealed.close()
    with contextlib.closing(as_it_stands(sealed.url, NOW)) as store:
        with store.engine.begin() as connection:
            row = secret.kept(connection)
            assert row is not None
            connection.execute(text("DELETE FROM store_secret"))
            before = connection.execute(text("SELECT secret FROM period_key ORDER BY id")).all()
        with pytest.raises(StoreUnavailable, match=r"`store_secret`\) is gone"):
            finishing.finish(store, key, NOW, quiet)
    for held in (key, None):
        with pytest.raises(StoreUnavailable, match=r"`store_secret`\) is gone"):
            open_to_read(sealed.url, NOW, held)
    with contextlib.closing(as_it_stands(sealed.url, NOW)) as store, store.engine.begin() as connection:
        assert connection.execute(text("SELECT secret FROM period_key ORDER BY id")).all() == before
        secret.begin(connection, row)
    assert verify_store(sealed.open(), VERIFIERS)[0].size == 1
