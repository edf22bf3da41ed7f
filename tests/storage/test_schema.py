"""The migrations: they give the tables that the code declares; a store of another version is refused or migrated."""

from __future__ import annotations

import contextlib
import re
import resource
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Integer, Table, inspect, text

from gateway.errors import ConfigurationError
from gateway.storage import schema
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.migrating import migrate_store
from gateway.storage.projections import tables
from gateway.storage.store import Store, examine_store, open_store, open_to_read
from gateway.storage.subjects import erasure
from gateway.storage.tables import metadata
from gateway.storage.watch import findings as watch
from tests.storage.conftest import Place

ALSO = (erasure.metadata, tables.metadata, watch.metadata)  # so that their tables are declared
FIRST_TABLES = {"shard", "period_key", "entry", "subtree", "requester", "entry_requester", "fact_head", "fact"}


def differences(store: Store) -> list[object]:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def described(store: Store) -> dict[str, object]:
    """What alembic's comparison leaves out, by the database's own words: keys, foreign keys, checks, rowids, and the
    order of columns, on which a step may rely.
    """
    inspector = inspect(store.engine)
    with store.engine.connect() as connection:
        made = (
            connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")).all()
            if connection.dialect.name == "sqlite"
            else []
        )
    return {
        table: (
            [column["name"] for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (str(key["constrained_columns"]), key["referred_table"]) for key in inspector.get_foreign_keys(table)
            ),
            sorted(re.sub(r"\W", "", str(check["sqltext"])) for check in inspector.get_check_constraints(table)),
            sorted(str(unique["column_names"]) for unique in inspector.get_unique_constraints(table)),
            table in {name for name, _ in made},
        )
        for table in sorted(inspector.get_table_names())
    }


def rows(store: Store) -> dict[str, list[dict[str, object]]]:
    """What is in its tables, with the length of a secret in its place."""
    found: dict[str, list[dict[str, object]]] = {}
    with store.engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            found[name] = [dict(each._mapping) for each in connection.execute(text(f'SELECT * FROM "{name}"'))]
    for each in found["counting"]:
        each["secret"] = len(bytes(each["secret"]))  # type: ignore[call-overload]
    return found


def test_a_store_made_at_once_is_what_the_steps_give(bare: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(schema, "_make", lambda connection, _: schema._upgrade(connection, schema.Version(None)))
        store = bare.open()
    assert differences(store) == []
    by_steps = described(store), rows(store), steps_key(store)
    with store.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        schema._make(connection, metadata)
    assert differences(store) == []
    assert (described(store), rows(store), steps_key(store)) == by_steps


def steps_key(store: Store) -> object:
    """The key of the table that is Alembic's own, and not among ours."""
    return inspect(store.engine).get_pk_constraint("alembic_version")


def test_a_table_that_no_step_makes_is_found(place: Place) -> None:
    store = place.open()
    planted = Table("planted", metadata)
    try:
        assert "add_table" in str(differences(store))
    finally:
        metadata.remove(planted)
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE shard ADD COLUMN planted INTEGER"))
    assert "remove_column" in str(differences(store))
    assert isinstance(metadata.tables["shard"].c.id.type, Integer)


def test_the_latest_step_is_the_last_one() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    steps = ScriptDirectory.from_config(config)
    assert steps.get_current_head() == schema.LATEST
    assert [step.revision for step in steps.walk_revisions()][-1] == schema.FIRST


def test_an_older_store_is_refused_with_the_command_and_a_newer_one_too(place: Place) -> None:
    store = place.open()
    for number, said in (("0000", "dutybound store migrate"), ("9999", "use the newer version")):
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})
            connection.execute(text("UPDATE store_version SET readable_from = :number"), {"number": number})
        ways: list[Callable[[], object]] = [
            lambda: open_store(place.url, "here.yaml"),
            lambda: open_to_read(place.url, "here.yaml"),
        ]
        if place.kind == "sqlite":
            ways.append(lambda: examine_store(place.url, "here.yaml", single_node=True))
        if number == "9999":
            ways.append(lambda: migrate_store(place.url, "here.yaml"))
        for way in ways:
            with pytest.raises(ConfigurationError, match=re.escape(said)) as refused:
                way()
            assert ("dutybound store migrate" in str(refused.value)) == (number == "0000")


def test_a_migration_that_a_full_disk_ends_says_what_to_do(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ConfigurationError, match="see whether the disk is full or fails, and run it again"):
            migrate_store(f"sqlite:///{tmp_path}/store.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_store_of_version_0_1_is_migrated(place: Place) -> None:
    """It has the first step's tables, and no record of steps."""
    store = place.open()
    later = [table for table in metadata.sorted_tables if table.name not in FIRST_TABLES]
    metadata.drop_all(store.engine, later)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("DROP INDEX fact_ended"))
        connection.execute(text("ALTER TABLE fact_head DROP COLUMN epoch"))
        connection.execute(text("ALTER TABLE shard DROP COLUMN erasures"))
        connection.execute(text("ALTER TABLE entry DROP COLUMN subjects"))
        connection.execute(text("UPDATE fact_head SET change = 7"))
    before, now = migrate_store(place.url)
    assert (before, now) == (schema.FIRST, schema.LATEST)
    open_store(place.url).close()
    assert migrate_store(place.url) == (schema.LATEST, schema.LATEST)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT change FROM fact_head")).scalars().all() == [7]


def test_two_that_find_the_store_empty_make_it_once(bare: Place) -> None:
    failed: list[BaseException] = []

    def start() -> None:
        try:
            open_store(bare.url).close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with bare.open().engine.connect() as connection:
        assert connection.execute(text("SELECT change FROM fact_head")).scalars().all() == [0]


def test_a_file_that_another_writes_to_is_waited_for(tmp_path: Path) -> None:
    """Turning it to WAL reads before it writes, and for that SQLite does not wait, whatever its busy timeout is."""
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE elsewhere (x)")
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as thread:
            opening = thread.submit(SqliteStore(tmp_path / "store.db").connect)
            assert wait([opening], timeout=0.3).not_done, "it gave up, or went on"
            other.execute("COMMIT")
            with contextlib.closing(opening.result()) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_looking_at_a_store_makes_none(tmp_path: Path) -> None:
    examine_store(f"sqlite:///{tmp_path}/absent.db", "here.yaml", single_node=True)
    assert list(tmp_path.iterdir()) == []
