"""`/console/recalls`: what a department's stewards must know of recalls (Art. 47): its records', and its clients'.

Lists by change and recall, never by subject: neither whom one is about nor a record is on the page.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.visiting import Parts, Visit, entered

SIDES = ("sent", "received")


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    return [Route("/console/recalls", entered(parts, "steward", recalls), methods=["GET"])]


async def recalls(visit: Visit) -> Response:
    """One side at a time: those of its records, or those that its own clients have to do."""
    side = visit.query("side") if visit.query("side") in SIDES else "sent"
    after = visit.query("after")
    query = f"?{urlencode({'after': after})}" if after else ""
    page: Any = await visit.call("GET", f"/recalls/{side}{query}")
    return await visit.page("console/recalls.html", "console.recalls", page=page, side=side, sides=SIDES)
