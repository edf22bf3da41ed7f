"""`/console/proposals`: what is proposed, who agrees, what it lacks, and everything that it would open and close."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.console.guarding import HEADERS
from gateway.console.officer.shared import api, listed, proposal
from gateway.console.visiting import Visit

ROOM = "console.proposals"
FIRST, ON_A_PAGE = 8, 20
"""Sentences of what changes on the proposal's own page, and on a page of nothing else."""


async def several(visit: Visit) -> Response:
    """The proposals, the newest first."""
    return await visit.page("console/officer/proposals.html", ROOM, page=await listed(visit, "/rules/proposals"))


async def one(visit: Visit) -> Response:
    """One of them, with everything that somebody has to know before they agree."""
    found = await proposal(visit)
    return await visit.page("console/officer/proposal.html", ROOM, it=found, first=FIRST, agreed=agreed(found))


async def changes(visit: Visit) -> Response:
    """All sentences of what it changes, page by page."""
    found = await proposal(visit)
    given = visit.query("from")
    start = int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else 0
    some = found["differences"][start : start + ON_A_PAGE]
    more = start + ON_A_PAGE if start + ON_A_PAGE < len(found["differences"]) else None
    return await visit.page("console/officer/changes.html", ROOM, it=found, some=some, start=start, more=more)


async def table(visit: Visit) -> Response:
    """The same and all beyond it, as a file: a row for each cell that opens or closes."""
    told = await visit.call("GET", f"{api(visit)}/changes")
    name = f"proposal-{visit.request.path_params['id'][:12]}.csv"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(told["csv"], headers=headers, media_type="text/csv")


def agreed(found: Any) -> list[dict[str, Any]]:
    """Who has to agree, a place for each: two officers and a steward of each department whose data it opens.

    A place has the approval that counts there, or none yet.
    """
    counting = [each for each in found["approvals"] if each["counts"]]
    officers = [each for each in counting if each["as"] == "officer"]
    stewards = {each["by"]: each for each in counting if each["as"] == "steward"}
    places = [{"as": "officer", "department": "", "approval": each} for each in officers]
    places += [{"as": "officer", "department": "", "approval": None}] * max(0, 2 - len(officers))
    places += [{"as": "steward", "department": each, "approval": stewards.get(each)} for each in found["widensFor"]]
    return places
