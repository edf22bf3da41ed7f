"""`/console/overdue`: what was not done in time, for oversight: matters that departments owe an answer, and recalls.

Lists by matter and recall, never by subject: whom one is about is not shown here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.visiting import Parts, Visit, entered

SIDES = ("matters", "recalls")
_OVERDUE = """
query Overdue($after: String) {
  matters(after: $after, first: 20) { items { id kind state dataset record filed due } next }
}
"""


def routes(parts: Parts) -> list[Route]:
    """The route."""
    return [Route("/console/overdue", entered(parts, "oversight", overdue), methods=["GET"])]


async def overdue(visit: Visit) -> Response:
    """The overdue matters of all departments, or the overdue recalls of all recipients."""
    side = visit.query("side") if visit.query("side") in SIDES else "matters"
    after = visit.query("after")
    page: Any
    if side == "recalls":
        query = f"?{urlencode({'after': after})}" if after else ""
        page = await visit.call("GET", f"/recalls/overdue{query}")
    else:
        page = (await visit.ask(_OVERDUE, after=after or None)).data["matters"]
    return await visit.page("watching/overdue.html", "console.overdue", page=page, side=side, sides=SIDES)
