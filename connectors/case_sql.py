"""Case registries that are tables or views of a database (`case-sql`), read with an account that can only read.

    cases:     {table: court_case, id: number, open: is_open}       # or open: {column: status, values: [open, stayed]}
    subjects:  {table: court_case_party, case: case_no, scheme: id_type, value: id_no}      # or scheme: {const: LEI}
    officials: {table: court_case_official, case: case_no, official: login}

Three statements of one read-only transaction, so that they are of one moment; the case is a bound parameter, and names
of tables and columns are checked when the configuration is read. What is not as mapped is no answer, never "closed".
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.base import Case
from connectors.database.opening import open_engine, protect, read_database_url
from connectors.kit.config import Reader

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MOST = 1000
"""Subjects, or officials, of one case."""

_CONNECTIONS = 8


class SqlCases:
    """Fills `connectors.base.CaseRegistry`. `is_open` reads the value of the column that says whether it is."""

    def __init__(
        self,
        engine: sa.Engine,
        case: sa.Select[Any],
        subjects: sa.Select[Any],
        officials: sa.Select[Any],
        is_open: Callable[[Any], bool],
    ) -> None:
        self._engine, self._case, self._subjects, self._officials = engine, case, subjects, officials
        self._is_open = is_open
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="sql-cases")

    async def find(self, case: str, seconds: float) -> Case | None:
        """See the port."""
        until = time.monotonic() + seconds
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, case, until)

    def _read(self, case: str, until: float) -> Case | None:
        if time.monotonic() >= until:
            raise TimeoutError
        with self._engine.connect() as connection:
            protect(connection, until)
            asked = {"case": case}
            cases = connection.execute(self._case, asked).all()
            if not cases:
                return None
            subjects = connection.execute(self._subjects, asked).all()
            officials = connection.execute(self._officials, asked).all()
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

    async def close(self) -> None:
        """See the port."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._engine.dispose)


def build(config: Mapping[str, Any], base_dir: Path, timeout: float) -> SqlCases:
    """The registry of `kind: case-sql`; raises `SourceConfigError`. `timeout` of a call, in seconds."""
    reader = Reader(config, (), base_dir)
    reader.only("url", "password_file", "cases", "subjects", "officials")
    cases, subjects, officials = (reader.child(key, required=True) for key in ("cases", "subjects", "officials"))
    cases.only("table", "id", "open")
    subjects.only("table", "case", "scheme", "value")
    officials.only("table", "case", "official")
    told = Reader({} if isinstance(cases.raw("open"), str) else cases.raw("open"), (*cases.path, "open"), base_dir)
    told.only("column", "values")
    by_value = "column" in told
    column = _column(told, "column") if by_value else _column(cases, "open")
    constant = None
    if isinstance(subjects.raw("scheme"), Mapping):
        scheme = subjects.child("scheme")
        scheme.only("const")
        constant = scheme.text("const")
    values = told.raw("values")
    if by_value and not (isinstance(values, list) and values and all(isinstance(each, str) for each in values)):
        told.fail("`values` must list the values that mean open, as text", "values")
    named = sa.literal(constant).label("scheme") if constant is not None else sa.column(_column(subjects, "scheme"))
    return SqlCases(
        open_engine(reader, read_database_url(reader), _CONNECTIONS, timeout),
        _select(cases, "id", sa.column(_column(cases, "id")), sa.column(column)),
        _select(subjects, "case", named, sa.column(_column(subjects, "value"))),
        _select(officials, "case", sa.column(_column(officials, "official"))),
        _one_of(frozenset(values)) if by_value else _truth,
    )


def _one_of(values: frozenset[str]) -> Callable[[Any], bool]:
    def is_open(value: Any) -> bool:
        if type(value) is not str:
            raise ValueError("the column that says whether a case is open holds no text")
        return value in values

    return is_open


def _truth(value: Any) -> bool:
    if type(value) is bool or (type(value) is int and value in (0, 1)):  # SQLite has no boolean of its own
        return bool(value)
    raise ValueError("the column that says whether a case is open holds neither true nor false")


def _column(reader: Reader, key: str) -> str:
    name = reader.text(key)
    if not _NAME.fullmatch(name):
        reader.fail(f"`{name}` is not the name of a column (letters, digits and `_`)", key)
    return name


def _select(reader: Reader, key: str, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    parts = reader.text("table").split(".")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
        reader.fail("`table` must be the name of a table or view, `schema.` before it where it has one", "table")
    table = sa.table(parts[-1], schema=parts[0] if len(parts) == 2 else None)
    where = sa.column(_column(reader, key)) == sa.bindparam("case")
    return sa.select(*columns).select_from(table).where(where).limit(_MOST + 1)
