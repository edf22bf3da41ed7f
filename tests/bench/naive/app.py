"""The same answer as the gateway's, by Strawberry's ASGI application and one httpx client, with their defaults.

It has no rules, no ledger and no receipts. Departments' addresses come as JSON in the variable `BENCH_DEPARTMENTS`.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

DEPARTMENTS: dict[str, str] = json.loads(os.environ["BENCH_DEPARTMENTS"])


@strawberry.type
class Notice:
    reference: str | None
    activity: str | None
    quantity: int | None
    year: int | None
    amount: Decimal | None
    fee: Decimal | None
    decided_on: datetime.date | None
    final: bool | None


@strawberry.type
class AlphaNotices(Notice):
    pass


@strawberry.type
class BravoNotices(Notice):
    pass


@strawberry.type
class CharlieNotices(Notice):
    pass


@strawberry.type
class DeltaNotices(Notice):
    pass


@strawberry.type
class EchoNotices(Notice):
    pass


async def _fetch(kind: type[Any], department: str, value: str) -> list[Any]:
    response = await client.get(f"{DEPARTMENTS[department]}/subjects/LEI/{value}/notices")
    response.raise_for_status()
    return [
        kind(
            reference=item["refNo"],
            activity=item["act"],
            quantity=item["qty"],
            year=item["yr"],
            amount=Decimal(item["sum"]["total"]),
            fee=Decimal(item["sum"]["fee"]),
            decided_on=datetime.date.fromisoformat(item["decided"]),
            final=item["isFinal"],
        )
        for item in response.json()["items"]
    ]


@strawberry.type
class Organisation:
    alpha_notices: list[AlphaNotices] | None
    bravo_notices: list[BravoNotices] | None
    charlie_notices: list[CharlieNotices] | None
    delta_notices: list[DeltaNotices] | None
    echo_notices: list[EchoNotices] | None


@strawberry.input
class IdentifierInput:
    scheme: str
    value: str


@strawberry.type
class Query:
    @strawberry.field
    async def organisation(self, id: IdentifierInput) -> Organisation:
        kinds = (AlphaNotices, BravoNotices, CharlieNotices, DeltaNotices, EchoNotices)
        fetched = await asyncio.gather(
            *(_fetch(kind, name, id.value) for kind, name in zip(kinds, DEPARTMENTS, strict=True))
        )
        names = (f"{name}_notices" for name in DEPARTMENTS)
        return Organisation(**dict(zip(names, fetched, strict=True)))


client: httpx.AsyncClient


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    global client
    async with httpx.AsyncClient() as client:
        yield


app = Starlette(routes=[Route("/graphql", GraphQL(strawberry.Schema(Query)))], lifespan=lifespan)
