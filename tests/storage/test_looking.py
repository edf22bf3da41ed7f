"""A statement that is asked again and again sees what was committed since, of the store that is there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.errors import StoreUnavailable
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.looking import Looking
from gateway.storage.port import Store
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact_head
from tests.stores import store_at

HEAD = Statement(select(fact_head.c.epoch))


def raised(store: Store, epoch: int) -> None:
    with store.engine.begin() as connection:
        connection.execute(update(fact_head).values(epoch=epoch))


@pytest.fixture
def looking(store: Store) -> Iterator[Looking]:
    with contextlib.closing(Looking(store, HEAD)) as made:
        yield made


def test_each_look_sees_what_was_committed_before_it(store: Store, looking: Looking) -> None:
    for epoch in range(1, 4):
        raised(store, epoch)
        assert looking.rows() == [(epoch,)]


def test_after_a_failure_it_looks_on_another_connection(
    store: Store, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looking.rows() == [(0,)]
    with monkeypatch.context() as patch:
        patch.setattr(looking, "_statement", Statement(select(fact_head.c.epoch).where(fact_head.c.epoch == 1 // 1)))
        with pytest.raises(AssertionError):  # it has a mark that nobody fills
            looking.rows()
    raised(store, 7)
    assert looking.rows() == [(7,)]


def test_a_session_that_ended_meanwhile_is_replaced(store: Store, looking: Looking) -> None:
    assert looking.rows() == [(0,)]
    if store.engine.dialect.name != "postgresql":
        return
    with store.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
    assert looking.rows() == [(0,)]


def test_a_file_that_was_replaced_is_seen(tmp_path: Path) -> None:
    with contextlib.closing(store_at(tmp_path / "store.db")) as store:
        assert isinstance(store, SqliteStore)
        with contextlib.closing(Looking(store, HEAD)) as looking:
            assert looking.rows() == [(0,)]
            with contextlib.closing(store_at(tmp_path / "other.db")) as other:
                raised(other, 5)
            shutil.move(tmp_path / "other.db", tmp_path / "store.db")
            assert looking.rows() == [(5,)]
            (tmp_path / "store.db").unlink()
            with pytest.raises(StoreUnavailable):
                looking.rows()
