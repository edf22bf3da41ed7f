"""Facts read from PostgreSQL (`port.FactRows`), by one statement on a connection of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import asyncpg

from gateway.storage.engines.postgresql_session import READ_TIMEOUT, connect, told
from gateway.storage.port import FactRow

_FACTS = f"""SELECT head.change, {", ".join(f"fact.{name}" for name in FactRow._fields[1:-1])}, head.epoch
FROM fact_head AS head LEFT JOIN (
  SELECT fact.* FROM unnest($1::text[], $2::text[]) AS wanted (scheme, value)
  JOIN fact ON fact.scheme = wanted.scheme AND fact.value = wanted.value AND fact.ended IS NULL
) AS fact ON true"""  # noqa: S608 - put together from constants


class PostgresFacts:
    """A reader of facts of the database at `address`."""

    def __init__(self, address: str) -> None:
        self._dsn = address
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def read(self, subjects: Iterable[tuple[str, str]], /) -> asyncio.Future[Sequence[FactRow]]:
        return asyncio.get_running_loop().create_task(self._read(list(subjects)))

    async def _read(self, pairs: list[tuple[str, str]]) -> Sequence[FactRow]:
        try:
            with told():
                connection = self._connection
                if connection is None or connection.is_closed():
                    # The plan is kept, and was perhaps made while the table was small: the index, whatever its size.
                    connection = self._connection = await connect(self._dsn, "dutybound facts", enable_seqscan="off")
                schemes, values = [scheme for scheme, _ in pairs], [value for _, value in pairs]
                return [FactRow(*row) for row in await connection.fetch(_FACTS, schemes, values, timeout=READ_TIMEOUT)]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
