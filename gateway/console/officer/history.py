"""`/console/history`: which rule sets were active, by whom and why, and how an earlier one is active again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.officer.proposals import FIRST
from gateway.console.officer.shared import act, cannot, no_reason, reason
from gateway.console.visiting import Visit

ROOM = "console.history"
LISTED = 20
"""Activations in a list."""


async def history(visit: Visit) -> Response:
    """The activations, the last first."""
    query = {"first": str(LISTED), **({"after": visit.query("after")} if visit.query("after") else {})}
    page = await visit.call("GET", f"/rules/activations?{urlencode(query)}")
    now = (await visit.call("GET", "/rules/status"))["active"]
    return await visit.page("console/officer/history.html", ROOM, page=page, now=now)


async def going_back(visit: Visit) -> Response:
    """What an earlier rule set would change, and whether it can be active again."""
    if not visit.fresh:
        return await visit.again(f"/console/history/{visit.request.path_params['epoch']}/rollback")
    return await _form(visit, "", [])


async def roll_back(visit: Visit) -> Response:
    """Have an earlier rule set active again."""
    given, epoch = reason(visit), visit.request.path_params["epoch"]
    if wrong := no_reason(visit, given):
        return await _form(visit, given, wrong)
    return await act(visit, "/rules/rollback", {"epoch": epoch, "reason": given}, "/console/history", "done.rules_back")


async def _form(visit: Visit, given: str, wrong: list[tuple[str, Any]]) -> Response:
    epoch = visit.request.path_params["epoch"]
    try:
        found = await visit.call("GET", f"/rules/activations/{epoch}")
    except ApiRefused as refused:
        return await cannot(visit, refused, "/console/history")
    return await visit.page(
        "console/officer/rollback.html", ROOM, 422 if wrong else 200,
        it=found, first=FIRST, filled={"reason": given}, wrong=wrong,
    )  # fmt: skip
