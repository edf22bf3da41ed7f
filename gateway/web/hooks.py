"""`POST /hooks/cases/<registry>`: a case registry reports that a case changed; what was known of it is dropped at
once.

A notice is signed per Standard Webhooks (https://www.standardwebhooks.com, 1.0): `webhook-id`, `webhook-timestamp` and
`webhook-signature`, an HMAC-SHA256 of `<id>.<timestamp>.<body>` under one of the registry's secrets. Its body is
`{"type": "case.changed", "timestamp": ..., "data": {"case": "<id>"}}`.

Invariants: nothing is done for what is not signed, is older or younger than `TOLERANCE`, or was taken before. Whoever
signed a notice that cannot be understood said that something changed: then nothing of that registry is kept. Forgetting
is always safe, so a notice can slow inquiries down, and never open anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.bounds.body import read
from gateway.errors import BodyRefused, Unsigned

TOLERANCE = 300
"""Seconds that a notice's time may be off; so long its id is remembered, both ways."""

MAX_BODY = 64 * 1024
_REMEMBERED = 10_000


class _Data(msgspec.Struct):
    case: str


class _Notice(msgspec.Struct):
    type: str
    data: _Data


def verify(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a message that was signed with one of `secrets` around `now`, in epoch seconds; raises `Unsigned`."""
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id_ or len(id_) > 256 or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 16):
        raise Unsigned(
            "`webhook-id`, of 256 characters at most, and `webhook-timestamp`, in seconds since 1970, are needed"
        )
    if abs(now - int(stamp)) > TOLERANCE:
        raise Unsigned(f"`webhook-timestamp` is more than {TOLERANCE} seconds off")
    signed = f"{id_}.{stamp}.".encode() + body
    right = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)) for secret in secrets]
    given = headers.get("webhook-signature", "").encode().split(b" ")[:32]
    found = [hmac.compare_digest(b"v1," + each, signature) for each in right for signature in given]
    if not any(found):
        raise Unsigned("no signature in `webhook-signature` is right")
    return id_


def routes(
    secrets: Mapping[str, Sequence[bytes]],
    changed: Callable[[str, str | None], Awaitable[None]],
    now: Callable[[], float],
) -> list[Route]:
    """The route. `secrets` by registry; `changed` gets a registry and a case, or None for any of its cases; it
    raises `ConnectionError` where the notice has to be sent again.
    """
    taken: TTLCache[tuple[str, str], None] = TTLCache(_REMEMBERED, 2.0 * TOLERANCE)

    async def notice(request: Request) -> Response:
        registry = request.path_params["registry"]
        known = secrets.get(registry)
        if known is None:
            return JSONResponse({"error": "no registry of this name sends notices"}, 404)
        try:
            body = await read(request, MAX_BODY)
            id_ = verify(known, request.headers, body, now())
        except BodyRefused as error:
            return JSONResponse({"error": error.told}, error.status)
        except Unsigned as error:
            return JSONResponse({"error": str(error)}, 401)
        if (registry, id_) not in taken:
            try:
                await changed(registry, _case(body))
            except ConnectionError as error:
                return JSONResponse({"error": f"{error}; send it again"}, 503)
            taken[registry, id_] = None
        return Response(status_code=204)

    return [Route("/hooks/cases/{registry}", notice, methods=["POST"])]


def _case(body: bytes) -> str | None:
    try:
        told = msgspec.json.decode(body, type=_Notice)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return told.data.case if told.type == "case.changed" else None
