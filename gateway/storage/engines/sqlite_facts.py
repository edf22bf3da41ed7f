"""Facts read from SQLite (`port.FactRows`), by one statement on a connection of their own, straight through the driver.

The statement is Core's, compiled once per power of two of subjects: Core's own execution costs ten times the query. A
read takes microseconds (a look-up in an index, in memory) and never waits for a writer (WAL), so it runs where it is
called. One statement is one snapshot, which holds the change number too.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import and_, select, tuple_

from gateway.storage.facts import fact, fact_head
from gateway.storage.port import FactRow
from gateway.storage.statement import SQLITE

BUSY_MS = 200


class SqliteFacts:
    """`connect` and `current` are `SqliteStore`'s. Not for use by two threads at once."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], current: Callable[[sqlite3.Connection], bool]
    ) -> None:
        self._connect, self._current = connect, current
        self._connection: sqlite3.Connection | None = None
        self._statements: dict[int, str] = {}

    def read(self, subjects: Iterable[tuple[str, str]], /) -> list[FactRow]:
        """See the port. Raises `sqlite3.Error`; the next read begins on a new connection."""
        parameters: list[str] = []
        for pair in subjects:
            parameters += pair
        count = max(1, len(parameters) // 2)
        size = 1 << (count - 1).bit_length()
        parameters += (parameters[-2:] or ["", ""]) * (size - len(parameters) // 2)
        statement = self._statements.get(size) or self._compile(size)
        if self._connection is not None and not self._current(self._connection):
            self.close()  # what it reads was deleted or replaced
        try:
            connection = self._connection or self._open()
            return [FactRow._make(row) for row in connection.execute(statement, parameters)]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See the port."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = self._connection = self._connect()
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _compile(self, size: int) -> str:
        mine: Any = tuple_(fact.c.scheme, fact.c.value).in_([("", "")] * size)
        joined = fact_head.outerjoin(fact, and_(fact.c.ended.is_(None), mine))
        query = select(fact_head.c.change, *(fact.c[name] for name in FactRow._fields[1:])).select_from(joined)
        made = str(query.compile(dialect=SQLITE, compile_kwargs={"render_postcompile": True}))
        self._statements[size] = made
        return made
