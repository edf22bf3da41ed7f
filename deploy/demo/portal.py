"""The citizens' portal, as far as the gateway notifies it: it takes signed notices, and shows which came.

`POST /notices` takes one (Standard Webhooks); `GET /_notices` gives the matters that it was told of, in order. A notice
names nobody: a real portal shows its citizens what waits when they sign in (`me`).
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.serve import arguments, serve
from gateway.recipient.config import Webhook
from gateway.recipient.webhook import Unsigned, verify


def build(webhook: Webhook) -> Starlette:
    """The portal, whose notices are signed by the secrets of `webhook`."""
    matters: list[str] = []

    async def take(request: Request) -> Response:
        body = await request.body()
        try:
            verify(webhook, request.headers, body, time.time())
        except Unsigned as error:
            return JSONResponse({"error": str(error)}, 401)
        matters.append(json.loads(body)["data"]["matter"])
        return Response(status_code=204)

    async def taken(request: Request) -> Response:
        return JSONResponse(matters)

    return Starlette(routes=[Route("/notices", take, methods=["POST"]), Route("/_notices", taken)])


def main() -> None:
    """Serve until asked to end."""
    parser = arguments("The invented region's citizens' portal, which is notified of what waits.")
    parser.add_argument("--secret", type=Path, required=True, help="the file with the secret that signs notices")
    options = parser.parse_args()
    secret = base64.b64decode(options.secret.read_text().strip().removeprefix("whsec_"))
    serve(build(Webhook("127.0.0.1", options.port, "/notices", (secret,))), options.port)


if __name__ == "__main__":
    main()
