"""`/console/overdue`: what departments did not answer in time, and grants that stand still for it, for oversight.

Lists by matter and grant, never by subject: whom a matter is about is not shown here.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.visiting import Parts, Visit, entered

_OVERDUE = """
query Overdue($after: String) {
  matters(after: $after, first: 20) { items { id kind state dataset record filed due } next }
}
"""
_SUSPENSIONS = """
query Suspensions($after: String) {
  suspensions(after: $after, first: 20) {
    items { id requester { department client } purpose dataset since ended } next
  }
}
"""


def routes(parts: Parts) -> list[Route]:
    """The routes of oversight."""
    every = (("/console/overdue", overdue), ("/console/suspensions", suspensions))
    return [Route(path, entered(parts, "oversight", room), methods=["GET"]) for path, room in every]


async def overdue(visit: Visit) -> Response:
    """The overdue matters of all departments."""
    page = (await visit.ask(_OVERDUE, after=visit.query("after") or None)).data["matters"]
    return await visit.page("watching/overdue.html", "console.overdue", page=page)


async def suspensions(visit: Visit) -> Response:
    """Grants that stand still until a recall is answered, the newest first."""
    page = (await visit.ask(_SUSPENSIONS, after=visit.query("after") or None)).data["suspensions"]
    return await visit.page("watching/suspensions.html", "console.suspensions", page=page)
