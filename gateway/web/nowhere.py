"""What a browser is shown where there is nothing: no page at an address, or none to be had by this method.

Everybody else is answered in plain text, as any HTTP client expects. Nothing of the address is repeated on the page.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from gateway.texts.words import Words
from gateway.web.frame import PLACES, Frame
from gateway.web.page import wants_page

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]
_DEEPEST = 20
_KINDS = {404: "none", 405: "no_page"}


def application(routes: Sequence[BaseRoute], lifespan: Lifespan, words: Words) -> Starlette:
    """The application of these routes. It redirects nothing by itself: that would lead to any host a request names."""
    found = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _nowhere(words)})
    found.router.redirect_slashes = False
    return found


def _nowhere(words: Words) -> Callable[[Request, Exception], Awaitable[Response]]:

    @functools.cache
    def page(depth: int, kind: str) -> tuple[Frame, str]:
        up = "../" * depth
        ways = [
            (up or "./", words("nowhere.first")),
            *((f"{up}{each.at}", words(f"places.{each.name}")) for each in PLACES),
        ]
        links = "".join(f'<li><a href="{at}">{name}</a></li>' for at, name in ways)
        body = f'<h1>{words(f"nowhere.{kind}.title")}</h1>\n<p class="lead">{words(f"nowhere.{kind}.about")}</p>\n'
        return Frame(words, f"nowhere.{kind}.title", "x/" * depth), f"{body}<ul>{links}</ul>"

    async def nowhere(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if not wants_page(request):
            return PlainTextResponse(error.detail, error.status_code, headers)
        # As the address was sent: an encoded slash is no step of a path for the browser that follows the links.
        sent = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "replace")
        depth = min(sent.partition(b"?")[0].count(b"/") - 1, _DEEPEST)
        frame, body = page(max(depth, 0), _KINDS.get(error.status_code, "other"))
        return frame.response(body, status=error.status_code, headers={**headers, "Cache-Control": "no-store"})

    return nowhere
