"""An endpoint as a server runs it, whose answers do what the request's body says. For `test_endpoint`."""

from __future__ import annotations

import asyncio
import os

from gateway.inquiry.http.endpoint import GraphQLEndpoint, Headers, Message, Receive, Send
from gateway.inquiry.types import Answer
from gateway.telemetry.log import Log


def _commit() -> None:
    with open(os.environ["ENDPOINT_MARK"], "ab") as mark:
        mark.write(b"committed\n")


async def answer(method: str, headers: Headers, body: bytes) -> Answer:
    """Echo; `wait` sleeps first and then leaves a mark where the environment says; `fail` fails."""
    word = body[:4]
    if word == b"wait":
        await asyncio.sleep(0.4)
        _commit()
    if word == b"fail":
        raise ValueError(f"secret of {body.decode()}")
    if word == b"hang":
        await asyncio.Event().wait()
    return Answer(200, {"content-type": "text/plain", "x-method": method, "x-length": str(len(body))}, body[:20])


graphql = GraphQLEndpoint(answer, Log().defect, body_limit=1000, body_timeout=0.6, patience=1.2)


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "http":
        await graphql(scope, receive, send)
