"""Every column that can be sealed: what is written there reads the same, is found, and stands sealed in the store."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Table, Text, bindparam, insert, select, text, tuple_, update

from gateway.errors import StoreUnavailable
from gateway.storage import statement
from gateway.storage.keys.converting import sealed_columns, sealed_tables
from gateway.storage.port import Store
from gateway.storage.sealing.columns import Name
from gateway.storage.sealing.vault import Vault, new_keys
from gateway.storage.statement import SQLITE, Statement, filled
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import metadata
from tests.storage.conftest import Place

MARK = "m4711m"


def row(of: Table) -> dict[str, Any]:
    """A row with something in every column."""
    made: dict[str, Any] = {}
    for each in of.c:
        if each in sealed_columns(of):
            value = f"{MARK} of {each.name}"
            made[each.name] = value.encode() if isinstance(each.type.impl, LargeBinary) else value  # type: ignore[attr-defined]
        elif isinstance(each.type, Text):
            named = next((key.column.name for key in each.foreign_keys), each.name)
            made[each.name] = "requested" if each.name == "state" else f"some {named}"
        else:
            made[each.name] = b"0" if isinstance(each.type, LargeBinary) else 1
    return made | ({"lifted_at": None} if of.name == "hold" else {})


def planted(store: Store) -> dict[str, dict[str, Any]]:
    """A row in each table that can be sealed, by the table's name; and in those that they name."""
    named = {key.column.table for each in sealed_tables() for key in each.foreign_keys}
    rows = {each.name: row(each) for each in metadata.sorted_tables if each in named or each in sealed_tables()}
    with store.engine.begin() as connection:
        for name, values in rows.items():
            table = metadata.tables[name]
            connection.execute(update(table).values(values) if name == "counting" else insert(table).values(values))
    return {each.name: rows[each.name] for each in sealed_tables()}


def read(store: Store) -> dict[str, dict[str, Any]]:
    with store.engine.connect() as connection:
        return {each.name: dict(connection.execute(select(each)).mappings().one()) for each in sealed_tables()}


def test_each_reads_as_it_was_written_and_stands_sealed(sealed: Place) -> None:
    store = sealed.open()
    rows = planted(store)
    assert read(store) == rows
    with contextlib.closing(store.reader()) as reader:
        for each in sealed_tables():
            assert [dict(zip(each.c.keys(), found, strict=True)) for found in reader.rows(Statement(select(each)))] == [
                rows[each.name]
            ]
    store.close()
    copy = sealed.dump()
    assert MARK.encode() not in copy
    assert MARK.encode().hex().encode() not in copy
    assert len(rows) > 10


def test_each_that_is_looked_for_is_found(sealed: Place) -> None:
    store = sealed.open()
    rows = planted(store)
    names = [
        (table, each) for table in sealed_tables() for each in sealed_columns(table) if isinstance(each.type, Name)
    ]
    assert len(names) > 15
    with store.engine.connect() as connection, contextlib.closing(store.reader()) as reader:
        for table, each in names:
            value = rows[table.name][each.name]
            for query in (
                select(each).where(each == value),
                select(each).where(each.in_([value, "another"])),
                select(each).where(tuple_(each, each).in_([(value, value)])),
            ):
                assert connection.execute(query).scalars().all() == [value]
            assert connection.execute(select(each).where(each == "another")).first() is None
            asked = Statement(select(each).where(each == bindparam("value")), "value")
            assert reader.rows(asked, value) == [(value,)]


@pytest.mark.parametrize("dialect", [SQLITE, statement.asyncpg(), statement.psycopg()], ids=lambda each: each.driver)
def test_what_runs_on_a_driver_is_given_sealed_values(dialect: Any) -> None:
    vault = Vault(new_keys())
    change = (
        update(fact)
        .where(fact.c.value.in_(["one", "two"]), tuple_(fact.c.scheme, fact.c.record).in_([("PIN", "R-1")]))
        .values(record="R-2", reason=None, at=7)
    )
    plain, values = filled(change, dialect)
    sql, given = filled(change, dialect, vault)
    assert sql == plain
    assert sorted(values, key=str) == sorted(["one", "two", "PIN", "R-1", "R-2", None, 7], key=str)
    names = {vault.name("subject", each): each for each in ("one", "two")}
    names |= {vault.name("record", each): each for each in ("R-1", "R-2")}
    assert [names.get(each, each) for each in given] == values
    assert {"one", "two", "R-1", "R-2"}.isdisjoint(given)


def test_a_value_that_somebody_wrote_without_the_key_is_not_believed(sealed: Place) -> None:
    store = sealed.open()
    planted(store)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE fact SET value = '47110815'"))
    with store.engine.connect() as connection, pytest.raises(StoreUnavailable, match=r"`subject`.*does not open"):
        connection.execute(select(fact.c.value)).all()
