"""`GET /`: where somebody begins who has nothing but the gateway's address."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web.frame import Frame
from gateway.web.page import escape

_PAGE = Frame("Where to begin", "", kind="places")


class Place(NamedTuple):
    """Where somebody can go on: an address below the gateway's, what it is called, and what it is for."""

    at: str
    name: str
    about: str


OPEN = (
    Place("graphql", "Playground", "For requesters: write an inquiry, see what the schema has, and read the receipt."),
    Place("open/catalogue", "Catalogue", "For everybody: what authorities may share here, and by which law."),
    Place("open/organisations", "Open record", "For everybody: what the law opens about one organisation."),
    Place("open/transparency", "Transparency", "For everybody: how much was shared, refused and recalled each month."),
)


def start_route() -> Route:
    """The page of a gateway that nobody signs in to; where people do, `gateway.console` has a first page of its own."""
    cards = "".join(
        f'<li class="card"><h2><a href="{escape(each.at)}">{escape(each.name)}</a></h2><p>{escape(each.about)}</p></li>'
        for each in OPEN
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
