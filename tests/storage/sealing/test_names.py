"""Another key of names: rows are found by it afterwards, also once it was interrupted; none opens by the old one."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from gateway.errors import CommandRefused, ConfigurationError, StoreUnavailable
from gateway.ledger.verify.store import verify_store
from gateway.storage.keys import converting, finishing, opening, secret
from gateway.storage.rules.drafts import draft
from gateway.storage.sealing.columns import Name
from gateway.storage.sealing.vault import DataKeys, Vault
from gateway.storage.store import as_it_stands, open_store, open_to_read
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import subject_key
from tests.ledger.support import SUBJECT, VERIFIERS
from tests.storage.conftest import Place
from tests.storage.sealing.test_columns import planted, read
from tests.storage.sealing.test_finishing import NOW, entered, quiet


def rotated(place: Place) -> int:
    assert isinstance(place.key, Path)
    with contextlib.closing(as_it_stands(place.url, NOW)) as store:
        return finishing.rotate_names(store, place.key, NOW, quiet)


def keys(place: Place) -> tuple[str, DataKeys]:
    """The state of a place, and its keys."""
    with contextlib.closing(as_it_stands(place.url, NOW)) as store, store.engine.connect() as connection:
        row = secret.kept(connection)
    assert row is not None
    return row.state, opening.keys_of(row, place.key, NOW)


def names(place: Place) -> list[tuple[str, str]]:
    """The purpose of each name of a place, and what stands there."""
    with contextlib.closing(as_it_stands(place.url, NOW)) as store, store.engine.connect() as connection:
        return [
            (one.type.purpose, value)
            for each in converting.sealed_tables()
            for one in converting.sealed_columns(each)
            if isinstance(one.type, Name)
            for value in connection.execute(select(converting._raw(each).c[one.name])).scalars()
            if value
        ]


def more(place: Place) -> list[str]:
    """Officials, more than a batch: their drafts have a name beside the key."""
    officials = [f"official {number}" for number in range(converting.BATCH + 7)]
    rows = [
        {"id": each, "issuer": "i", "official": each, "base": "b", "files": b"", "version": 1, "began": 1, "used": 1}
        for each in officials
    ]
    with place.open().engine.begin() as connection:
        connection.execute(insert(draft), rows)
    place.close()
    return officials


def test_it_goes_on_where_it_was_interrupted(sealed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = planted(sealed.open())
    sealed.close()
    before, old = names(sealed), Vault(keys(sealed)[1])
    seal, batches = converting._seal, list[str]()

    def ending(connection: Any, of: Any, *more: Any, **named: Any) -> int:
        batches.append(of.name)
        if len(batches) == 5:
            raise KeyboardInterrupt
        return seal(connection, of, *more, **named)

    monkeypatch.setattr(converting, "_seal", ending)
    with pytest.raises(KeyboardInterrupt):
        rotated(sealed)
    monkeypatch.undo()
    half = names(sealed)
    assert 0 < len(set(half) & set(before)) < len(set(before))
    for way in (open_store, open_to_read):
        with pytest.raises(ConfigurationError, match="not finished; run `dutybound store rotate --names` again"):
            way(sealed.url, key=sealed.key)
    assert isinstance(sealed.key, Path)
    with contextlib.closing(as_it_stands(sealed.url, NOW)) as store:
        with pytest.raises(CommandRefused, match="run `dutybound store rotate --names` again"):
            finishing.finish(store, sealed.key, NOW, quiet)
        with pytest.raises(CommandRefused, match="run `dutybound store rotate --names` again"):
            finishing.rotate_secrets(store.engine, sealed.key, NOW, quiet)
    assert rotated(sealed) == 2
    state, now = keys(sealed)
    assert (state, set(now.names)) == (secret.SEALED, {2})
    assert read(sealed.open()) == rows
    sealed.close()
    copy = sealed.dump()
    after = names(sealed)
    assert len(before) == len(after) > 15
    for _, value in before:
        assert value.encode() not in copy
    for purpose, value in after:
        with pytest.raises(StoreUnavailable):
            old.name_opened(purpose, value)


def test_names_of_many_rows_are_found_and_what_nobody_sealed_is_not_believed(sealed: Place) -> None:
    planted(sealed.open())
    sealed.close()
    officials = more(sealed)
    with sealed.open().engine.begin() as connection:
        connection.execute(text("UPDATE fact SET value = '47110815'"))
    sealed.close()
    rotated(sealed)
    assert rotated(sealed) == 3
    with sealed.open().engine.connect() as connection:
        assert set(officials) <= set(connection.execute(select(draft.c.official)).scalars())
        for each in (officials[0], officials[-1]):
            assert connection.execute(select(draft.c.id).where(draft.c.official == each)).scalars().all() == [each]
        raw = converting._raw(fact)
        assert connection.execute(select(raw.c.value)).scalars().all() == ["47110815"]
        with pytest.raises(StoreUnavailable, match="does not open"):
            connection.execute(select(fact.c.value)).all()


async def test_it_is_refused_while_a_gateway_serves(sealed: Place) -> None:
    store = sealed.open()
    await entered(store)
    before = keys(sealed) if sealed.kind == "postgresql" else None
    with store.engine.connect() as connection:
        connection.execute(select(subject_key.c.value)).all()
        with pytest.raises(CommandRefused, match=r"in use.*; stop every gateway and command on it"):
            rotated(sealed)
    assert before is None or keys(sealed) == before
    await entered(store, 2)
    sealed.close()
    rotated(sealed)
    store = sealed.open()
    await entered(store, 3)
    assert verify_store(store, VERIFIERS)[0].size == 3
    with store.engine.connect() as connection:
        assert connection.execute(select(subject_key.c.value)).scalars().all() == [SUBJECT.value]
