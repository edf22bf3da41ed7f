"""Refusing a proposal with a reason, and having one become active: each a page that explains what it does, and the
act."""

from __future__ import annotations

from starlette.responses import Response

from gateway.console.officer.proposals import ROOM, agreed
from gateway.console.officer.shared import act, api, no_reason, own, proposal, reason
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit, away


async def refusing(visit: Visit) -> Response:
    """The form by which somebody refuses a proposal, or takes their own back."""
    found = await proposal(visit)
    if not found["you"]["mayRefuse"]:
        return away(visit.parts.pages.url(own(visit)))
    return await refusal(visit, [])


async def refuse(visit: Visit) -> Response:
    """Refuse it."""
    given = reason(visit)
    if wrong := no_reason(visit, given):
        return await refusal(visit, wrong)
    return await act(visit, f"{api(visit)}/refuse", {"reason": given}, own(visit), "done.rules_refused")


async def activating(visit: Visit) -> Response:
    """What becomes active, to be checked."""
    found = await proposal(visit)
    if not found["you"]["mayActivate"]:
        return away(visit.parts.pages.url(own(visit)))
    if not visit.fresh:
        return await visit.again(f"{own(visit)}/activate")
    return await activation(visit, [])


async def activate(visit: Visit) -> Response:
    """Have it become active."""
    if not visit.fresh:
        return await visit.again(f"{own(visit)}/activate")
    return await act(visit, f"{api(visit)}/activate", {}, own(visit), "done.rules_activated")


async def refusal(visit: Visit, wrong: Wrong) -> Response:
    """The form that refuses a proposal, with what is wrong with it."""
    found, filled = await proposal(visit), {"reason": reason(visit)}
    return await visit.page(
        "console/officer/refuse.html", ROOM, 422 if wrong else 200, it=found, filled=filled, wrong=wrong
    )


async def activation(visit: Visit, wrong: Wrong) -> Response:
    """What becomes active, with what hinders it."""
    found = await proposal(visit)
    return await visit.page(
        "console/officer/activate.html", ROOM, 422 if wrong else 200, it=found, agreed=agreed(found), wrong=wrong
    )
