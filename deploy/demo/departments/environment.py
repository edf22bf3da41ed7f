"""The Environment Agency: a REST service that answers in pages of two, over CSV files kept in memory.

`GET /v2/operators/{scheme}/{value}/{permits|sanctions}?page=N`; `paging.next` is the next page's number, or null. An
operator that it does not know has empty pages.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.serve import arguments, serve

PAGE = 2
"""Records a page: small, so that a reader of the demo sees several."""

_KINDS = ("permits", "sanctions")


def build(folder: Path) -> Starlette:
    """The service over `permits.csv` and `sanctions.csv` in `folder`."""
    held: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for kind in _KINDS:
        with (folder / f"{kind}.csv").open(newline="") as file:
            for line in csv.DictReader(file):
                item: dict[str, Any] = {key: value or None for key, value in line.items()}
                operator = {"scheme": item.pop("operatorScheme"), "id": item.pop("operatorId")}
                held.setdefault((kind, operator["scheme"], operator["id"]), []).append(item | {"operator": operator})
    calls: list[str] = []

    async def answer(request: Request) -> Response:
        calls.append(f"{request.url.path}?{request.url.query}")
        kind = request.path_params["kind"]
        number = request.query_params.get("page", "1")
        if kind not in _KINDS or not number.isdecimal() or int(number) < 1:
            return JSONResponse({"error": "not found"}, 404)
        items = held.get((kind, request.path_params["scheme"], request.path_params["value"]), [])
        start = (int(number) - 1) * PAGE
        following = int(number) + 1 if start + PAGE < len(items) else None
        return JSONResponse({"results": items[start : start + PAGE], "paging": {"next": following}})

    async def asked(request: Request) -> Response:
        return JSONResponse(calls)

    return Starlette(routes=[Route("/v2/operators/{scheme}/{value}/{kind}", answer), Route("/_calls", asked)])


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Environment Agency, a REST service with pages.").parse_args()
    serve(build(options.data / "environment"), options.port)


if __name__ == "__main__":
    main()
