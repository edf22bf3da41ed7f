"""`GET /`: where somebody begins who has nothing but the gateway's address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web.frame import PLACES, Frame
from gateway.web.page import escape

_PAGE = Frame("Where to begin", "", kind="places")


def start_route() -> Route:
    """The page of a gateway that nobody signs in to; where people do, `gateway.console` has a first page of its own."""
    cards = "".join(
        f'<li class="card"><h2><a href="{escape(each.at)}">{escape(each.name)}</a></h2><p>{escape(each.about)}</p></li>'
        for each in PLACES
    )
    body = (
        "<h1>Dutybound</h1>\n"
        '<p class="lead">Through this gateway authorities ask each other about one named subject, for one declared '
        "purpose. Each answer is decided by published rules, entered in a ledger and receipted.</p>\n"
        f'<ul class="cards3">{cards}</ul>'
    )

    async def start(request: Request) -> Response:
        del request
        return _PAGE.response(body, headers={"Cache-Control": "no-cache"})

    return Route("/", start, methods=["GET"])
