"""`GET /`: where somebody begins who has nothing but the gateway's address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.texts.words import Words
from gateway.web.frame import PLACES, Frame


def start_route(words: Words) -> Route:
    """The page of a gateway that nobody signs in to; where people do, `gateway.console` has a first page of its own."""
    page = Frame(words, "start.title", "", kind="places")
    cards = "".join(
        f'<li class="card"><h2><a href="{each.at}">{words(f"places.{each.name}")}</a></h2>'
        f"<p>{words(f'start.about.{each.name}')}</p></li>"
        for each in PLACES
    )
    body = f'<h1>{words("brand")}</h1>\n<p class="lead">{words("start.lead")}</p>\n<ul class="cards3">{cards}</ul>'

    async def start(request: Request) -> Response:
        del request
        return page.response(body, headers={"Cache-Control": "no-cache"})

    return Route("/", start, methods=["GET"])
