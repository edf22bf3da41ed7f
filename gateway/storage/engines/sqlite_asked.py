"""A read-only connection to SQLite, for one statement at a time, in the caller's thread. A look-up in an index takes
microseconds and never waits for a writer (WAL). It is kept, and opened anew after a fault or where the file is another.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

BUSY_MS = 200


class SqliteAsked:
    """`connect` and `current` are `SqliteStore`'s. Not for use by two threads at once."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], current: Callable[[sqlite3.Connection], bool]
    ) -> None:
        self._connect, self._current = connect, current
        self._connection: sqlite3.Connection | None = None

    def rows(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What a statement gives; raises `sqlite3.Error`, and the next begins on a new connection."""
        if self._connection is not None and not self._current(self._connection):
            self.close()  # what it reads was deleted or replaced
        try:
            return (self._connection or self._open()).execute(statement, parameters).fetchall()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = self._connection = self._connect()
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        return connection
