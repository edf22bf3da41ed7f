"""`/console/`: what each of those who answer for the gateway's work can do, and what waits for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.officer.overview import overview
from gateway.console.visiting import Endpoint, Parts, Visit, away, entered

_WAITING = "query Waiting { matters(state: OPEN, first: 20) { items { id due overdue } next } }"
_FINDINGS = "query Findings { findings(state: OPEN, first: 20) { items { id } } }"


def routes(parts: Parts) -> list[Route]:
    """The routes of this room."""
    return [Route("/console/", entered(parts, "", console), methods=["GET"])]


def nowhere(parts: Parts) -> list[Route]:
    """The routes of whatever is no page; they come after all others."""
    return [
        *(Route(place, _further(parts, f"{place}/"), methods=["GET"]) for place in ("/my", "/console")),
        Route("/my/{rest:path}", entered(parts, "", no_page), methods=["GET"]),
        Route("/console/{rest:path}", entered(parts, "", no_page), methods=["GET"]),
    ]


def _further(parts: Parts, path: str) -> Endpoint:
    """Leads on to a path of ours."""

    async def route(request: Request) -> Response:
        del request
        return away(parts.pages.url(path))

    return route


async def no_page(visit: Visit) -> Response:
    """There is no such page, or what stands at this address is only done by a form."""
    return await visit.page("refused.html", status=404, why="page", quoted="")


async def console(visit: Visit) -> Response:
    """The first page of stewards, officers and oversight."""
    if set(visit.session.roles) <= {"self"}:
        return away(visit.parts.pages.url("/my/"))
    rules = await overview(visit)
    return await visit.page(
        "console/home.html", "console.home", waiting=await waiting(visit), rules=rules,
        waits=0 if rules is None else rules["waits"], waits_at="/console/proposals",
    )  # fmt: skip


async def waiting(visit: Visit) -> dict[str, int]:
    """How much waits for each role of theirs, and of findings, as far as the first page shows (20: that, or more)."""
    found: dict[str, int] = {}
    for role in ("steward", "oversight"):
        if role in visit.session.roles:
            found[role] = len((await visit.ask(_WAITING)).data["matters"]["items"])
    if "oversight" in visit.session.roles:
        found["findings"] = len((await visit.ask(_FINDINGS)).data["findings"]["items"])
    return found
