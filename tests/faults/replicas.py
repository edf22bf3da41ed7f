"""Several gateways on one store, and connections that ask them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from tests.bench import data, world
from tests.bench.processes import Child
from tests.faults.rule_sets import GROUP

CONNECTIONS = 32
PATIENCE = 90.0


class Reply(NamedTuple):
    """One whole reply; `asked` and `came` are when."""

    asked: float
    came: float
    status: int
    body: bytes


class Replica(NamedTuple):
    """A gateway of its own, and where it listens."""

    child: Child
    port: int

    def signal(self, number: int) -> None:
        for pid in self.child.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def ready(self) -> None:
        async def looked() -> bool:
            self.child.check()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                return b"200" in (await _sent(self.port, b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n"))[0]
            return False

        deadline = time.monotonic() + PATIENCE
        while not await looked():
            if time.monotonic() > deadline:
                raise AssertionError(f"a replica was not ready\n{self.child.told()}")
            await asyncio.sleep(0.1)


async def _sent(port: int, request: bytes) -> tuple[bytes, bytes]:
    stream, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await _received(stream)
    finally:
        writer.close()


async def _received(stream: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await stream.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    return head, await stream.readexactly(size)


class Load:
    """Connections that ask, each at one replica; every reply is kept until it is judged.

    `pause` are seconds that a connection rests after a reply: none, where the replicas are to have as much as they can.
    """

    def __init__(self, ports: Sequence[int], tokens: Sequence[str], chance: random.Random, pause: float = 0.0) -> None:
        self._ports, self._chance, self._pause = ports, chance, pause
        document = data.document(GROUP, world.DIRECTIVE)
        bodies = [
            json.dumps({"query": document, "variables": {"id": {"scheme": "LEI", "value": each}}}).encode()
            for each in data.subjects(GROUP)
        ]
        self._requests = [
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"accept: application/graphql-response+json\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s"
            % (chance.choice(tokens).encode(), len(body), body)
            for body in bodies
        ]
        self.replies: list[Reply] = []
        self.broken = 0
        self._over = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._ask(self._ports[n % len(self._ports)])) for n in range(CONNECTIONS)]
        try:
            yield
        finally:
            self._over = True
            await asyncio.gather(*tasks)
            self._over = False

    def take(self) -> list[Reply]:
        got, self.replies = self.replies, []
        return got

    async def _ask(self, port: int) -> None:
        while not self._over:
            try:
                stream, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.broken += 1
                await asyncio.sleep(0.05)
                continue
            try:
                while not self._over:
                    asked = time.monotonic()
                    writer.write(self._chance.choice(self._requests))
                    async with asyncio.timeout(PATIENCE):
                        head, body = await _received(stream)
                    self.replies.append(Reply(asked, time.monotonic(), int(head[9:12]), body))
                    await asyncio.sleep(self._pause)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                print(f"a connection ended: {type(error).__name__} {error}", file=sys.stderr)
                self.broken += 1
            finally:
                writer.close()
