"""Core statements for raw connections: rendered once per driver, filled by position.

Core's own execution costs more than the statement, so the ledger's statements are compiled from Core and run on the
driver. Each names its parameters in the order in which callers fill them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Insert, Table, TupleType, insert, literal, select
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

from gateway.storage.sealing import columns
from gateway.storage.sealing.vault import Vault

SQLITE: Dialect = pysqlite.dialect(paramstyle="qmark")


def of_one_moment(connection: Connection) -> Connection:
    """A connection on which nothing was read yet; all that it reads is of one moment then, as on SQLite anyway."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


@functools.cache
def psycopg() -> Dialect:
    """How psycopg wants a statement. Made on first need: a store of one kind does without the other's dialect."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    return PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]


@functools.cache
def asyncpg() -> Dialect:
    """How asyncpg wants a statement."""
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

    return PGDialect_asyncpg()  # type: ignore[no-untyped-call]


def compiled(statement: ClauseElement, *parameters: str, dialect: Dialect = SQLITE) -> str:
    """A Core statement as SQL with positional marks.

    `parameters` are the names that the caller will fill the marks with, in order; a different order is a defect.
    """
    made = statement.compile(dialect=dialect)
    order = tuple(getattr(made, "positiontup", None) or ())
    if order != parameters:
        raise AssertionError(f"the marks of this statement are {order}, not {parameters}:\n{made}")
    return str(made)


class _Shape(NamedTuple):
    """What statements of one shape have in common: their SQL, where each mark's value is among theirs, what is sealed.

    Nothing of what any of them says: it is kept for as long as a process lives.
    """

    text: str
    places: tuple[int, ...]
    sealed: columns.Places


_shapes: LRUCache[Any, _Shape] = LRUCache(256)
"""By dialect, and by what Core's own cache knows statements of one shape by."""


def filled(statement: ClauseElement, dialect: Dialect, vault: Vault | None = None) -> tuple[str, list[Any]]:
    """A Core statement that holds its own values: its SQL, and those values in order, as the store has them."""
    key = statement._generate_cache_key()
    shape = _shapes.get((dialect, key.key)) if key is not None else None
    if key is not None and shape is None:
        shape = _shape(statement.compile(dialect=dialect, cache_key=key), key)
        if shape is not None:
            _shapes[dialect, key.key] = shape
    if key is None or shape is None:
        return _alone(statement, dialect, vault)
    values = [key.bindparams[place].effective_value for place in shape.places]
    return shape.text, list(columns.sealed(vault, shape.sealed, values))


def _shape(made: Any, key: CacheKey) -> _Shape | None:
    """Of a statement that was compiled; None where its text depends on its values, as with a list of them."""
    if made.post_compile_params or made.literal_execute_params:
        return None
    matching = made._cache_key_bind_match[0]
    places = {bind: place for place, own in enumerate(key.bindparams) for bind in matching[own]}
    binds = [made.binds[name] for name in made.positiontup or ()]
    if any(bind not in places for bind in binds):
        return None
    sealed = columns.places([bind.type for bind in binds])
    return _Shape(str(made), tuple(places[bind] for bind in binds), sealed)


def _alone(statement: ClauseElement, dialect: Dialect, vault: Vault | None) -> tuple[str, list[Any]]:
    """Compiled for itself."""
    made: Any = statement.compile(dialect=dialect)
    state = made.construct_expanded_state(escape_names=False)
    order: Sequence[str] = state.positiontup or ()
    values = [state.parameters[name] for name in order]
    if vault is not None:
        types = _types(made, state.parameter_expansion)
        values = list(columns.sealed(vault, columns.places([types[name] for name in order]), values))
    return state.statement, values


def _types(made: Any, several: Mapping[str, Sequence[str]]) -> dict[str, TypeEngine[Any]]:
    """The types of a statement's values by the names of its marks; a list has a mark for each of it."""
    found: dict[str, TypeEngine[Any]] = {}
    for name, bind in made.binds.items():
        of = bind.type.types if isinstance(bind.type, TupleType) else [bind.type]
        found.update((each, of[place % len(of)]) for place, each in enumerate(several.get(name, [name])))
    return found


@functools.cache
def insertion(table: Table, dialect: Dialect) -> str:
    """What inserts a row, filled in the order of the table's columns."""
    return compiled(insert(table), *table.c.keys(), dialect=dialect)


def inserted(table: Table, values: Mapping[str, object], *conditions: ColumnElement[bool]) -> Insert:
    """What inserts a row where the conditions hold."""
    row = select(*(literal(value, table.c[name].type) for name, value in values.items())).where(*conditions)
    return insert(table).from_select(list(values), row)


class Statement:
    """A statement for whichever store; `parameters` as for `compiled`."""

    def __init__(self, core: ClauseElement, *parameters: str) -> None:
        self._core, self._parameters = core, parameters

    @functools.cached_property
    def sqlite(self) -> str:
        return compiled(self._core, *self._parameters)

    @functools.cached_property
    def psycopg(self) -> str:
        return compiled(self._core, *self._parameters, dialect=psycopg())

    def given(self, vault: Vault | None, values: Sequence[Any]) -> Sequence[Any]:
        """Values for the parameters as a store with `vault` has them."""
        return values if vault is None else columns.sealed(vault, self._given, values)

    def read(self, vault: Vault | None, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows of it as they are without; raises `StoreUnavailable` where one does not open."""
        return rows if vault is None else columns.opened(vault, self._read, rows)

    @functools.cached_property
    def _given(self) -> columns.Places:
        binds = self._core.compile(dialect=SQLITE).binds  # type: ignore[attr-defined]
        return columns.places([binds[name].type for name in self._parameters])

    @functools.cached_property
    def _read(self) -> columns.Places:
        return columns.places([each.type for each in getattr(self._core, "selected_columns", ())])
