"""Facts read from PostgreSQL (`port.FactRows`), by one statement on a connection of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import asyncpg

from gateway.storage.engines.postgresql_session import READ_TIMEOUT, connect, told
from gateway.storage.port import FactRow
from gateway.storage.sealing import columns
from gateway.storage.sealing.vault import Vault
from gateway.storage.subjects.facts import ASKED, READ

_FACTS = f"""SELECT head.change, {", ".join(f"fact.{name}" for name in FactRow._fields[1:-1])}, head.epoch
FROM fact_head AS head LEFT JOIN (
  SELECT fact.* FROM unnest($1::text[], $2::text[]) AS wanted (scheme, value)
  JOIN fact ON fact.scheme = wanted.scheme AND fact.value = wanted.value AND fact.ended IS NULL
) AS fact ON true"""  # noqa: S608 - put together from constants


class PostgresFacts:
    """A reader of facts of the database at `address`, sealed and opened by a vault where there is one."""

    def __init__(self, address: str, vault: Vault | None) -> None:
        self._dsn, self._vault = address, vault
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
                asked = [columns.sealed(self._vault, ASKED, pair) for pair in pairs]
                schemes, values = [scheme for scheme, _ in asked], [value for _, value in asked]
                found = await connection.fetch(_FACTS, schemes, values, timeout=READ_TIMEOUT)
                return [FactRow(*row) for row in columns.opened(self._vault, READ, [tuple(row) for row in found])]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
