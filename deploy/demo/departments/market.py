"""The Market Regulation Authority: a REST service over a file of JSON lines, one firm's sheet per line, kept in memory.

`GET /api/subjects/{scheme}/{value}/{register|licences|penalties}`; 404 for a firm that it does not know. It knows
nothing of purposes: which fields are released is the gateway's to decide. `POST` there is a clerk's correction of one
record, `{"id": "...", "change": {...}}`, until the service ends.
"""

from __future__ import annotations

import json
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.serve import arguments, serve

_LISTS = {"register": "entries", "licences": "licences", "penalties": "items"}
_IDS = {"register": "entryNo", "licences": "recordNo", "penalties": "caseNo"}


def build(file: Path) -> Starlette:
    """The service over the sheets in `file`, which are parsed when they are asked for."""
    sheets: dict[tuple[str, str], str] = {}
    with file.open() as lines:
        for line in lines:
            scheme, value = line[:64].split('"', 8)[3:8:4]  # every line begins {"scheme":"...","value":"..."
            sheets[scheme, value] = line
    calls: list[str] = []

    async def answer(request: Request) -> Response:
        calls.append(str(request.url.path))
        scheme, value, kind = (request.path_params[name] for name in ("scheme", "value", "kind"))
        sheet = sheets.get((scheme, value))
        if sheet is None or kind not in _LISTS:
            return JSONResponse({"error": "not found"}, 404)
        return JSONResponse({_LISTS[kind]: json.loads(sheet)[kind]})

    async def correct(request: Request) -> Response:
        scheme, value, kind = (request.path_params[name] for name in ("scheme", "value", "kind"))
        sheet, asked = json.loads(sheets.get((scheme, value), "{}")), await request.json()
        for record in sheet.get(kind, ()):
            if record[_IDS[kind]] == asked["id"]:
                record.update(asked["change"])
                sheets[scheme, value] = json.dumps(sheet)
                return Response(status_code=204)
        return JSONResponse({"error": "not found"}, 404)

    async def asked(request: Request) -> Response:
        return JSONResponse(calls)

    path = "/api/subjects/{scheme}/{value}/{kind}"
    corrects = Route(path, correct, methods=["POST"])
    return Starlette(routes=[Route(path, answer), corrects, Route("/_calls", asked)])


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Market Regulation Authority, a REST service.").parse_args()
    serve(build(options.data / "market.jsonl"), options.port)


if __name__ == "__main__":
    main()
