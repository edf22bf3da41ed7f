"""Sealing rows that are there already: each value of a column that can be sealed, by the newest key.

Rows are taken a batch at a time in the order of their keys. Whoever begins again leaves what opens with the newest key
as it is. Nobody else may write meanwhile, except where only secrets are sealed anew
(`secrets_anew`): then a value that changed is left to whoever changed it.

In a store that was plain, what no key opens is plain. In a sealed one (`secrets_anew`, `names_anew`) somebody wrote it
who had no key: it is left as it is, and opens as little afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Table,
    TableClause,
    and_,
    bindparam,
    column,
    select,
    table,
    tuple_,
    update,
)

from gateway.errors import StoreUnavailable
from gateway.storage.sealing.columns import Name, Sealed
from gateway.storage.sealing.vault import Vault
from gateway.storage.tables import period_key
from gateway.storage.whole import metadata

BATCH = 500
Heard = Callable[[str, int], None]
"""Told after each batch: a table, and how many of its rows were sealed."""


def sealed_tables() -> list[Table]:
    """The tables with columns that can be sealed."""
    return [each for each in metadata.sorted_tables if sealed_columns(each)]


def sealed_columns(of: Table) -> list[Column[Any]]:
    """The columns of a table that can be sealed."""
    return [each for each in of.c if isinstance(each.type, Sealed)]


def seal_all(engine: Engine, vault: Vault, heard: Heard = lambda *_: None) -> None:
    """Seal every value, a transaction per batch; keys of days first, by which a store is known to be sealed."""
    for each in sorted(sealed_tables(), key=lambda one: one is not period_key):
        _all_names_in_key(engine, each, vault, heard, plain=True)
        _pages(engine, each, _outside_key(each), vault, heard, alone=True, plain=True)


def names_anew(engine: Engine, vault: Vault, heard: Heard = lambda *_: None) -> None:
    """Seal every name by the newest key, a transaction a batch."""
    for each in sealed_tables():
        _all_names_in_key(engine, each, vault, heard, plain=False)
        wanted = [one for one in _outside_key(each) if isinstance(one.type, Name)]
        _pages(engine, each, wanted, vault, heard, alone=True, plain=False)


def seal_new(connection: Connection, vault: Vault) -> None:
    """Seal what a store has in which nothing was entered yet, in the transaction of a connection."""
    for each in sealed_tables():
        for name in _names_in_key(each):
            last: str | None = None
            while names := _names(connection, each, name, last):
                _seal_names(connection, each, name, names, vault, plain=True)
                last = names[-1]
        after: tuple[Any, ...] | None = None
        while rows := _page(connection, each, _outside_key(each), after):
            _seal(connection, each, _outside_key(each), rows, vault, alone=True, plain=True)
            after = tuple(rows[-1][: len(each.primary_key.columns)])


def secrets_anew(engine: Engine, vault: Vault, heard: Heard = lambda *_: None) -> None:
    """Seal every secret by the newest key, while others read and write."""
    for each in sealed_tables():
        wanted = [one for one in _outside_key(each) if not isinstance(one.type, Name)]
        _pages(engine, each, wanted, vault, heard, alone=False, plain=False)


def _all_names_in_key(engine: Engine, of: Table, vault: Vault, heard: Heard, *, plain: bool) -> None:
    for each in _names_in_key(of):
        after: str | None = None
        while True:
            with engine.begin() as connection:
                names = _names(connection, of, each, after)
                heard(of.name, _seal_names(connection, of, each, names, vault, plain=plain))
            if len(names) < BATCH:
                break
            after = names[-1]


def _pages(
    engine: Engine, of: Table, wanted: Sequence[Column[Any]], vault: Vault, heard: Heard, *, alone: bool, plain: bool
) -> None:
    after: tuple[Any, ...] | None = None
    while wanted:
        with engine.connect() as connection:
            rows = _page(connection, of, wanted, after)
        with engine.begin() as connection:  # of its own: SQLite refuses to write from a snapshot that others wrote past
            heard(of.name, _seal(connection, of, wanted, rows, vault, alone=alone, plain=plain))
        if len(rows) < BATCH:
            break
        after = tuple(rows[-1][: len(of.primary_key.columns)])


def _outside_key(of: Table) -> list[Column[Any]]:
    return [each for each in sealed_columns(of) if not each.primary_key]


def _names_in_key(of: Table) -> list[Column[Any]]:
    return [each for each in sealed_columns(of) if each.primary_key]


def _raw(of: Table) -> TableClause:
    """The table with its values as they stand there."""
    plain = [each.type.impl if isinstance(each.type, Sealed) else each.type for each in of.c]
    return table(of.name, *(column(each.name, type_) for each, type_ in zip(of.c, plain, strict=True)))


def _page(
    connection: Connection, of: Table, wanted: Sequence[Column[Any]], after: tuple[Any, ...] | None
) -> Sequence[Any]:
    """Rows after a key: the key's columns, and those that are wanted."""
    if not wanted:
        return []
    raw = _raw(of)
    key = [raw.c[each.name] for each in of.primary_key.columns]
    query = select(*key, *(raw.c[each.name] for each in wanted)).order_by(*key).limit(BATCH)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after) if len(key) > 1 else key[0] > after[0])
    return connection.execute(query).all()


