"""The Building Archives: a REST service that no gateway is connected to yet. `policies/README.md` has it connected.

`GET /api/subjects/{scheme}/{value}/{permits|orders}`: what it holds of an organisation is made when it
is asked for, and is the same for the same day; 404 for everybody else. `GET /openapi.json` describes it, from which
`connectors/CONNECTING.md` has it connected too.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.dice import Dice
from deploy.demo.serve import arguments, serve

_DUTIES = ("mark the second way out", "renew the railing of the stairs", "have the lift examined")


def _permits(value: str, today: datetime.date) -> list[dict[str, Any]]:
    dice = Dice(f"archives/permits/{value}")
    issued = today - datetime.timedelta(days=dice.between(400, 9_000))
    number = f"B-{issued.year}-{dice.between(100, 999)}"
    area = f"{dice.between(80, 4_000)}.{dice.below(100):02}"
    return [{"no": number, "rev": "1", "issued": issued.isoformat(), "floor": area}]


def _orders(value: str, today: datetime.date) -> list[dict[str, Any]]:
    dice = Dice(f"archives/orders/{value}")
    ordered = today - datetime.timedelta(days=dice.between(20, 300))
    number = f"O-{ordered.year}-{dice.between(100, 999)}"
    sheet = hashlib.sha256(number.encode()).hexdigest()[:8]
    record = {"no": number, "rev": "1", "sheet": sheet, "day": ordered.isoformat(), "what": dice.pick(_DUTIES)}
    return [record]


DESCRIPTION = Path(__file__).with_name("archives.openapi.json")
"""Its own OpenAPI document."""

_HELD = {"permits": _permits, "orders": _orders}


def build() -> Starlette:
    """The service."""
    calls: list[str] = []

    async def answer(request: Request) -> Response:
        calls.append(str(request.url.path))
        asked: Mapping[str, str] = request.path_params
        scheme, value, kind = asked["scheme"], asked["value"], asked["kind"]
        if scheme != "LEI" or kind not in _HELD:
            return JSONResponse({"error": "not found"}, 404)
        records = _HELD[kind](value, datetime.datetime.now(datetime.UTC).date())
        return JSONResponse({kind: [{**each, "owner": {"scheme": scheme, "id": value}} for each in records]})

    async def asked(request: Request) -> Response:
        return JSONResponse(calls)

    async def description(request: Request) -> Response:
        return Response(DESCRIPTION.read_bytes(), media_type="application/json")

    return Starlette(
        routes=[
            Route("/api/subjects/{scheme}/{value}/{kind}", answer),
            Route("/openapi.json", description),
            Route("/_calls", asked),
        ]
    )


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Building Archives, a REST service.").parse_args()
    serve(build(), options.port)


if __name__ == "__main__":
    main()
