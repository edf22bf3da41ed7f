"""Counts read from SQLite (`port.CountRows`), as facts are: by one statement on a connection of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, select, tuple_

from gateway.errors import StoreUnavailable
from gateway.storage.engines.sqlite_asked import SqliteAsked
from gateway.storage.port import Looked
from gateway.storage.projections.counted import LOOKED, counted, counting
from gateway.storage.statement import SQLITE


class SqliteCounts:
    """`connect` and `current` are `SqliteStore`'s. Not for use by two threads at once."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], current: Callable[[sqlite3.Connection], bool]
    ) -> None:
        self._asked = SqliteAsked(connect, current)
        self._statements: dict[int, str] = {}

    def read(self, wanted: Sequence[tuple[int, int]], after: int, /) -> Sequence[Looked]:
        """See the port."""
        size = 1 << (len(wanted) - 1).bit_length()
        parameters = [after]
        for pair in (*wanted, *[wanted[-1]] * (size - len(wanted))):
            parameters += pair
        statement = self._statements.get(size) or self._compile(size)
        try:
            return [Looked._make(row) for row in self._asked.rows(statement, parameters)]
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error

    def close(self) -> None:
        """See the port."""
        self._asked.close()

    def _compile(self, size: int) -> str:
        mine: Any = tuple_(counted.c.subject, counted.c.requester).in_([(0, 0)] * size)
        if size == 1:  # nearly all of them: the list alone would take as long as the look-up
            mine = and_(counted.c.subject == 0, counted.c.requester == 0)
        joined = counting.outerjoin(counted, and_(counted.c.at > 0, mine))
        query = select(counting.c.generation, *LOOKED).select_from(joined)
        made = str(query.compile(dialect=SQLITE, compile_kwargs={"render_postcompile": True}))
        self._statements[size] = made
        return made
