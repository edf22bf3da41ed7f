"""Counts read from PostgreSQL (`port.CountRows`), on a connection of their own: what waits is asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

import asyncpg

from gateway.storage.port import Looked

_LOOKED = f"""SELECT head.generation, {", ".join(f"found.{name}" for name in Looked._fields[1:])}
FROM counting AS head LEFT JOIN (
  SELECT counted.* FROM unnest($1::bigint[], $2::bigint[]) AS wanted (subject, requester)
  JOIN counted ON counted.subject = wanted.subject AND counted.requester = wanted.requester AND counted.at > $3
) AS found ON true"""  # noqa: S608 - put together from constants

_Waiting = tuple[Sequence[tuple[int, int]], int, "asyncio.Future[Sequence[Looked]]"]


class PostgresCounts:
    """`connect` opens a connection; `told` makes what the driver raises a `StoreUnavailable`; in `timeout` seconds."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]],
        told: Callable[[], AbstractContextManager[None]],
        timeout: float,
    ) -> None:
        self._connect, self._told, self._timeout = connect, told, timeout
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._waiting: list[_Waiting] = []
        self._reading: asyncio.Task[None] | None = None

    def read(self, wanted: Sequence[tuple[int, int]], after: int, /) -> asyncio.Future[Sequence[Looked]]:
        """See the port."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Looked]] = loop.create_future()
        self._waiting.append((wanted, after, future))
        if self._reading is None or self._reading.done():
            self._reading = loop.create_task(self._read_all())
        return future

    async def _read_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            pairs = {pair for wanted, _, _ in waiting for pair in wanted}
            try:
                rows = await self._fetch(list(pairs), min(after for _, after, _ in waiting))
            except BaseException as error:
                self.close()
                for _, _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for wanted, after, future in waiting:
                if not future.done():
                    asked = set(wanted)
                    mine = [row for row in rows if (row.subject, row.requester) in asked and row.at > after]
                    future.set_result(mine or [Looked(rows[0].generation)])

    async def _fetch(self, pairs: list[tuple[int, int]], after: int) -> list[Looked]:
        with self._told():
            connection = self._connection
            if connection is None or connection.is_closed():
                connection = self._connection = await self._connect()
            subjects, requesters = zip(*pairs, strict=True)
            found = await connection.fetch(_LOOKED, subjects, requesters, after, timeout=self._timeout)
            return [Looked(*row) for row in found]

    def close(self) -> None:
        """See the port."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
