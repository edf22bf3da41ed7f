"""All departments of the region as one process that answers badly on demand: `python -m tests.faults.department PORT`.

`GET /<dataset>/<scheme>/<value>` gives one record with every field of the dataset; so does a GraphQL question about one
dataset at `POST /graphql`, and one with entities. So do a look-up at `POST /<dataset>`, `/xml/...` in XML, and
`/r1/...` through X-Road. `POST /token/<dataset>` grants an access token that ends at once. `/mood/<dataset>/<mood>`
sets how all of it answers from then on; `as many <mood>` is well, in as many bytes. `/waiting` says how many calls it
is being slow about. It writes HTTP by hand, because much of what it has to send no HTTP library would send.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from gateway.catalogue.load import load
from tests.faults.moods import ENTITIES, GRAPHQL, HANG_UP, MOODS, PAGED, Asked, answer
from tests.faults.streams import COPIES, STREAMS, TOKENS, Sent, Stream, Write
from tests.faults.ways import X_ROAD, XML, in_xml, of_x_road, signed

POLICIES = Path(__file__).resolve().parents[2] / "policies"
WHOLE = {**MOODS, **GRAPHQL, **ENTITIES, **PAGED, **X_ROAD, **XML}
GRANTED = answer(b'{"access_token": "abc", "token_type": "Bearer", "expires_in": 0}')
READ = 2**20 - 4096
"""As much of an answer as a gateway reads, for which `max_bytes` is 1 MiB."""
BRIEF = frozenset({"slow", "drip", "a slow token", "a token that drips", "no token", "a token on two lines", *COPIES})
"""Streams of few bytes."""


class Departments:
    """Answers every dataset, well until told otherwise."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._datasets = load(POLICIES, []).datasets
        self._fields = {dataset.graphql_name: name for name, dataset in self._datasets.items()}
        self._moods: dict[str, str] = {}
        self._waiting = 0
        self._before: dict[Write, bytes] = {}
        self._lengths: dict[tuple[str, str, str], int] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: Write) -> None:
        """Every request of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._one(head, body, writer)
                await writer.drain()
                if writer.is_closing() or b"onnection: close" in head:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._before.pop(writer, None)
            writer.close()

    async def _one(self, head: bytes, body: bytes, writer: Write) -> None:
        parts = urllib.parse.urlsplit(head.split(b" ", 2)[1].decode())
        _, first, *rest = parts.path.split("/")
        if first == "mood":
            self._moods[rest[0]] = urllib.parse.unquote(rest[1])
            writer.write(answer(b"{}"))
        elif first == "waiting":
            writer.write(answer(str(self._waiting).encode()))
        elif first == "token":
            mood = self._moods.get(rest[0], "well")
            if mood in TOKENS:
                await self._stream(TOKENS[mood], Sent(GRANTED, b""), writer)
            else:
                writer.write(GRANTED)
        elif first == "r1":
            asked = self._asked(rest[5], rest[6:], parts.query, body)
            await self._answer(asked._replace(way="xroad", headers=of_x_road(head, "/".join(rest[:5]))), writer)
        elif first == "xml":
            await self._answer(self._asked(rest[0], rest[1:], parts.query, body)._replace(way="xml"), writer)
        else:
            await self._answer(self._asked(first, rest, parts.query, body), writer)

    def _asked(self, first: str, rest: list[str], query: str, body: bytes) -> Asked:
        if first != "graphql" and body:
            who = json.loads(body)
            return Asked(self._datasets[first], who["scheme"], (who["value"],), "rest", 0, self._port)
        if first != "graphql":
            page = re.search(r"n=(\d+)", query)
            first, scheme, value = (first, *rest) if first else query.split("/")[1:]
            return Asked(self._datasets[first], scheme, (value,), "rest", int(page[1]) if page else 0, self._port)
        question = json.loads(body)
        (field,) = re.findall(r"d\d+: (\w+)", question["query"])
        variables: dict[str, Any] = question["variables"]
        if set(variables) == {"r0"}:
            subjects, way = [(each["scheme"], each["value"]) for each in variables["r0"]], "entities"
        else:
            if set(variables) != {"s0", "v0"}:
                raise AssertionError(f"one subject is asked about: {variables}")
            subjects, way = [(variables["s0"], variables["v0"])], "graphql"
        values = tuple(value for _, value in subjects)
        return Asked(self._datasets[self._fields[field]], subjects[0][0], values, way)

    async def _answer(self, asked: Asked, writer: Write) -> None:
        mood = self._moods.get(asked.dataset.id, "well")
        good, before = self._sent(asked, asked.well()), self._before.get(writer, b"")
        self._before[writer] = good
        if mood.startswith("as many "):
            many = self._length(mood.removeprefix("as many "), asked)
            writer.write(self._sent(asked, answer(asked.well().partition(b"\r\n\r\n")[2].ljust(min(many, READ)))))
        elif mood in STREAMS:
            await self._stream(STREAMS[mood], Sent(good, before), writer)
        elif mood in TOKENS:
            writer.write(good)
        elif mood in X_ROAD or mood in XML:
            writer.write(WHOLE[mood](asked))
        else:
            writer.write(self._sent(asked, WHOLE[mood](asked)))
        if mood in HANG_UP:
            await writer.drain()
            writer.close()

    def _sent(self, asked: Asked, made: bytes) -> bytes:
        """An answer as it is sent the way it was asked for."""
        if asked.way == "xroad":
            return signed(made, asked.headers)
        return in_xml(made) if asked.way == "xml" else made

    def _length(self, mood: str, asked: Asked) -> int:
        if mood not in WHOLE:
            return 0 if mood in BRIEF else READ
        key = (mood, asked.dataset.id, asked.way)
        if key not in self._lengths:
            self._lengths[key] = len(WHOLE[mood](asked))
        return self._lengths[key]

    async def _stream(self, stream: Stream, sent: Sent, writer: Write) -> None:
        self._waiting += 1
        try:
            await stream(sent, writer)
        finally:
            self._waiting -= 1


async def main(port: int) -> None:
    server = await asyncio.start_server(Departments(port).answer, "127.0.0.1", port)
    print(f"ready http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
