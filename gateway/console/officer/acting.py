"""Refusing a proposal with a reason, and having one become active: each a page that says what it does, and the act."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.console.officer.proposals import ROOM, agreed
from gateway.console.officer.shared import act, api, no_reason, own, proposal, reason
from gateway.console.visiting import Visit, away


async def refusing(visit: Visit) -> Response:
    """The form by which somebody refuses a proposal, or takes their own back."""
    found = await proposal(visit)
    if not found["you"]["mayRefuse"]:
        return away(visit.parts.pages.url(own(visit)))
    return await _refusing(visit, found, "", [])


async def refuse(visit: Visit) -> Response:
    """Refuse it."""
    given = reason(visit)
    if wrong := no_reason(visit, given):
        return await _refusing(visit, await proposal(visit), given, wrong)
    return await act(visit, f"{api(visit)}/refuse", {"reason": given}, own(visit), "done.rules_refused")


async def activating(visit: Visit) -> Response:
    """What becomes active, to be checked."""
    found = await proposal(visit)
    if not found["you"]["mayActivate"]:
        return away(visit.parts.pages.url(own(visit)))
    if not visit.fresh:
        return await visit.again(f"{own(visit)}/activate")
    return await visit.page("console/officer/activate.html", ROOM, it=found, agreed=agreed(found))


async def activate(visit: Visit) -> Response:
    """Have it become active."""
    return await act(visit, f"{api(visit)}/activate", {}, own(visit), "done.rules_activated")


async def _refusing(visit: Visit, found: Any, given: str, wrong: list[tuple[str, Any]]) -> Response:
    return await visit.page(
        "console/officer/refuse.html", ROOM, 422 if wrong else 200, it=found, filled={"reason": given}, wrong=wrong
    )
