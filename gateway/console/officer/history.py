"""`/console/history`: which rule sets were active, by whom and why, and how an earlier one is active again."""

from __future__ import annotations

from starlette.responses import Response

from gateway.console.calling import ApiRefused
from gateway.console.officer.proposals import FIRST
from gateway.console.officer.shared import act, cannot, listed, no_reason, reason
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit

ROOM = "console.history"
_LONGEST_EPOCH = 9


async def history(visit: Visit) -> Response:
    """The activations, the last first."""
    page = await listed(visit, "/rules/activations")
    now = (await visit.call("GET", "/rules/status"))["active"]
    return await visit.page("console/officer/history.html", ROOM, page=page, now=now)


async def going_back(visit: Visit) -> Response:
    """What an earlier rule set would change, and whether it can be active again."""
    epoch = _epoch(visit)
    if not visit.fresh:
        return await visit.again(f"/console/history/{epoch}/rollback")
    return await form(visit, [])


async def roll_back(visit: Visit) -> Response:
    """Have an earlier rule set active again."""
    given, epoch = reason(visit), _epoch(visit)
    if wrong := no_reason(visit, given):
        return await form(visit, wrong)
    if not visit.fresh:
        return await visit.again(f"/console/history/{epoch}/rollback")
    return await act(visit, "/rules/rollback", {"epoch": epoch, "reason": given}, "/console/history", "done.rules_back")


def _epoch(visit: Visit) -> int:
    """The activation that the address names; raises `ApiRefused`."""
    given: str = visit.request.path_params["epoch"]
    if not given.isascii() or not given.isdecimal() or len(given) > _LONGEST_EPOCH:
        raise ApiRefused(404, "MATTER_NOT_FOUND", "there is no such activation", {})
    return int(given)


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form that goes back, with what is wrong with it."""
    try:
        found = await visit.call("GET", f"/rules/activations/{_epoch(visit)}")
    except ApiRefused as refused:
        return await cannot(visit, refused, "/console/history")
    return await visit.page(
        "console/officer/rollback.html", ROOM, 422 if wrong else 200,
        it=found, first=FIRST, filled={"reason": reason(visit)}, wrong=wrong,
    )  # fmt: skip
