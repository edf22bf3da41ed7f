"""A PostgreSQL that would not keep what it committed is refused by `check` and by a start, with what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.config import settings
from gateway.errors import ConfigurationError, LedgerUnavailable, StoreHindered
from gateway.storage.migrating import migrate_store
from gateway.storage.store import examine_store, open_store
from tests import configured
from tests.ledger.support import AT, BY, opened
from tests.services import Postgres, postgres, replicated
from tests.waiting import until_async


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    with replicated(fsync="on") as servers:
        yield servers


@pytest.fixture(scope="module")
def single() -> Iterator[Postgres]:
    with postgres(fsync="on") as server:
        yield server


def refused(url: str, *, single_node: bool = False) -> str:
    with pytest.raises(ConfigurationError) as error:
        examine_store(url, "gateway.yaml", single_node=single_node)
    return str(error.value)


async def test_a_primary_with_its_synchronous_standby_is_accepted_and_the_standby_has_every_entry(
    pair: tuple[Postgres, Postgres],
) -> None:
    primary, standby = pair
    database = primary.database()
    url = primary.url(database)
    examine_store(url, "gateway.yaml", single_node=False)
    store = open_store(url, single_node=False)
    async with opened(store) as ledger:
        await asyncio.gather(*(ledger.append(b"%d" % n, b"", AT, BY) for n in range(20)))
        await ledger.append(b"last", b"", AT, BY)
    with standby.connect(database) as connection:
        connection.execute("SET default_transaction_read_only = on")
        # It has them on its disk when the commit returns, and shows them a moment later.
        size = "SELECT size FROM shard"
        await until_async("the standby to show them", lambda: connection.execute(size).fetchone() == (21,))
    store.close()


def test_a_standby_is_no_store(pair: tuple[Postgres, Postgres]) -> None:
    primary, standby = pair
    assert "is unusable" in refused(standby.url(primary.database()))


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_a_commit_must_wait_for_the_standbys_disk(pair: tuple[Postgres, Postgres], value: str) -> None:
    primary, _ = pair
    database = primary.database()
    with primary.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET synchronous_commit = {value}".encode())
    assert f"`synchronous_commit = {value}` does not wait" in refused(primary.url(database))


async def test_a_server_that_waits_for_no_standby_any_more_is_given_no_entry(
    pair: tuple[Postgres, Postgres],
) -> None:
    primary, _ = pair
    store = open_store(primary.url(primary.database()), single_node=False)
    heard: list[str | None] = []
    empty = "`synchronous_standby_names` is empty: commits wait for no standby"
    async with opened(store, retry=0.05, heard=lambda _name, why: heard.append(why)) as ledger:
        await ledger.append(b"before", b"", AT, BY)
        primary.set("synchronous_standby_names", "")
        answered = 1
        try:
            while ledger.healthy:  # sessions see the setting at slightly different moments
                with contextlib.suppress(LedgerUnavailable):
                    await ledger.append(b"%d" % answered, b"", AT, BY)
                    answered += 1
            for n in range(3):  # by new sessions
                assert not ledger.healthy
                with pytest.raises(LedgerUnavailable, match="is empty"):
                    await ledger.append(b"%d" % n, b"", AT, BY)
            with pytest.raises(StoreHindered, match="is empty"):
                await store.hold("another")
        finally:
            primary.set("synchronous_standby_names", "standby")
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        after = await ledger.append(b"after", b"", AT, BY)
    assert after.index <= answered + 1, "of what was refused, at most what the session that was there committed"
    assert heard[0] == f"the store did not take the entries ({empty})"
    assert set(heard[1:-1]) == {f"the store is out of reach ({empty})"}
    assert heard[-1] is None
    store.close()


def test_a_standby_that_is_named_must_be_there(pair: tuple[Postgres, Postgres]) -> None:
    primary, _ = pair
    url = primary.url(primary.database())
    primary.set("synchronous_standby_names", "absent")
    try:
        assert "no synchronous standby is connected" in refused(url)
    finally:
        primary.set("synchronous_standby_names", "standby")
    examine_store(url, "gateway.yaml", single_node=False)


def test_nothing_is_written_where_it_would_wait_for_a_standby_that_is_away(pair: tuple[Postgres, Postgres]) -> None:
    primary, _ = pair
    database = primary.database()
    url = primary.url(database)
    primary.set("synchronous_standby_names", "absent")
    ways: list[Callable[[bool], object]] = [
        lambda single: open_store(url, single_node=single),
        lambda single: migrate_store(url, single_node=single),
    ]
    try:
        for way in ways:
            for single, fix in ((False, "set `durability: single-node`"), (True, "empty `synchronous_standby_names`")):
                with pytest.raises(ConfigurationError, match=f"every commit would wait; start it, or .*{fix}"):
                    way(single)
        with primary.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    finally:
        primary.set("synchronous_standby_names", "standby")
    assert migrate_store(url, single_node=False)[0] is None


def test_a_migration_that_cannot_begin_says_why(pair: tuple[Postgres, Postgres]) -> None:
    primary, _ = pair
    database = primary.database()
    nobody = primary.url(database).replace("//postgres@", "//nobody@")
    with primary.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
    for url, why in ((nobody, "nobody"), (primary.url(database), "read-only.*let the server take writes again")):
        for single in (True, False):
            with pytest.raises(ConfigurationError, match=f"cannot be migrated: .*{why}.*it is as it was"):
                migrate_store(url, single_node=single)


def test_a_role_that_may_not_see_the_standbys_is_told_so(pair: tuple[Postgres, Postgres]) -> None:
    primary, _ = pair
    database = primary.database()
    with primary.connect(database) as connection:
        connection.execute("CREATE ROLE gateway LOGIN")
    url = primary.url(database).replace("//postgres@", "//gateway@")
    assert "GRANT pg_read_all_stats" in refused(url)
    with primary.connect(database) as connection:
        connection.execute("GRANT pg_read_all_stats TO gateway")
    examine_store(url, "gateway.yaml", single_node=False)


def test_one_server_is_refused_unless_the_configuration_says_that_it_is_enough(single: Postgres) -> None:
    url = single.url(single.database())
    said = refused(url)
    assert "`synchronous_standby_names` is empty" in said
    assert "`durability: single-node`" in said
    with pytest.raises(ConfigurationError, match="standby"):
        open_store(url, single_node=False)
    examine_store(url, "gateway.yaml", single_node=True)
    open_store(url, single_node=True).close()


def test_a_server_that_does_not_write_to_its_disk_is_refused_either_way(single: Postgres) -> None:
    url = single.url(single.database())
    for name in ("full_page_writes",):
        single.set(name, "off")
        assert f"`{name} = off`" in refused(url, single_node=True)
        single.set(name, "on")
    with single.connect(url.rpartition("/")[2]) as connection:
        connection.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off".encode())
    assert "`synchronous_commit = off`" in refused(url, single_node=True)


def test_fsync_off_is_refused(server: Postgres) -> None:
    assert "`fsync = off`" in refused(server.url(server.database()), single_node=True)


async def test_a_shards_commits_are_durable_whatever_the_database_is_set_to(server: Postgres) -> None:
    database = server.database()
    with server.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET synchronous_commit = off".encode())
    store = open_store(server.url(database))
    holding = await store.hold("1")
    assert holding is not None
    assert await holding._ours.fetchval("SHOW synchronous_commit") == "on"  # type: ignore[attr-defined]
    await holding.release()
    store.close()


@pytest.mark.parametrize(("durability", "expected"), [(None, False), ("replicated", False), ("single-node", True)])
def test_the_configuration_says_which(tmp_path: Path, durability: str | None, expected: bool) -> None:
    file = configured.write(tmp_path, store="postgresql+asyncpg://h/d", durability=durability)
    assert settings.load(file, {}).single_node is expected
    configured.write(tmp_path, store="postgresql+asyncpg://h/d", durability="hope")
    with pytest.raises(ConfigurationError, match="durability"):
        settings.load(file, {})
