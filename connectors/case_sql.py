"""Case registries that are tables or views of a database (`case-sql`), read with an account that can only read.

    cases:     {table: court_case, id: number, open: is_open}       # or open: {column: status, values: [open, stayed]}
    subjects:  {table: court_case_party, case: case_no, scheme: id_type, value: id_no}      # or scheme: {const: LEI}
    officials: {table: court_case_official, case: case_no, official: login}

Three statements of one read-only transaction, so that they are of one moment; the case is a bound parameter, and names
of tables and columns are checked when the configuration is read. What is not as mapped is no answer, never "closed".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from connectors.base import CASE_KEYS, Case, Config
from connectors.database.bounding import MOST, bounded, read
from connectors.database.dialects import NO_BOOLEAN, compared
from connectors.database.opening import DATABASE_KEYS, open_engine
from connectors.database.reading import Readers, examine
from connectors.database.rights import Place
from connectors.database.table import read_column, read_table_name
from connectors.mapping.decoding import Const, read_scheme

_MOST = 1000
"""Subjects, or officials, of one case."""

WAIT = 5.0
"""Seconds for a look at the database, before anybody asks about a case."""
_CONNECTIONS = 8


class SqlCases:
    """Fills `connectors.base.CaseRegistry`. `is_open` reads the value of the column for whether it is."""

    def __init__(
        self,
        engine: sa.Engine,
        case: sa.Select[Any],
        subjects: sa.Select[Any],
        officials: sa.Select[Any],
        is_open: Callable[[Any], bool],
        places: Sequence[Place],
    ) -> None:
        self._case, self._subjects, self._officials = case, subjects, officials
        self._is_open, self._places = is_open, places
        self._readers = Readers(engine, _CONNECTIONS)

    async def find(self, case: str, seconds: float) -> Case | None:
        """See the port."""
        end = asyncio.get_running_loop().time() + seconds
        return await self._readers.run(lambda connection, _: self._read(connection, case), end)

    def _read(self, connection: sa.Connection, case: str) -> Case | None:
        asked = {"case": case}
        cases = _rows(connection, self._case, asked, 2)
        if not cases:
            return None
        subjects = _rows(connection, self._subjects, asked, 2)
        officials = _rows(connection, self._officials, asked, 1)
        if len(cases) > 1 or cases[0][0] != case:
            raise ValueError("not one case of that name")
        if max(len(subjects), len(officials)) > _MOST:
            raise ValueError("too many subjects or officials")
        if not all(type(value) is str for row in (*subjects, *officials) for value in row):
            raise ValueError("a column holds another type than text")
        return Case(
            self._is_open(cases[0][1]),
            frozenset((scheme, value) for scheme, value in subjects),
            frozenset(official for (official,) in officials),
        )

    async def examine(self) -> list[str]:
        """See `connectors.base.Examined`."""
        selects = {"cases": self._case, "subjects": self._subjects, "officials": self._officials}
        asked = {name: select.params(case="").limit(0) for name, select in selects.items()}
        return await examine(self._readers, WAIT, asked, self._places)

    async def close(self) -> None:
        """See the port."""
        await self._readers.close()


def build(config: Config, timeout: float) -> SqlCases:
    """The registry of `kind: case-sql`; `timeout` of a call, in seconds."""
    keys = config.mapping(("url", "cases", "subjects", "officials"), (*DATABASE_KEYS, *CASE_KEYS))
    cases = keys["cases"].mapping(("table", "id", "open"))
    subjects = keys["subjects"].mapping(("table", "case", "scheme", "value"))
    officials = keys["officials"].mapping(("table", "case", "official"))
    told: Config = cases["open"]
    engine = open_engine(keys, _CONNECTIONS, timeout)
    dialect = engine.dialect.name
    is_open: Callable[[Any], bool] = _number_as_truth if dialect in NO_BOOLEAN else _truth
    if told.is_mapping:
        by_value = told.mapping(("column", "values"))
        told, is_open = by_value["column"], _one_of(frozenset(each.text() for each in by_value["values"].items()))
        if "values" in by_value and not by_value["values"].items():
            by_value["values"].problem("must list the values that mean open")
    scheme = read_scheme(subjects["scheme"], read_column)
    named = sa.literal(scheme.value).label("scheme") if isinstance(scheme, Const) else _column(*scheme)
    selects = (
        _select(dialect, cases, "id", _column(*read_column(cases["id"])), _column(*read_column(told))),
        _select(dialect, subjects, "case", named, _column(*read_column(subjects["value"]))),
        _select(dialect, officials, "case", _column(*read_column(officials["official"]))),
    )
    case, of_case, by_officials = (bounded(select, MOST, dialect) for select in selects)
    places = [read_table_name(part["table"]) for part in (cases, subjects, officials)]
    return SqlCases(engine, case, of_case, by_officials, is_open, places)


def _rows(connection: sa.Connection, select: sa.Select[Any], asked: dict[str, str], columns: int) -> list[Any]:
    rows = read(connection, select, asked, MOST)
    if rows is None:
        raise ValueError("too many bytes")
    return [row[:columns] for row in rows]


def _column(name: str = "") -> sa.ColumnClause[Any]:
    return sa.column(name)


def _one_of(values: frozenset[str]) -> Callable[[Any], bool]:
    def is_open(value: Any) -> bool:
        if type(value) is not str:
            raise ValueError("the column for whether a case is open holds no text")
        return value in values

    return is_open


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("the column for whether a case is open holds neither true nor false")
    return value


def _number_as_truth(value: Any) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise ValueError("the column for whether a case is open holds neither true nor false")
    return bool(value)


def _select(dialect: str, keys: Mapping[str, Config], key: str, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    schema, name = read_table_name(keys["table"])
    where = [each == sa.bindparam("case") for each in compared(_column(*read_column(keys[key])), dialect)]
    return sa.select(*columns).select_from(sa.table(name, schema=schema)).where(*where).limit(_MOST + 1)
