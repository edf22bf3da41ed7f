"""`GET /graphql`: the playground, one page of our own. An operation by GET is refused: it would stand in logs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Code, Refusal
from gateway.texts.words import Words
from gateway.web.frame import Frame
from gateway.web.page import escape

_HERE = Path(__file__).parent
_OPERATION = ("query", "operationName", "variables", "extensions")
_BODY = (_HERE / "playground.html").read_text(encoding="utf-8")
_TEXT = re.compile(r"\{\{ ([a-z_]+) \}\}")


class Told(Protocol):
    """A refusal as HTTP."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


Refuse = Callable[[Refusal, Iterable[tuple[bytes, bytes]]], Told]
"""How `/graphql` tells a refusal to a request with these ASGI headers."""


def playground_route(refuse: Refuse, words: Words) -> Callable[[Request], Awaitable[Response]]:
    """The page; any other method, and a GET that carries an operation, are `REQUEST_INVALID` (405)."""
    page = Frame(words, "places.playground", "graphql", script="playground.js", skip="form", kind="wide")
    body = _TEXT.sub(lambda found: words(f"playground.{found[1]}"), _BODY)
    body = body.replace("{{ texts() }}", escape(words.scripts("play", "editor")))

    async def playground(request: Request) -> Response:
        if request.method in ("GET", "HEAD") and not any(name in request.query_params for name in _OPERATION):
            return page.response(body, headers={"Cache-Control": "no-cache"})
        allowed = "POST" if request.method in ("GET", "HEAD") else "GET, POST"
        message = f"`{request.method[:20]}` cannot run an operation here; use POST."
        refusal = Refusal(Code.REQUEST_INVALID, message, status=405, headers={"Allow": allowed})
        told = refuse(refusal, request.scope["headers"])
        return Response(told.body, told.status, dict(told.headers))

    return playground
