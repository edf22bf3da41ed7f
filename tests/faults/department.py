"""All departments of the region as one process that answers badly on demand: `python -m tests.faults.department PORT`.

`GET /<dataset>/<scheme>/<value>` gives one record with every field of the dataset, and so does a GraphQL question
about one subject and dataset at `POST /graphql/<dataset>`. `/mood/<dataset>/<mood>` sets how it answers from then on;
`as many <mood>` is well, in as many bytes. `/waiting` says how many calls it is being slow about. It writes HTTP by
hand, because much of what it has to send no HTTP library would send.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.catalogue.load import load
from gateway.catalogue.model import Dataset

POLICIES = Path(__file__).resolve().parents[2] / "policies"
VALUES = {
    "String": "text",
    "Int": 7,
    "Boolean": True,
    "Decimal": 12.5,
    "Date": "2026-01-02",
    "DateTime": "2026-01-02T03:04:05Z",
}
SECRET = "what-the-source-itself-says"
"""Stands in everything that goes wrong: none of it may reach a requester or a log."""

Write = asyncio.StreamWriter


def record(dataset: Dataset, scheme: str, value: str, **changes: Any) -> dict[str, Any]:
    fields = {field.name: VALUES[str(field.type)] for field in dataset.fields.values()}
    about = {
        "id": "R-1",
        "version": "1",
        "document": f"D-{value}",  # whose record it is
        "effective": "2026-10-01",
        "scheme": scheme,
        "subject": value,
    }
    made = {**{f"m_{name}": part for name, part in about.items()}, **fields, **changes}
    return {name: part for name, part in made.items() if part is not ...}


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def items(*records: dict[str, Any]) -> bytes:
    return answer(json.dumps({"items": records}).encode())


def repeated(one: dict[str, Any], times: int) -> bytes:
    """The same record so many times, made at once: the other departments answer from this process too."""
    return answer(b'{"items": [' + b", ".join([json.dumps(one).encode()] * times) + b"]}")


def swapped(body: bytes, old: str, new: str) -> bytes:
    """The answer with a part of its JSON written as no library would."""
    _, _, content = body.partition(b"\r\n\r\n")
    assert old.encode() in content
    return answer(content.replace(old.encode(), new.encode(), 1))


MOODS: dict[str, Callable[[Dataset, str, str], bytes]] = {
    "well": lambda d, s, v: items(record(d, s, v)),
    "garbage": lambda d, s, v: answer(b"\x00\xff" + SECRET.encode()),
    "a page": lambda d, s, v: answer(f"<html>{SECRET}</html>".encode()),
    "empty": lambda d, s, v: answer(b""),
    "null": lambda d, s, v: answer(b"null"),
    "a list": lambda d, s, v: answer(b"[]"),
    "other names": lambda d, s, v: answer(b'{"rows": []}'),
    "items as object": lambda d, s, v: answer(json.dumps({"items": {SECRET: 1}}).encode()),
    "an item as text": lambda d, s, v: answer(json.dumps({"items": [SECRET]}).encode()),
    "not UTF-8": lambda d, s, v: answer(b'{"items": [{"m_id": "\xff"}]}'),
    "deep": lambda d, s, v: answer(b'{"items": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "cut short": lambda d, s, v: items(record(d, s, v))[:-20],
    "no HTTP": lambda d, s, v: b"SSH-2.0-" + SECRET.encode() + b"\r\n\r\n",
    "hangs up": lambda d, s, v: b"",
    "a redirect": lambda d, s, v: answer(b"", "302 Found", f"Location: /business-licences/{s}/{v}"),
    "a redirect for ever": lambda d, s, v: answer(b"", "307 Temporary Redirect", f"Location: /{d.id}/{s}/{v}"),
    "500": lambda d, s, v: answer(SECRET.encode(), "500 Oops"),
    "503": lambda d, s, v: answer(SECRET.encode(), "503 Busy"),
    "401": lambda d, s, v: answer(SECRET.encode(), "401 Who"),
    "404": lambda d, s, v: answer(SECRET.encode(), "404 Where"),
    "204": lambda d, s, v: b"HTTP/1.1 204 No Content\r\n\r\n",
    "10 MB": lambda d, s, v: items(record(d, s, v, m_document="x" * 10_000_000)),
    "10 MB of records": lambda d, s, v: repeated(record(d, s, v), 40_000),
    "10 MB zipped": lambda d, s, v: answer(
        gzip.compress(json.dumps({"items": [record(d, s, v, m_document="x" * 10_000_000)]}).encode()),
        "200 OK",
        "Content-Encoding: gzip",
    ),
    "another subject": lambda d, s, v: items(record(d, s, "9DBX00M0E3P0IU3G0182")),
    "another among them": lambda d, s, v: items(record(d, s, v), record(d, s, "9DBX00M0E3P0IU3G0182", m_id="R-2")),
    "another scheme": lambda d, s, v: items(record(d, "PIN", v)),
    "no subject": lambda d, s, v: items(record(d, s, v, m_subject=...)),
    "null subject": lambda d, s, v: items(record(d, s, v, m_subject=None)),
    "a number as subject": lambda d, s, v: items(record(d, s, v, m_subject=5)),
    "no id": lambda d, s, v: items(record(d, s, v, m_id=...)),
    "an empty id": lambda d, s, v: items(record(d, s, v, m_id="")),
    "no version": lambda d, s, v: items(record(d, s, v, m_version=...)),
    "no day": lambda d, s, v: items(record(d, s, v, m_effective="2026-02-31")),
    "NaN": lambda d, s, v: swapped(items(record(d, s, v)), '"amount": 12.5', '"amount": NaN'),
    "NaN as text": lambda d, s, v: items(record(d, s, v, amount="NaN")),
    "infinity": lambda d, s, v: swapped(items(record(d, s, v)), '"amount": 12.5', '"amount": Infinity'),
    "infinity as text": lambda d, s, v: items(record(d, s, v, amount="-Infinity")),
    "a word as decimal": lambda d, s, v: items(record(d, s, v, amount=SECRET)),
    "a list as decimal": lambda d, s, v: items(record(d, s, v, amount=[1])),
    "over 32 bits": lambda d, s, v: items(record(d, s, v, workersAffected=2**31)),
    "under 32 bits": lambda d, s, v: items(record(d, s, v, workersAffected=-(2**31) - 1)),
    "half a worker": lambda d, s, v: items(record(d, s, v, workersAffected=1.5)),
    "true workers": lambda d, s, v: items(record(d, s, v, workersAffected=True)),
    "a number as text": lambda d, s, v: items(record(d, s, v, period=5)),
    "a lone surrogate": lambda d, s, v: items(record(d, s, v, period="\ud800")),
    "the same key twice": lambda d, s, v: swapped(items(record(d, s, v)), '"amount": 12.5', '"amount": 1, "amount": 2'),
    "items twice": lambda d, s, v: swapped(items(record(d, s, v)), '{"items"', '{"items": [], "items"'),
}


async def slowly(parts: list[bytes], seconds: float, writer: Write) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(seconds)


async def slow(good: bytes, writer: Write) -> None:
    await asyncio.sleep(60)
    writer.write(good)


async def drip(good: bytes, writer: Write) -> None:
    await slowly([good[n : n + 1] for n in range(len(good))], 0.1, writer)


async def endless(good: bytes, writer: Write) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    await slowly([b"10000\r\n" + b" " * 65536 + b"\r\n"] * 100_000, 0, writer)


def as_many(good: bytes, bad: bytes) -> bytes:
    """A good answer that is as long as a bad one, as far as a gateway would read that."""
    return answer(good.partition(b"\r\n\r\n")[2].ljust(min(len(bad), 2**20 - 4096)))


def graphql(sent: bytes) -> bytes:
    """An answer of REST as one of GraphQL, damaged in the same way."""
    head, mark, content = sent.partition(b"\r\n\r\n")
    if not content.startswith(b'{"items"'):
        return sent
    changed = b'{"data": {"q0": ' + content.replace(b'"items"', b'"d0"') + (b"}}" if content.endswith(b"}") else b"")
    length = re.search(rb"Content-Length: (\d+)", head)
    if length is None:
        return head + mark + changed
    more = int(length[1]) - len(content) + len(changed)
    return head.replace(length[0], b"Content-Length: %d" % more) + mark + changed


SLOW: dict[str, Callable[[bytes, Write], Awaitable[None]]] = {"slow": slow, "drip": drip, "endless": endless}


class Departments:
    """Answers every dataset, well until told otherwise."""

    def __init__(self) -> None:
        self._datasets = load(POLICIES, []).datasets
        self._moods: dict[str, str] = {}
        self._waiting = 0

    async def answer(self, reader: asyncio.StreamReader, writer: Write) -> None:
        """Every request of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._one(head.split(b" ", 2)[1].decode(), body, writer)
                await writer.drain()
                if writer.is_closing():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _one(self, path: str, body: bytes, writer: Write) -> None:
        _, first, *rest = path.split("/")
        if first == "mood":
            self._moods[rest[0]] = rest[1].replace("%20", " ")
            writer.write(answer(b"{}"))
            return
        if first == "waiting":
            writer.write(answer(str(self._waiting).encode()))
            return
        asked = json.loads(body)["variables"] if first == "graphql" else {}
        dataset, scheme, value = (rest[0], *asked.values()) if asked else (first, *rest)
        mood = self._moods.get(dataset, "well")
        if asked and set(asked) != {"s0", "v0"}:
            raise AssertionError(f"one subject is asked about: {asked}")
        shape = graphql if asked else bytes
        good = shape(MOODS["well"](self._datasets[dataset], scheme, value))
        if mood.startswith("as many "):
            other = MOODS.get(mood.removeprefix("as many "))
            bad = other(self._datasets[dataset], scheme, value) if other else bytes(2**20)
            writer.write(as_many(good, bad))
        elif mood in SLOW:
            self._waiting += 1
            try:
                await SLOW[mood](good, writer)
            finally:
                self._waiting -= 1
        else:
            writer.write(shape(MOODS[mood](self._datasets[dataset], scheme, value)))
        if mood in ("cut short", "no HTTP", "hangs up"):
            await writer.drain()
            writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(Departments().answer, "127.0.0.1", port)
    print(f"ready http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
