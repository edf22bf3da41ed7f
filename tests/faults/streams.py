"""What a department over HTTP can send in time: slowly, without end, or twice; `TOKENS` by its token endpoint."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.faults.moods import CHUNKED, answer

Write = asyncio.StreamWriter


async def slowly(parts: list[bytes], seconds: float, writer: Write) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(seconds)


class Sent(NamedTuple):
    """What a stream can send: the good answer, and the one before it on the same connection."""

    good: bytes
    before: bytes


Stream = Callable[[Sent, Write], Awaitable[None]]


async def slow(sent: Sent, writer: Write) -> None:
    await asyncio.sleep(60)
    writer.write(sent.good)


async def drip(sent: Sent, writer: Write) -> None:
    await slowly([sent.good[n : n + 1] for n in range(len(sent.good))], 0.1, writer)


def for_ever(start: bytes, part: bytes) -> Stream:
    """Begin an answer, and go on until nobody listens, in pieces of 64 KiB or so."""
    piece = part * max(1, 65536 // len(part))

    async def stream(_: Sent, writer: Write) -> None:
        writer.write(start)
        await slowly([piece] * 100_000, 0, writer)

    return stream


def whole(given: bytes) -> Stream:
    async def stream(_: Sent, writer: Write) -> None:
        writer.write(given)

    return stream


async def a_copy(sent: Sent, writer: Write) -> None:
    writer.write(sent.good * 2)


async def late_copy(sent: Sent, writer: Write) -> None:
    """Before the connection's next question, while that is under way, or after it."""
    await slowly([sent.good, sent.good], random.uniform(0.001, 0.03), writer)


async def the_one_before(sent: Sent, writer: Write) -> None:
    writer.write(sent.before + sent.good)


COPIES: dict[str, Stream] = {"a copy": a_copy, "a late copy": late_copy, "the one before": the_one_before}
_X = b"x" * 4096
ENDLESS: dict[str, Stream] = {
    "endless": for_ever(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "an endless body": for_ever(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" " * 4096),
    "an endless status line": for_ever(b"HTTP/1.1 200 ", _X),
    "endless headers": for_ever(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "an endless header": for_ever(b"HTTP/1.1 200 OK\r\na: ", _X),
    "endless 103": for_ever(b"", b"HTTP/1.1 103 X\r\na: b\r\n\r\n"),
    "endless trailers": for_ever(CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n"),
    "an endless trailer": for_ever(CHUNKED + b"2\r\n{}\r\n0\r\na: ", _X),
    "an endless extension": for_ever(CHUNKED + b"2;a=", _X),
    "endless extensions": for_ever(CHUNKED, b"1;a=" + _X + b"\r\n \r\n"),
    "an endless length": for_ever(CHUNKED, b"0" * 4096),
    "endless small chunks": for_ever(CHUNKED, b"1\r\n \r\n"),
}
STREAMS: dict[str, Stream] = {"slow": slow, "drip": drip, **ENDLESS, **COPIES}

TOKENS: dict[str, Stream] = {
    "an endless token": for_ever(CHUNKED, b"1000\r\n" + _X + b"\r\n"),
    "an endless token's header": ENDLESS["an endless header"],
    "a token in small chunks": ENDLESS["endless small chunks"],
    "a slow token": slow,
    "a token that drips": drip,
    "no token": whole(answer(b'{"error": "invalid_client"}', "401 Who")),
    "a token on two lines": whole(answer(b'{"access_token": "a\\nb", "token_type": "bearer"}')),
}
