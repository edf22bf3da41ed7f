"""Which versions may serve a store: what a step is called, what it does, and what a version makes of later ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, inspect, text

from gateway.errors import CommandRefused, ConfigurationError
from gateway.ledger.verify.store import verify_store
from gateway.status.store import of_store
from gateway.storage import schema
from gateway.storage.migrating import migrate_store
from gateway.storage.migrations import planning
from gateway.storage.store import as_it_stands, examine_store, later, open_store, open_to_read
from gateway.storage.whole import metadata
from tests.ledger.support import VERIFIERS, disclosed, opened, refused
from tests.storage.conftest import Place

TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


class Shape(NamedTuple):
    """Tables as the database describes them: columns with type, need of a value and default, and what refuses rows."""

    columns: dict[tuple[str, str], tuple[str, bool, bool]]
    refusing: set[tuple[str, str]]
    referring: set[tuple[str, str]]
    triggers: set[str]

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.columns}


def shape(connection: Connection) -> Shape:
    found = Shape({}, set(), set(), set(connection.execute(text(TRIGGERS[connection.dialect.name])).scalars()))
    inspector = inspect(connection)
    for (_, table), columns in inspector.get_multi_columns().items():
        for column in columns:
            wanted = not column["nullable"] and column["default"] is None
            found.columns[table, column["name"]] = (str(column["type"]), column["nullable"], wanted)
    for constraints in (inspector.get_multi_unique_constraints(), inspector.get_multi_check_constraints()):
        for (_, table), refusing in constraints.items():
            found.refusing.update((table, str(each)) for each in refusing)
    for (_, table), indexes in inspector.get_multi_indexes().items():
        found.refusing.update((table, str(each)) for each in indexes if each["unique"])
    for (_, table), keys in inspector.get_multi_foreign_keys().items():
        found.referring.update((table, each["referred_table"]) for each in keys)
    return found


def faults(before: Shape, after: Shape) -> list[str]:
    """What keeps code that knows the tables before from going on with those after."""
    found = [
        f"{'.'.join(name)} was {column}"
        for name, column in before.columns.items()
        if name not in after.columns or (name[0] != "alembic_version" and after.columns[name] != column)
    ]
    found += [
        f"{'.'.join(name)} is wanted"
        for name, column in after.columns.items()
        if name not in before.columns and name[0] in before.tables and column[2]
    ]
    found += [f"rows of {each[0]} are refused" for each in after.refusing - before.refusing if each[0] in before.tables]
    found += [
        f"rows of {whose} are kept by {table}"
        for table, whose in after.referring - before.referring
        if whose in before.tables - planning._STAY
    ]
    return found + [f"{each} is at work" for each in after.triggers - before.triggers]


@contextlib.contextmanager
def engine_of(place: Place) -> Iterator[Engine]:
    with contextlib.closing(as_it_stands(place.url, "here.yaml")) as store:
        yield store.engine


def test_each_step_that_is_called_additive_only_adds_on_both_databases(bare: Place) -> None:
    wrong, additive = {}, 0
    with engine_of(bare) as engine, engine.connect() as connection:
        config = planning.configured(connection)
        before = shape(connection)
        for script in planning.scripts(config):
            run = planning.executed(connection, lambda number=script.revision: command.upgrade(config, number))  # type: ignore[misc]
            after = shape(connection)
            if script.module.additive:
                additive += 1
                found = faults(before, after)
                if found or not planning.only_adds(run):
                    wrong[script.revision] = found or run
            before = after
    assert wrong == {}
    assert additive > 10


PLANTED = [
    "ALTER TABLE shard DROP COLUMN erasures",
    "ALTER TABLE shard RENAME COLUMN floor TO ground",
    "ALTER TABLE act_count RENAME TO act_counted",
    "DROP TABLE act_count",
    "CREATE UNIQUE INDEX planted ON entry (at)",
    "CREATE TABLE planted (id INTEGER PRIMARY KEY, entry BIGINT REFERENCES entry (id))",
]
ELSEWHERE = {
    "sqlite": ["CREATE TRIGGER planted BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END"],
    "postgresql": [
        "ALTER TABLE shard ADD COLUMN planted INTEGER NOT NULL",
        "ALTER TABLE shard ALTER COLUMN name TYPE VARCHAR(3)",
        "ALTER TABLE shard ADD COLUMN planted INTEGER UNIQUE",
        "CREATE TRIGGER planted BEFORE UPDATE ON entry"
        " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
}


def test_what_does_not_only_add_is_found_by_what_it_executes_and_by_what_it_leaves(place: Place) -> None:
    place.open()
    with engine_of(place) as engine:
        for planted in (*PLANTED, *ELSEWHERE[place.kind]):
            assert not planning.only_adds([planted]), planted
            with engine.connect() as connection:
                before = shape(connection)
                connection.exec_driver_sql(planted)
                assert faults(before, shape(connection)), planted
                connection.rollback()


@pytest.mark.parametrize(
    ("statements", "adds"),
    [
        (["ALTER TABLE shard ADD COLUMN planted INTEGER DEFAULT 0 NOT NULL"], True),
        (["ALTER TABLE shard ADD COLUMN planted INTEGER NOT NULL"], False),
        (["ALTER TABLE shard ADD COLUMN planted INTEGER CHECK (planted > floor)"], False),
        (["ALTER TABLE shard ADD COLUMN planted INTEGER REFERENCES entry (id)"], False),
        (["CREATE TABLE planted (shard INTEGER REFERENCES shard (id))", "INSERT INTO planted VALUES (1)"], True),
        (["CREATE TABLE planted (id INTEGER)", "CREATE UNIQUE INDEX one ON planted (id)"], True),
        (["INSERT INTO shard (id) VALUES (1)"], False),
        (["VACUUM"], False),
    ],
)  # fmt: skip
def test_a_step_adds_only_by_what_is_known_to_add(statements: list[str], adds: bool) -> None:
    assert planning.only_adds(statements) is adds


def test_the_oldest_that_may_serve_is_the_last_step_that_did_not_only_add() -> None:
    old = [("0025", False), ("0026", True), ("0027", True)]
    assert planning.readable_from(old) == "0027", "nothing from before looks"
    assert planning.readable_from([*old, ("0028", True), ("0029", True)]) == "0027"
    assert planning.readable_from([*old, ("0028", True), ("0029", False), ("0030", True)]) == "0029"


def kept(place: Place) -> str | None:
    with engine_of(place) as engine, engine.connect() as connection:
        found: str | None = connection.execute(text("SELECT readable_from FROM store_version")).scalar_one()
    return found


def test_a_store_keeps_which_versions_may_serve_it(bare: Place) -> None:
    bare.open()
    with engine_of(bare) as engine, engine.connect() as connection:
        steps = planning.scripts(planning.configured(connection))
    assert kept(bare) == planning.readable_from((each.revision, each.module.additive) for each in steps)


LATER = f"{int(schema.LATEST) + 1:04}"


def step(place: Place, readable_from: str | None) -> None:
    """A step that this version does not know: a table more, and a column more in each of its own."""
    with engine_of(place) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE invented (id INTEGER PRIMARY KEY)"))
        for table in metadata.sorted_tables:
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN invented BIGINT DEFAULT 7 NOT NULL"))
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": LATER})
        connection.execute(text("DELETE FROM store_version"))
        if readable_from is not None:
            row = text("INSERT INTO store_version (id, readable_from) VALUES (1, :since)")
            connection.execute(row, {"since": readable_from})


async def test_this_version_serves_a_later_step_that_lets_it(place: Place) -> None:
    async with opened(place.open()) as ledger:
        await disclosed(ledger, 1)
        step(place, schema.LATEST)  # while it serves
        await disclosed(ledger, 2)
    store = place.open()
    async with opened(store) as ledger:
        await disclosed(ledger, 3)
        await refused(ledger, 4)
    [tables] = [each.said for each in of_store(store, 0) if each.part == "store"]
    assert tables.startswith(f"of step {LATER}, made by a newer version; this one knows {schema.LATEST}")
    [whole] = verify_store(store, VERIFIERS)
    assert whole.size == 4
    open_to_read(place.url).close()
    [said] = later(store.engine)
    assert f"tables are of step {LATER}, made by a newer version" in said
    assert f"knows {schema.LATEST}, and serves them until the newer one takes its place" in said
    place.close()
    if place.kind == "sqlite":
        assert examine_store(place.url, "here.yaml", single_node=True) == [said]


def test_what_would_have_to_know_all_tables_is_for_the_newer_version(place: Place) -> None:
    step(place, schema.LATEST)
    with pytest.raises(ConfigurationError, match="use the newer version"):
        migrate_store(place.url)
    with engine_of(place) as engine, pytest.raises(CommandRefused, match=r"nothing was done: .* use the newer version"):
        schema.refuse_later(engine)


@pytest.mark.parametrize("since", [LATER, None])
def test_one_that_does_not_is_refused_with_what_to_do(place: Place, since: str | None) -> None:
    place.open()
    step(place, since)
    place.close()
    ways: list[Callable[[], object]] = [
        lambda: open_store(place.url, "here.yaml"),
        lambda: open_to_read(place.url, "here.yaml"),
        lambda: migrate_store(place.url, "here.yaml"),
    ]
    if place.kind == "sqlite":
        ways.append(lambda: examine_store(place.url, "here.yaml", single_node=True))
    for way in ways:
        with pytest.raises(ConfigurationError, match=re.escape(f"of step {LATER}, made by a newer version")) as error:
            way()
        assert "use the newer version" in str(error.value)