def _seal(
    connection: Connection,
    of: Table,
    wanted: Sequence[Column[Any]],
    rows: Sequence[Any],
    vault: Vault,
    *,
    alone: bool,
    plain: bool,
) -> int:
    """Seal the values of rows as `_page` gives them; how many rows were changed."""
    raw, keys = _raw(of), len(of.primary_key.columns)
    found = 0
    for place, each in enumerate(wanted, keys):
        changed = [
            {**{f"key{n}": row[n] for n in range(keys)}, "was": row[place], "now": value}
            for row in rows
            if (value := _newest(vault, each.type, row[place], plain=plain)) is not None
        ]
        if not changed:
            continue
        here = [raw.c[one.name] == bindparam(f"key{n}") for n, one in enumerate(of.primary_key.columns)]
        same = [] if alone else [raw.c[each.name] == bindparam("was")]
        statement = update(raw).where(and_(*here, *same)).values({each.name: bindparam("now")})
        given = [{name: row[name] for name in row if name != "was" or not alone} for row in changed]
        connection.execute(statement, given)
        found = max(found, len(changed))
    return found


def _names(connection: Connection, of: Table, name: Column[Any], after: str | None) -> Sequence[str]:
    """Names after one, each once. One that was sealed anew may come again, and none that was not is passed over."""
    one = _raw(of).c[name.name]
    query = select(one).distinct().order_by(one).limit(BATCH)
    return connection.execute(query if after is None else query.where(one > after)).scalars().all()


def _seal_names(
    connection: Connection, of: Table, name: Column[Any], names: Sequence[str], vault: Vault, *, plain: bool
) -> int:
    """Seal names that are part of a key, each of them at once in all of its rows; how many rows were changed."""
    raw, found = _raw(of), 0
    for was in names:
        if (now := _newest(vault, name.type, was, plain=plain)) is not None:
            change = update(raw).where(raw.c[name.name] == was).values({name.name: now})
            found += connection.execute(change).rowcount
    return found


def _newest(vault: Vault, type_: Any, value: Any, *, plain: bool) -> Any:
    """A value sealed by the newest key; None for one that is, for nothing, and for what does not open but `plain`."""
    if value is None or not isinstance(value, (str, bytes, memoryview)):
        return None
    try:
        was = type_.opened(vault, value)
    except (StoreUnavailable, UnicodeDecodeError):
        return type_.sealed(vault, value) if plain else None
    return None if type_.newest(vault, value) else type_.sealed(vault, was)
