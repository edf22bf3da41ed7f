"""An endpoint as a server runs it, whose answers do what the request's body says. For `test_endpoint`."""

from __future__ import annotations

import asyncio
import os
import sys

import uvicorn

from gateway.bounds.connections import OPTIONS, BoundedProtocol
from gateway.inquiry.http.endpoint import Answered, GraphQLEndpoint, Headers, Message, Receive, Send
from gateway.inquiry.types import Answer
from gateway.serving.direct import DirectProtocol
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


class Application:
    """What serves: an ASGI application, and what `gateway.serving.direct` asks of one."""

    def __init__(self) -> None:
        self.endpoint = GraphQLEndpoint(answer, Log().defect, body_limit=1000, body_timeout=0.6, patience=1.2)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer by ASGI."""
        if scope["type"] == "http":
            await self.endpoint(scope, receive, send)

    def inquire(self, client: str, headers: Headers, body: bytes, answered: Answered, tls: object = None) -> None:
        """Answer what was read whole."""
        self.endpoint.begin("POST", headers, body, answered)


if __name__ == "__main__":
    protocol = {"direct": DirectProtocol, "asgi": BoundedProtocol}[sys.argv[1]]
    options = {**OPTIONS, "http": protocol, "proxy_headers": False}
    uvicorn.run(Application(), port=int(sys.argv[2]), loop="uvloop", lifespan="off", log_level="error", **options)
