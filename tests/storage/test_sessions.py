"""Sessions on PostgreSQL: each has the server's JIT off and ends what hangs, and `check` tells what else hinders."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import make_url, text

from gateway.errors import StoreUnavailable
from gateway.storage import schema
from gateway.storage.engines import postgresql
from gateway.storage.engines.postgresql import PostgresStore
from gateway.storage.statement import Statement
from gateway.storage.store import examine_store
from gateway.storage.whole import metadata
from tests.services import Postgres, postgres

# As Debian's packages have it, and so that any statement would be compiled.
JIT = {"jit": "on", "jit_above_cost": "0"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres(fsync="on", autovacuum="on", **JIT) as started:
        yield started


@pytest.fixture
def store(server: Postgres) -> Iterator[PostgresStore]:
    made = PostgresStore(make_url(server.url(server.database())))
    schema.migrate(made.engine, metadata)
    yield made
    made.close()


async def test_every_session_has_jit_off(server: Postgres, store: PostgresStore) -> None:
    with server.connect("postgres") as usual:
        assert usual.execute("SHOW jit").fetchone() == ("on",)
    with store.connect() as own, store.engine.connect() as pooled:
        assert own.execute("SHOW jit").fetchone() == ("off",)
        assert pooled.execute(text("SHOW jit")).scalar_one() == "off"
    reader = store.reader()
    shown = reader.rows(Statement(text("SELECT current_setting('jit')")))
    reader.close()
    assert shown == [("off",)]
    facts, held = store.facts(), await store.hold("a")
    assert held is not None
    await facts.read([("LEI", "x")])
    for connection in (facts._connection, held._connection):
        assert connection is not None
        assert await connection.fetchval("SHOW jit") == "off"
    facts.close()
    held.drop()


async def test_a_name_that_another_holds_leaves_no_session_behind(store: PostgresStore) -> None:
    """Nobody ends a session that is forgotten but the collector, in whichever thread that runs; and that is fatal."""
    held = await store.hold("a")
    assert held is not None
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert await store.hold("a") is None
        forgotten = [each for each in gc.get_objects() if isinstance(each, asyncpg.Connection) and not each.is_closed()]
    finally:
        gc.enable()
    assert forgotten == [held._connection]
    held.drop()


def test_a_role_cannot_turn_it_on(server: Postgres, store: PostgresStore) -> None:
    with server.connect("postgres") as connection:
        connection.execute("ALTER ROLE postgres SET jit = on")
    with store.connect() as own:
        assert own.execute("SHOW jit").fetchone() == ("off",)


async def test_a_statement_that_hangs_is_ended(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.connect() as own:
        assert own.execute("SHOW statement_timeout").fetchone() == (f"{postgresql.STATEMENT_TIMEOUT // 60}min",)
    monkeypatch.setattr(postgresql, "_OPTIONS", "-c statement_timeout=100")
    blocking = store.connect()
    blocking.execute("LOCK TABLE shard")
    store.engine.dispose()
    reader = store.reader()
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await asyncio.to_thread(reader.rows, Statement(text("SELECT count(*) FROM shard")))
    reader.close()
    blocking.close()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("enable_indexscan", "off", "`enable_indexscan = off` makes each look-up"),
        ("idle_session_timeout", "10min", "`idle_session_timeout = 10min` ends the session"),
        ("default_transaction_isolation", "serializable", "`default_transaction_isolation = serializable` makes"),
        ("log_statement", "all", "its log names subjects"),
        ("log_min_duration_statement", "1s", "its log names subjects"),
    ],
)
def test_check_tells_what_hinders(server: Postgres, store: PostgresStore, name: str, value: str, told: str) -> None:
    url = server.url(store.dsn.rpartition("/")[2].partition("?")[0])
    assert examine_store(url, "gateway.yaml", single_node=True) == []
    with server.connect("postgres") as connection:
        before = connection.execute(f"SHOW {name}".encode()).fetchone()
    assert before
    server.set(name, value)
    try:
        found = examine_store(url, "gateway.yaml", single_node=True)
    finally:
        server.set(name, str(before[0]))
    assert len(found) == 1
    assert told in found[0]


def test_values_that_are_not_logged_are_no_hindrance(server: Postgres, store: PostgresStore) -> None:
    url = server.url(store.dsn.rpartition("/")[2].partition("?")[0])
    server.set("log_statement", "all")
    server.set("log_parameter_max_length", "0")
    try:
        assert examine_store(url, "gateway.yaml", single_node=True) == []
    finally:
        server.set("log_parameter_max_length", "-1")
        server.set("log_statement", "none")


def test_a_server_that_never_vacuums_is_told_of() -> None:
    with postgres(fsync="on", autovacuum="off") as server:
        (told,) = examine_store(server.url(server.database()), "gateway.yaml", single_node=True)
    assert "`autovacuum = off` lets tables" in told
