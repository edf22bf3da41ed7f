"""A proxy before a server that can fall silent: it goes on acknowledging what it gets, and passes nothing on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Proxy:
    """`port` is its own; `silence` counts for the connections that there are, `mute` for the new ones too."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.mute = False
        self.opened = 0
        self._target = port
        self._alive: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        for quiet in self._alive:
            quiet.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        quiet = asyncio.Event()
        if self.mute:
            quiet.set()
        self._alive.add(quiet)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        tasks = [asyncio.create_task(_pass(reader, back, quiet)), asyncio.create_task(_pass(there, writer, quiet))]
        self._tasks.update(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._tasks.difference_update(tasks)
            self._alive.discard(quiet)
            for each in (writer, back):
                each.transport.abort()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, quiet: asyncio.Event) -> None:
    while read := await reader.read(65536):
        if not quiet.is_set():
            writer.write(read)
            await writer.drain()
