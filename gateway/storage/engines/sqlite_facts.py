"""Facts read from SQLite (`port.FactRows`), by one statement on a connection of their own, straight through the driver.

The statement is Core's, compiled once per power of two of subjects: Core's own execution costs ten times the query. One
statement is one snapshot, which holds the change number and the epoch too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import and_, select, tuple_

from gateway.storage.engines.sqlite_asked import SqliteAsked
from gateway.storage.port import FactRow
from gateway.storage.sealing.columns import opened, sealed
from gateway.storage.sealing.vault import Vault
from gateway.storage.statement import SQLITE
from gateway.storage.subjects.facts import ASKED, READ, fact, fact_head


class SqliteFacts:
    """`connect` and `current` are `SqliteStore`'s. Not for use by two threads at once."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        current: Callable[[sqlite3.Connection], bool],
        vault: Vault | None = None,
    ) -> None:
        self._vault = vault
        self._asked = SqliteAsked(connect, current)
        self._statements: dict[int, str] = {}

    def read(self, subjects: Iterable[tuple[str, str]], /) -> list[FactRow]:
        """See the port. Raises `sqlite3.Error`; the next read begins on a new connection."""
        parameters: list[str] = []
        for pair in subjects:
            parameters += pair if self._vault is None else sealed(self._vault, ASKED, pair)
        count = max(1, len(parameters) // 2)
        size = 1 << (count - 1).bit_length()
        parameters += (parameters[-2:] or ["", ""]) * (size - len(parameters) // 2)
        statement = self._statements.get(size) or self._compile(size)
        return [FactRow._make(row) for row in opened(self._vault, READ, self._asked.rows(statement, parameters))]

    def close(self) -> None:
        """See the port."""
        self._asked.close()

    def _compile(self, size: int) -> str:
        mine: Any = tuple_(fact.c.scheme, fact.c.value).in_([("", "")] * size)
        joined = fact_head.outerjoin(fact, and_(fact.c.ended.is_(None), mine))
        columns = [fact.c[name] for name in FactRow._fields[1:-1]]
        query = select(fact_head.c.change, *columns, fact_head.c.epoch).select_from(joined)
        made = str(query.compile(dialect=SQLITE, compile_kwargs={"render_postcompile": True}))
        self._statements[size] = made
        return made
