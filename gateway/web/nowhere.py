"""What a browser is shown where there is nothing: no page at an address, or none to be had by this method.

Everybody else is answered in plain text, as any HTTP client expects. Nothing of the address is repeated on the page.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.web.frame import PLACES, Frame
from gateway.web.page import escape

_DEEPEST = 20
_SAID: Mapping[int, tuple[str, str]] = {
    404: ("There is no page here", "Check the address, or go on from one of these."),
    405: ("There is no page to look at here", "This address takes a form or a message only. Go on from one of these."),
}
_OTHER = ("This cannot be done", "Go back and try again, or go on from one of these.")


async def nowhere(request: Request, error: Exception) -> Response:
    """The page, or the plain answer, for an `HTTPException`."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(error.detail if isinstance(error, HTTPException) else "", status, headers)
    # By the address as it was sent: an encoded slash is no step of a path for the browser that follows the links.
    sent = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "replace")
    title, said = _SAID.get(status, _OTHER)
    depth = min(sent.partition(b"?")[0].count(b"/") - 1, _DEEPEST)
    links = "".join(f'<li><a href="{"../" * depth}{escape(each.at)}">{escape(each.name)}</a></li>' for each in PLACES)
    start = f'<li><a href="{"../" * depth or "./"}">The first page</a></li>'
    body = f'<h1>{title}</h1>\n<p class="lead">{said}</p>\n<ul>{start}{links}</ul>'
    return _frame(depth).response(body, title=title, status=status, headers={**headers, "Cache-Control": "no-store"})


@functools.cache
def _frame(depth: int) -> Frame:
    return Frame("", "x/" * depth)
