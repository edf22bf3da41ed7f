"""What a hostile client of `tests.faults.starve` does, in a process of its own.

Each kind of load starts one: it imports no more than it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple

import httpx

AT_ONCE = 16
REST = 0.02
IDLE = 1024
"""Connections that say nothing."""


def _aliases(field: str, count: int = 29) -> str:
    return "{ " + " ".join(f"a{number}: {field}" for number in range(count)) + " }"


def _wide(number: int) -> str:
    each = "businessLicences { number status validUntil record { id version source document effective disputed } }"
    inside = " ".join(f"b{at}: {each}" for at in range(28))
    query = (
        "query($id: IdentifierInput!) @inquiry(purpose: SUBJECT_ACCESS) { organisation(id: $id) { " + inside + " } }"
    )
    return f"{query} # {number}"


NESTED = """fragment a on __Type { name fields { name type { ...b } } }
fragment b on __Type { name ofType { name fields { name type { name } } } }"""
DOCUMENTS: dict[str, Callable[[int], str]] = {
    "introspection": lambda number: _aliases("__schema { types { ...a } }") + NESTED,
    "introspection allowed": lambda number: (
        _aliases("__schema { types { name kind fields { name } } }", 12) + f" # {number}"
    ),
    "receipts": lambda number: _aliases("receipts(first: 100) { id receipt }"),
    "receipts allowed": lambda number: "{ receipts(first: 100) { id receipt } }",
    "permissions": lambda number: _aliases(
        "permissions(purpose: TENDER_QUALIFICATION) { dataset field reason advice }"
    ),
    "unseen": _wide,
    "copies": lambda number: (
        "query($ids: [IdentifierInput!]!) @inquiry(purpose: TENDER_QUALIFICATION) "
        + _aliases("organisations(ids: $ids) { name }", 16)
    ),
}
FLOODS = ("tokens", "idle")


class Load(NamedTuple):
    """What a hostile process does until it is ended; `token` is the client's own."""

    kind: str
    url: str
    token: str
    subject: dict[str, str]


def hostile(load: Load, begun: Event) -> None:
    """The process; `begun` is set once as much is under way as there will be."""
    asyncio.run(_idle(load, begun) if load.kind == "idle" else _flood(load, begun))


async def _flood(load: Load, begun: Event) -> None:
    numbers = iter(range(10**9))
    limits = httpx.Limits(max_connections=2 * AT_ONCE)

    async def one(client: httpx.AsyncClient) -> None:
        while True:
            number = next(numbers)
            headers = {"authorization": load.token, "accept": "application/graphql-response+json"}
            variables: dict[str, Any] = {"id": load.subject}
            if load.kind == "tokens":
                headers["authorization"] = f"Bearer made-up-{number}"
                query = "{ __typename }"
            else:
                query = DOCUMENTS[load.kind](number)
                if load.kind == "copies":
                    variables = {"ids": [load.subject] * 600}
            with contextlib.suppress(httpx.HTTPError):
                await client.post(load.url, json={"query": query, "variables": variables}, headers=headers)
            begun.set()
            await asyncio.sleep(REST)

    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        await asyncio.gather(*(one(client) for _ in range(4 * AT_ONCE if load.kind == "tokens" else AT_ONCE)))


async def _idle(load: Load, begun: Event) -> None:
    """Hold connections that say nothing, each opened again when it is ended."""
    url, opened = httpx.URL(load.url), itertools.count(1)

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(url.host, url.port)
                if next(opened) == IDLE:
                    begun.set()
                await reader.read()
                writer.close()
            await asyncio.sleep(REST)

    await asyncio.gather(*(one() for _ in range(IDLE)))
